"""Can a real service be scraped without writes, and are its metrics its own?"""

from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.e2e.process import written_bytes

SCRAPES = 50


def test_a_scrape_writes_nothing_to_the_disk_and_describes_this_process(server):
    body = {"name": "Front Door", "folder_path": "front_door"}
    requests.post(f"{server.url}/api/cameras", json=body)
    requests.get(f"{server.url}/metrics")
    before = written_bytes(server.process.pid)
    with requests.Session() as session:
        for _ in range(SCRAPES):
            answer = session.get(f"{server.url}/metrics")
    assert written_bytes(server.process.pid) == before
    samples = {s.name: s.value for family in parse(answer.text) for s in family.samples}
    resident = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096
    assert abs(samples["process_resident_memory_bytes"] - resident) < 2**22

"""Does Prometheus get every number, and does no request make series without end?"""

import threading

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from app import clock, create_app
from app.services.camera_status import pending_updates
from app.storage import safe_open
from tests.pictures import picture, put
from tests.problems import assert_problem

CAMERA = "/api/cameras/<uuid:camera_id>"
SNAPSHOT = f"{CAMERA}/snapshot"
UNKNOWN = "/api/cameras/123e4567-e89b-12d3-a456-426614174000"
# As Prometheus 3 asks.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.1"
)


@pytest.fixture
def scrape(client):
    """All samples by name and the values of their labels, in alphabetical order."""

    def ask():
        families = parse(client.get("/metrics").text)
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return ask


def test_it_is_text_for_prometheus_that_is_not_cached(client):
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    families = list(parse(answer.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation.endswith(".") for family in families)


def test_it_is_openmetrics_if_accept_asks_for_that(client):
    client.get(UNKNOWN)
    for accept in (PROMETHEUS, "application/openmetrics-text"):
        answer = client.get("/metrics", headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1")
        assert answer.text.endswith("# EOF\n")
        names = {family.name for family in parse_openmetrics(answer.text)}
        assert {"nvr_http_requests", "nvr_camera_status", "process_resident_memory_bytes"} <= names
    for accept in ("", "*/*", "text/plain", "text/plain;version=abc", ",;=,"):
        answer = client.get("/metrics", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=x"})
    assert answer.status_code == 200


def test_requests_are_counted_by_route_and_status(client, camera, scrape):
    before = scrape()
    for _ in range(3):
        client.get(f"/api/cameras/{camera['id']}")
    client.get(UNKNOWN)
    client.patch(f"/api/cameras/{camera['id']}", json={"name": 1})
    after = scrape()
    assert after["nvr_http_requests_total", CAMERA, "200", "GET"] == 3
    assert after["nvr_http_requests_total", CAMERA, "404", "GET"] == 1
    assert after["nvr_http_requests_total", CAMERA, "422", "PATCH"] == 1
    assert ("nvr_http_requests_total", CAMERA, "200", "GET") not in before
    assert after["nvr_http_requests_total", "/metrics", "200", "GET"] == 1
    assert after["nvr_http_request_duration_seconds_count", CAMERA, "GET"] == 4


def test_unknown_urls_and_methods_share_one_series(client, camera, scrape):
    def series():
        names = {name for name in scrape() if name[0].startswith("nvr_http")}
        return {name for name in names if "/metrics" not in name}

    client.get("/nowhere")
    client.open("/nowhere", method="BREW")
    before = series()
    for number in range(30):
        client.get(f"/nowhere/{number}")
        client.get(f"/api/cameras/{number}")
        client.open(f"/nowhere/{number}", method=f"BREW{number}")
    assert series() == before
    assert scrape()["nvr_http_requests_total", "404", "GET", "unmatched"] == 61
    assert scrape()["nvr_http_requests_total", "404", "other", "unmatched"] == 31
    client.put("/api/cameras")
    assert scrape()["nvr_http_requests_total", "405", "PUT", "unmatched"] == 1


def test_snapshots_are_counted_by_their_outcome(client, base, camera, scrape):
    url = f"/api/cameras/{camera['id']}/snapshot"
    client.get(url)
    client.get(f"{url}?placeholder=1")
    put(base / "front" / "a.jpg", picture(), 600)
    tag = client.get(url).headers["ETag"]
    client.get(url, headers={"If-None-Match": tag})
    client.get(url, headers={"Range": "bytes=0-1"})
    client.get(f"{url}?max_age=1")
    client.get(f"{url}?max_age=x")
    client.get(f"{UNKNOWN}/snapshot")
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": "/etc"})
    client.get(url)
    counted = {name[1]: n for name, n in scrape().items() if name[0] == "nvr_snapshots_total"}
    outcomes = ("no_snapshot", "placeholder", "200", "304", "206", "snapshot_too_old")
    outcomes += ("validation_failed", "camera_not_found", "folder_outside_base")
    assert counted == dict.fromkeys(outcomes, 1)


def test_a_camera_is_there_while_it_is_registered(client, camera, scrape, monkeypatch):
    now = clock.parse("2025-12-23T12:00:00.000000Z")
    monkeypatch.setattr(clock, "now", lambda: now)
    name = camera["id"]
    status = ("nvr_camera_status", name)
    assert [scrape()[(status[0], *sorted((name, word)))] for word in ("online", "offline")] == [
        1,
        0,
    ]
    assert ("nvr_camera_last_upload_age_seconds", name) not in scrape()
    seen = "2025-12-23T11:59:00.000000Z"
    monkeypatch.setattr(pending_updates, "apply_to", lambda row: row | {"last_seen_at": seen})
    monkeypatch.setattr(type(pending_updates), "__len__", lambda _: 1)
    assert scrape()["nvr_camera_last_upload_age_seconds", name] == 60
    assert scrape()["nvr_camera_last_upload_timestamp_seconds", name] == now.timestamp() - 60
    monkeypatch.undo()
    client.delete(f"/api/cameras/{name}")
    assert not [sample for sample in scrape() if name in sample]


def test_index_database_and_process_are_measured(app, client, scrape, environ, base):
    found = scrape()
    modes = {mode: found["nvr_index_mode", mode] for mode in ("watching", "polling", "off")}
    assert modes == {"watching": 1, "polling": 0, "off": 0}
    assert found["nvr_index_polling_folders",] == 0
    assert found["nvr_database_up",] == 1
    storage = client.get("/api/system/storage").get_json()
    assert found["nvr_database_size_bytes",] == storage["database_bytes"]
    assert 10 * 2**20 < found["process_resident_memory_bytes",] < 2**30
    assert found["process_cpu_seconds_total",] > 0
    assert found["nvr_build_info", app.config["API_VERSION"]] == 1


def test_the_index_reports_when_it_must_walk(client, app, environ, monkeypatch):
    monkeypatch.setattr(app.extensions["folders"], "polling", lambda: ["why"] * 2)
    text = client.get("/metrics").text
    assert 'nvr_index_mode{mode="polling"} 1.0' in text
    assert "nvr_index_polling_folders 2.0" in text
    off = create_app(environ | {"NVR_WATCH": "off"}).test_client()
    assert 'nvr_index_mode{mode="off"} 1.0' in off.get("/metrics").text


def test_the_other_metrics_are_sent_while_the_database_cannot_be_read(environ, tmp_path):
    (tmp_path / "folder.db").mkdir()
    url = {"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/folder.db"}
    text = create_app(environ | url).test_client().get("/metrics").text
    assert "nvr_database_up 0.0" in text
    assert "process_resident_memory_bytes" in text
    assert "nvr_camera_status{" not in text


def test_no_picture_is_opened(client, base, camera, monkeypatch):
    put(base / "front" / "a.jpg", picture())

    def forbidden(*_):
        raise AssertionError("a folder or file of a camera is opened")

    for name in ("open_folder", "open_file", "open_below"):
        monkeypatch.setattr(safe_open, name, forbidden)
    assert client.get("/metrics").status_code == 200


def test_it_takes_no_query_and_no_change(client):
    assert_problem(client.get("/metrics?x=1"), 422, "validation_failed")
    assert_problem(client.post("/metrics"), 405, "method_not_allowed")


def test_durations_fall_into_the_first_bucket_that_holds_them(client, scrape, monkeypatch):
    for seconds in (0.0, 0.5, 0.75, 99.0):
        clock = iter([100.0, 100.0 + seconds])
        monkeypatch.setattr("app.telemetry.perf_counter", lambda clock=clock: next(clock))
        client.get("/health")
    monkeypatch.undo()
    name, labels = "nvr_http_request_duration_seconds", ("/health", "GET")
    counted = scrape()
    bounds = {"0.001": 1, "0.25": 1, "0.5": 2, "1.0": 3, "5.0": 3, "+Inf": 4}
    assert {bound: counted[(f"{name}_bucket", *sorted((*labels, bound)))] for bound in bounds} == (
        bounds
    )
    assert counted[(f"{name}_sum", *labels)] == pytest.approx(100.25)
    assert counted[(f"{name}_count", *labels)] == 4


def test_no_request_is_lost_between_threads(app, scrape):
    def ask():
        client = app.test_client()
        for _ in range(200):
            client.get("/health")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scrape()[("nvr_http_requests_total", *sorted(("/health", "200", "GET")))] == 800


def test_pictures_are_counted_by_camera_and_kind(client, app, base, camera, scrape):
    for name in ("1.jpg", "2.jpg", "1.mp4"):
        put(base / "front" / name, picture(), 3 * 86400)
    size = (base / "front/1.jpg").stat().st_size
    client.get("/api/system/storage")
    found = scrape()
    for kind, number in (("picture", 2), ("clip", 1)):
        assert found["nvr_camera_pictures", *sorted((camera["id"], kind))] == number
    assert found[("nvr_camera_pictures_bytes", camera["id"])] == 3 * size
    days = client.get("/api/system/storage").get_json()["days_left"]
    assert found[("nvr_storage_days_left",)] == pytest.approx(days, rel=0.01)
    client.patch("/api/settings", json={"keep_bytes": 1})
    assert ("nvr_storage_days_left",) not in scrape()


def test_what_retention_deletes_is_added_up(client, app, base, camera, scrape):
    assert scrape()[("nvr_pruned_bytes_total",)] == 0
    settings = {"prune_existing": True, "keep_days": 1}
    client.patch(f"/api/cameras/{camera['id']}/settings", json=settings)
    for total in (1, 2):
        for name in ("old.jpg", "new.jpg"):
            put(base / "front" / name, picture(), 3 * 86400 if name == "old.jpg" else 5)
        size = (base / "front/old.jpg").stat().st_size
        assert client.post("/api/system/retention").get_json()["bytes"] == size
        assert scrape()[("nvr_pruned_bytes_total",)] == total * size


def test_the_index_says_how_far_it_is_behind(client, app, base, camera, scrape):
    monitor, index = app.extensions["monitor"], app.extensions["pictures"]
    monitor.tick()
    put(base / "front" / "1.jpg", picture(), 60)
    client.get(f"/api/cameras/{camera['id']}/pictures")
    assert scrape()[("nvr_picture_index_waiting_changes",)] > 0
    assert scrape()[("nvr_picture_index_lag_seconds",)] > 0
    index.close()
    assert scrape()[("nvr_picture_index_waiting_changes",)] == 0
    assert scrape()[("nvr_picture_index_lag_seconds",)] == 0
    assert scrape()[("nvr_picture_index_comparing_cameras",)] == 0
    monitor.close()

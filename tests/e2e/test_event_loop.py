"""Are clients served after a failure in the event loop, and does the health report it?"""

import pytest
import requests

from tests.e2e import wire
from tests.e2e.forked import ForkedServer

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Fault: yes\r\n"
# Each fails for one client, whose request names it.
FAULTS = {
    "received": """
from app.server.channel import Channel
take = Channel.received
def received(self, data):
    if b"X-Fault" in data:
        raise RuntimeError("put in")
    return take(self, data)
Channel.received = received
""",
    "readable": """
from app.server.channel import Channel
take, wait = Channel.received, Channel.readable
def received(self, data):
    self.is_broken = b"X-Fault" in data
    return take(self, data)
def readable(self):
    if getattr(self, "is_broken", False):
        raise RuntimeError("put in")
    return wait(self)
Channel.received, Channel.readable = received, readable
""",
    "limits": """
from app.server.limits import ConnectionLimits
def fail(self):
    raise MemoryError("put in")
ConnectionLimits.apply = fail
""",
    "accepting": """
from app.server import event_loop
class Channel(event_loop.Channel):
    left = 3
    def __init__(self, *args, **options):
        if Channel.left:
            Channel.left -= 1
            raise RuntimeError("put in")
        super().__init__(*args, **options)
event_loop.Channel = Channel
""",
}
# The faults of the default run.
QUICK = ("received", "limits")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FAULTS[name], id=name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in FAULTS
    ],
)
def test_a_failure_costs_one_client_at_most(tmp_path, fault):
    with ForkedServer(tmp_path, fault) as server:
        for _ in range(20):
            with wire.connect(server.url) as connection:
                connection.sendall(REQUEST)  # half of it: the client is there to stay
                with_fault = wire.connect(server.url)
                with_fault.sendall(REQUEST + b"\r\n")
                with_fault.close()
        for _ in range(5):
            assert requests.get(server.url + "/health", timeout=30).status_code == 200
        assert "put in" in server.log()
        assert server.log().count("\n") < 40
        assert server.stop() == 0


def test_a_failure_of_the_loop_shows_in_health(tmp_path):
    with ForkedServer(tmp_path, FAULTS["limits"]) as server:
        check = requests.get(server.url + "/api/system/health").json()["checks"]["watcher"]
        assert check["status"] == "degraded"
        assert "The event loop has failed" in check["message"]

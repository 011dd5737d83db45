"""How many requests a second does a server answer? wrk measures it over keep-alive connections."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

# Latencies of wrk are microseconds; its errors include responses from status 400 on.
REPORT = """
done = function(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "bytes": %d, "failed": %d, "p99": %d}',
    summary.requests, summary.duration, summary.bytes,
    summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout, latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its path, and for a write its method and a body, in which %d is a number that
    differs from request to request."""

    path: str
    method: str = "GET"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def script(self) -> str:
        """As Lua for wrk."""
        headers = dict(self.headers)
        if self.body:
            headers["Content-Type"] = "application/json"
        lines = [f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in headers.items()]
        lines.append(f'wrk.method = "{self.method}"')
        if self.body:
            lines.append(
                f"local body, number = {json.dumps(self.body)}, 0\n"
                "request = function() number = number + 1\n"
                "  return wrk.format(nil, nil, nil, string.format(body, number)) end"
            )
        return "\n".join(lines) + REPORT


@dataclass(frozen=True, slots=True)
class Load:
    """Result of a run of wrk: requests and bytes a second, and the 99th percentile in ms."""

    requests: float
    bytes: float
    p99: float


def put(url: str, asked: Asked, connections: int, seconds: float) -> Load:
    """Send requests to the server at ``url`` for ``seconds`` over ``connections`` connections.

    Raises `RuntimeError` where a response is an error: errors are fast and would spoil the figure.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(asked.script())
        script.flush()
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}", "--timeout", "30s"]
        done = subprocess.run(
            [*words, "-s", Path(script.name), url + asked.path],
            capture_output=True,
            text=True,
            check=True,
        )
    result = json.loads(done.stdout.partition("RESULT ")[2])
    if result["failed"] or not result["requests"]:
        raise RuntimeError(f"{url}{asked.path}: {result}")
    lasted = result["microseconds"] / 1e6
    return Load(result["requests"] / lasted, result["bytes"] / lasted, result["p99"] / 1000)

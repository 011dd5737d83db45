"""How is each server started? As a process of its own, over the same pictures."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 30
# A server that uses less than this share of a processor for this many seconds is idle.
REST_SECONDS, IDLE_SHARE = 0.25, 0.2
NGINX = """
user {user}; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; etag on;
  types {{ image/jpeg jpg; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {base}; }}
    location = /api/cameras {{ default_type application/json; return 200 '{document}'; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    url: str
    pid: int

    def post(self, path: str, fields: dict[str, object]) -> dict[str, str]:
        """The resource that was made."""
        answer = requests.post(self.url + path, json=fields, timeout=DEADLINE_SECONDS)
        answer.raise_for_status()
        made: dict[str, str] = answer.json()
        return made

    def wait_until_idle(self) -> None:
        """Wait until the server is idle.

        FastAPI reads 100,000 files for each of 8 clients for ten seconds after they have left.
        """
        used = self._cpu_seconds()
        while True:
            time.sleep(REST_SECONDS)
            before, used = used, self._cpu_seconds()
            if used - before < IDLE_SHARE * REST_SECONDS:
                return

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Memory that it holds right now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def service(folder: Path, base: Path) -> Iterator[Server]:
    """This service, as wsgi.py starts it."""
    port = free_port()
    environ = {
        "NVR_PORT": str(port),
        "NVR_FOSCAM_BASE_PATH": str(base),
        "NVR_DATABASE_URL": f"sqlite:///{folder}/service.db",
    }
    with _running("service", [sys.executable, "wsgi.py"], environ, port) as server:
        yield server


@contextmanager
def fastapi(folder: Path, base: Path) -> Iterator[Server]:
    """FastAPI, SQLAlchemy and aiosqlite under uvicorn with uvloop and httptools."""
    port = free_port()
    environ = {"RIVAL_BASE_PATH": str(base), "RIVAL_DATABASE": f"{folder}/fastapi.db"}
    words = [sys.executable, "-m", "uvicorn", "benchmarks.rivals.fastapi_stack:app"]
    words += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    with _running("FastAPI", words, environ, port) as server:
        yield server


@contextmanager
def nginx(folder: Path, base: Path, document: str) -> Iterator[Server]:
    """nginx with the pictures as files, and ``document`` as the list of cameras."""
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            **{"folder": folder, "port": port, "base": base, "user": getpass.getuser()},
            document=document.replace("'", ""),
        )
    )
    words = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(configuration)]
    with _running("nginx", words, {}, port) as server:
        yield server


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _running(name: str, words: list[str], environ: dict[str, str], port: int) -> Iterator[Server]:
    inherited = {key: value for key, value in os.environ.items() if key[:4] != "NVR_"}
    process = subprocess.Popen(
        words, cwd=PROJECT, env=inherited | environ, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, port)
        yield Server(name, f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until it listens; raises `RuntimeError` where it ends or does not listen in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"{process.args!r} does not listen")

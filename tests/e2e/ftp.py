"""How do tests upload? With an FTP client, through an FTP server over the base path."""

import ftplib
import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

HOST, PASSWORD = "127.0.0.1", "secret"
LIST_AND_WRITE = "elradfmwT"  # T: set the time of a file (MFMT)
DEADLINE_SECONDS = 20


@contextmanager
def ftp_server(base: Path, *cameras: str) -> Iterator[int]:
    """Start an FTP server; each camera is a user whose root is ``base/camera``."""
    authorizer = DummyAuthorizer()
    for camera in cameras:
        (base / camera).mkdir(exist_ok=True)
        authorizer.add_user(camera, PASSWORD, str(base / camera), LIST_AND_WRITE)
    # Without a handler pyftpdlib would set up logging for the whole process.
    logging.getLogger("pyftpdlib").handlers = [logging.NullHandler()]
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = FTPServer((HOST, 0), handler, ioloop=IOLoop())
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, stop))
    thread.start()
    try:
        yield server.address[1]
    finally:
        stop.set()
        thread.join()


@contextmanager
def ftp_client(port: int, camera: str) -> Iterator[ftplib.FTP]:
    """Log in as a camera."""
    with ftplib.FTP(timeout=DEADLINE_SECONDS) as client:
        client.connect(HOST, port)
        client.login(camera, PASSWORD)
        yield client


def store(client: ftplib.FTP, name: str, data: bytes) -> str:
    """Upload ``data`` as ``name``; returns the server's last reply."""
    return client.storbinary(f"STOR {name}", io.BytesIO(data))


def _serve(server: FTPServer, stop: threading.Event) -> None:
    while not stop.is_set():
        server.ioloop.loop(timeout=0.02, blocking=False)
    server.close_all()

"""How is a message sent by Apprise? By a process that runs `apprise_process`."""

import base64
import json
import math
import subprocess  # nosec B404
import sys
import threading
from contextlib import nullcontext

from ..layout import PACKAGE
from ..models import Row
from .webhook import TEMPORARY, Outcome

# The script and its exit status. It is not imported, because that would import Apprise.
SCRIPT = PACKAGE / "notify" / "apprise_process.py"
NOT_INSTALLED = 3
SEND_SECONDS, CHECK_SECONDS = 30.0, 12.0
# How many messages are sent at the same time; while a receiver hangs, it occupies a process of
# about 35 MiB. Receivers whose last message hung may use only a part of the processes, so that
# they do not delay the others.
MOST_PROCESSES, MOST_HUNG = 32, 16
_free = threading.BoundedSemaphore(MOST_PROCESSES)
_free_for_hung = threading.BoundedSemaphore(MOST_HUNG)
_hung: set[str] = set()


class NotInstalled(Exception):
    """Apprise is not installed. It belongs to the extra `notify`."""


def can_send_to(url: str) -> bool:
    """Whether Apprise can send to this URL. Raises `NotInstalled` and `TimeoutError`."""
    return bool(_ask({"url": url}, CHECK_SECONDS)["ok"])


def send(url: str, title: str, text: str, picture: bytes | None) -> Outcome:
    """Send a message, with a JPEG where there is one."""
    request = {"url": url, "title": title, "text": text}
    if picture is not None:
        request |= {"picture": base64.b64encode(picture).decode(), "name": "picture.jpg"}
    try:
        with _free_for_hung if url in _hung else nullcontext(), _free:
            answer = _ask(request, SEND_SECONDS)
        _hung.discard(url)
    except NotInstalled:
        return Outcome(error="Apprise is not installed")
    except TimeoutError:
        _hung.add(url)
        return Outcome(error=f"no answer within {SEND_SECONDS:.0f} seconds")
    status = answer["status"]
    if answer["ok"]:
        return Outcome(status)
    is_final = status is not None and 400 <= status < 500 and status not in TEMPORARY
    error = f"the service answered {status}" if status else "the service did not take the message"
    return Outcome(status, error, is_final)


def _ask(request: Row, seconds: float) -> Row:
    """Run the process and return its answer. Its stderr may hold secrets, so it is discarded."""
    command = [sys.executable, "-P", str(SCRIPT)]
    given = json.dumps(request | {"seconds": math.ceil(seconds)}).encode()
    try:
        done = subprocess.run(  # noqa: S603 # nosec B603
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if done.returncode == NOT_INSTALLED:
        raise NotInstalled
    if done.returncode:
        return {"ok": False, "status": None}
    answer: Row = json.loads(done.stdout.splitlines()[-1])
    return answer

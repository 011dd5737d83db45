"""How does Apprise send one message? This script does it, in a process of its own.

Therefore a service without such a rule does not load Apprise, and ending the process ends an
attempt whose receiver hangs: Apprise itself limits only each single wait. The script reads a JSON
object from stdin: ``url``; ``title`` and ``text``, without which the URL is only checked;
``picture``, in base64, and its ``name``; ``seconds``, after which the process ends, also where the
service was killed and cannot end it. It writes a JSON object to stdout: ``ok``, and as ``status``
the HTTP status where Apprise logs one.
"""

import base64
import json
import logging
import re
import signal
import sys
from typing import Any

try:
    import apprise
    from apprise.attachment.memory import AttachMemory
except ImportError:  # it belongs to the extra `notify`
    apprise = None  # type: ignore[assignment]

# The exit status where Apprise is not installed.
NOT_INSTALLED = 3
# How Apprise's log names the status of an answer.
STATUS = re.compile(r"\berror=([1-5][0-9][0-9])\b")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Check the URL, or send the message."""
    asset = apprise.AppriseAsset(storage_mode="memory", secure_logging=True)
    service = apprise.Apprise.instantiate(request["url"], asset=asset)
    if service is None or "text" not in request:
        return {"ok": service is not None, "status": None}
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    pictures = apprise.AppriseAttachment()
    if request.get("picture"):
        data = base64.b64decode(request["picture"])
        pictures.add(AttachMemory(content=data, name=request["name"], mimetype="image/jpeg"))
    with apprise.LogCapture(level=logging.INFO) as log:
        done = sender.notify(
            body=request["text"],
            title=request["title"],
            body_format=apprise.NotifyFormat.TEXT,
            attach=pictures or None,
        )
        statuses = STATUS.findall(log.getvalue())
    return {"ok": bool(done), "status": int(statuses[-1]) if statuses and not done else None}


if __name__ == "__main__":
    if apprise is None:
        sys.exit(NOT_INSTALLED)
    given = json.load(sys.stdin)
    signal.alarm(given["seconds"])  # nothing catches it, so it ends the process
    sys.stdout.write(json.dumps(answer(given)))

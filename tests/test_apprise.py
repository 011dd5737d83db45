"""Do services of Apprise get a text and a smaller picture, and does no secret reach a log?"""

import base64
import email
import email.policy
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from PIL import Image

from app import clock
from app.notify import apprise_process, apprise_sender, messages, sending
from app.notify.apprise_sender import NotInstalled
from app.notify.webhook import Outcome
from tests.api.test_notifications import LEAST, URL
from tests.pictures import picture, put
from tests.problems import assert_problem
from tests.receivers import receiving, status
from tests.rows import entries_of
from tests.test_deliveries import wait_until

# Apprise imports services whose packages use what Python is about to remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NTFY = "ntfy://joe:pa55word@127.0.0.1:{port}/T0PIC"
AT = "2025-12-23T12:00:00.000000Z"
CAMERA = {"id": "1", "name": "Tür"}
# Stands for the script that sends: for a URL with the scheme `hang` it waits until the folder that
# the URL names holds the file `go_on`.
HANGING = """
import json, os, pathlib, sys, time

scheme, _, folder = json.load(sys.stdin)["url"].partition("://")
if scheme == "hang":
    pathlib.Path(folder, f"{os.getpid()}.hangs").touch()
    while not pathlib.Path(folder, "go_on").exists():
        time.sleep(0.05)
print('{"ok": true, "status": null}')
"""


class Mailbox:
    """Keeps the mails that it receives."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def mailbox():
    """A mailbox and the port of its server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Mailbox()
    server = Controller(found, hostname="127.0.0.1", port=port, ready_timeout=30)
    server.start()
    yield found, port
    server.stop()


@pytest.fixture
def in_process(monkeypatch):
    """Apprise runs in this process, which takes a tenth of the time."""
    asked = []

    def ask(request, seconds):
        asked.append(request)
        return apprise_process.answer(request)

    monkeypatch.setattr(apprise_sender, "_ask", ask)
    return asked


def test_a_mail_has_a_text_and_the_picture(mailbox, in_process):
    found, port = mailbox
    url = f"mailto://127.0.0.1:{port}?from=nvr@example.org&to=joe@example.org"
    assert apprise_sender.send(url, "Tür: person", "person 93%", picture()).ok
    ((receivers, content),) = found.mails
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert receivers == ["joe@example.org"]
    assert mail["Subject"] == "Tür: person"
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert "person 93%" in parts["text/plain"].get_content()
    assert parts["image/jpeg"].get_content() == picture()


def test_ntfy_gets_a_text_and_the_picture(in_process):
    with receiving(lambda _: status(200)) as receiver:
        url = NTFY.format(port=receiver.server_port)
        assert apprise_sender.send(url, "Tür", "person", None) == Outcome()
        assert apprise_sender.send(url, "Tür", "person", picture()).ok
    words_alone, with_picture = receiver.received
    assert words_alone.message == {"topic": "T0PIC", "title": "Tür", "message": "person"}
    assert with_picture.body == picture()
    assert "filename=picture.jpg" in with_picture.path
    assert base64.b64decode(with_picture.headers["authorization"][6:]) == b"joe:pa55word"


@pytest.mark.parametrize(
    ("code", "is_final"), [(403, True), (404, True), (429, False), (500, False)]
)
def test_a_service_that_refuses_is_not_asked_again(in_process, code, is_final):
    with receiving(lambda _: status(code)) as receiver:
        outcome = apprise_sender.send(NTFY.format(port=receiver.server_port), "a", "b", None)
    assert (outcome.ok, outcome.status, outcome.is_final) == (False, code, is_final)
    assert outcome.error == f"the service answered {code}"


def test_only_urls_that_apprise_knows_are_accepted(client, in_process):
    for url in ("nothing://x", "mailto://"):
        problem = assert_problem(
            client.post(URL, json=LEAST | {"url": url}), 422, *["validation_failed"]
        )
        assert problem["errors"]["json"].keys() == {"url"}
    rule = client.post(URL, json=LEAST | {"url": "ntfy://joe:pa55word@nvr.lan/T0PIC"})
    assert rule.json["url"] == "ntfy://***"
    url = f"{URL}/{rule.json['id']}"
    assert client.patch(url, json={"url": "ntfy://***"}).json["url"] == "ntfy://***"
    client.patch(url, json={"url": "mailto://joe:pa55word@example.org"})
    texts = [client.get(path).text for path in (URL, url, "/api/audit")]
    assert not [text for text in texts if "pa55word" in text or "T0PIC" in text]
    assert len(entries_of(str(rule.json["id"]))) == 2


def test_a_test_message_keeps_no_connection_to_the_database_open(app, client, in_process):
    def connections():
        files = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
        return files.count(Path(app.config["NVR_DATABASE_URL"]).resolve())

    with receiving(lambda _: status(200)) as receiver:
        url = NTFY.format(port=receiver.server_port)
        rule = client.post(URL, json=LEAST | {"url": url}).json["id"]
        assert client.post(f"{URL}/{rule}/test").json["ok"]
        before = connections()
        for _ in range(5):
            assert client.post(f"{URL}/{rule}/test").json["ok"]
    assert 0 < connections() <= before + 1


def test_without_the_extra_only_webhooks_are_accepted(client, monkeypatch):
    def fail(request, seconds):
        raise NotInstalled

    monkeypatch.setattr(apprise_sender, "_ask", fail)
    problem = assert_problem(
        client.post(URL, json=LEAST | {"url": "ntfy://topic"}), 501, "notify_not_installed"
    )
    assert "[notify]" in problem["detail"]
    assert client.post(URL, json=LEAST).status_code == 201
    assert apprise_sender.send("ntfy://topic", "a", "b", None).error


@pytest.mark.slow
def test_apprise_runs_in_a_process_of_its_own_and_within_a_time_limit(client, monkeypatch, capfd):
    with receiving(lambda _: status(200)) as receiver:
        url = NTFY.format(port=receiver.server_port)
        rule = client.post(URL, json=LEAST | {"url": url}).json
        assert client.post(f"{URL}/{rule['id']}/test").json["ok"]
        assert receiver.received[0].message["title"] == "Test message"
        monkeypatch.setattr(apprise_sender, "SEND_SECONDS", 2.0)
        ended = threading.Event()
        receiver.answer = lambda _: ended.wait(60) and status(200)
        began = time.monotonic()
        assert apprise_sender.send(url, "a", "b", None).error.startswith("no answer within")
        assert time.monotonic() - began < 30
        ended.set()
    out, err = capfd.readouterr()
    assert "pa55word" not in out + err


@pytest.mark.slow
def test_the_process_of_apprise_ends_by_itself_where_the_service_was_killed():
    ended = threading.Event()
    with receiving(lambda _: ended.wait(60) and status(200)) as receiver:
        request = {"url": NTFY.format(port=receiver.server_port), "title": "a", "text": "b"}
        command = [sys.executable, "-P", str(apprise_sender.SCRIPT)]
        given = json.dumps(request | {"seconds": 1}).encode()
        done = subprocess.run(command, input=given, capture_output=True, timeout=60)
        ended.set()
    assert done.returncode == -signal.SIGALRM


@pytest.mark.slow
def test_many_receivers_that_hang_delay_neither_another_nor_the_check_of_a_url(
    tmp_path, monkeypatch
):
    script, go_on, many = tmp_path / "script.py", tmp_path / "go_on", 20
    script.write_text(HANGING)
    monkeypatch.setattr(apprise_sender, "SCRIPT", script)
    with ThreadPoolExecutor(many) as pool:
        sent = [
            pool.submit(apprise_sender.send, f"hang://{tmp_path}", "a", "b", None)
            for _ in range(many)
        ]
        try:
            wait_until(lambda: len([*tmp_path.glob("*.hangs")]) == many)
            assert apprise_sender.send("ntfy://topic", "a", "b", None).ok
            assert apprise_sender.can_send_to("ntfy://topic")
            assert not any(each.done() for each in sent)
        finally:
            go_on.touch()
    assert all(each.result().ok for each in sent)


def test_the_exit_status_of_the_script_is_the_one_that_the_sender_knows():
    assert apprise_process.NOT_INSTALLED == apprise_sender.NOT_INSTALLED


@pytest.mark.parametrize(
    ("kind", "data", "title", "text"),
    [
        ("test", {}, "Test message", "NVR cameras can reach you."),
        (
            "camera_offline",
            {"camera": CAMERA | {"status": "offline", "previous_status": "online"}},
            "Tür: offline",
            "Its status was online before. 2025-12-23 13:00:00 CET",
        ),
        (
            "camera_error",
            {"camera": CAMERA | {"status": "error", "previous_status": "offline"}},
            "Tür: error",
            "has a folder that cannot be read. Its status was offline before.",
        ),
        (
            "detection",
            {
                "camera": CAMERA,
                "detection": {
                    "object_type": "person",
                    "confidence": 0.93,
                    "count": 3,
                    "detected_at": AT,
                },
            },
            "Tür: person",
            "3 times person, the surest 93%, 2025-12-23 13:00:00 CET",
        ),
        (
            "event",
            {
                "camera": CAMERA,
                "event": {"risk_level": "high", "summary": "Somebody", "started_at": AT},
            },
            "Tür: event, high risk",
            "Somebody\nBegan at 2025-12-23 13:00:00 CET.",
        ),
        (
            "event_reviewed",
            {"camera": CAMERA, "event": {"risk_level": None, "summary": "", "started_at": AT}},
            "Tür: event reviewed",
            "Began at 2025-12-23 13:00:00 CET.",
        ),
        (
            "moment_started",
            {"camera": CAMERA, "moment": {"start": AT, "picture_id": "a"}},
            "Tür: uploads begin",
            "2025-12-23 13:00:00 CET",
        ),
        (
            "storage_low",
            {"storage": {"status": "degraded", "message": "Only 200 MiB.", "free_bytes": 1}},
            "Little space is left",
            "Only 200 MiB.",
        ),
        (
            "storage_low",
            {"storage": {"status": "degraded", "message": "Unknown.", "free_bytes": None}},
            "The storage cannot be reached",
            "Unknown.",
        ),
        (
            "storage_ok",
            {"storage": {"status": "healthy", "message": "5000 MiB are free.", "free_bytes": 1}},
            "There is enough space again",
            "5000 MiB are free.",
        ),
    ],
)
def test_the_text_names_the_camera_and_the_local_time(kind, data, title, text):
    message = {"type": kind, "timestamp": AT, "data": data}
    found = messages.title_and_text(message, clock.zone("Europe/Berlin"))
    assert found[0] == title
    assert text in found[1]


@pytest.fixture
def send(app, in_process, monkeypatch):
    """Sends a message of a camera with a picture, and returns the picture that was attached."""
    monkeypatch.setattr(sending, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(sending, "STEP_SECONDS", 0.01)
    sender = sending.Sender(app)

    def attach(data, url="ntfy://127.0.0.1:{port}/a", age=0.0):
        with receiving(lambda _: status(200)) as receiver:
            rule = {"url": url.format(port=receiver.server_port), "with_picture": True}
            at = clock.rfc3339(clock.now() - timedelta(seconds=age))
            body = {"type": "detection", "timestamp": at, "data": data}
            assert sender(rule, {"body": sending.json.dumps(body)}).ok
        (received,) = receiver.received
        return received.body if "filename" in received.path else None

    yield attach
    app.extensions["folders"].retain(())


def seen(camera, age=0.0, **fields):
    at = clock.rfc3339(clock.now() - timedelta(seconds=age))
    detection = {"object_type": "person", "confidence": 1, "count": 1, "detected_at": at}
    shown = {"id": camera["id"], "name": camera["name"]}
    return {"camera": shown, "detection": detection | {"file_path": None} | fields}


def test_the_picture_of_the_moment_is_attached_smaller(base, camera, send):
    put(base / "front" / "old.jpg", picture(), age=60)
    assert send(seen(camera)) is None, "an older picture is not attached"
    large = io.BytesIO()
    Image.effect_noise((2560, 1440), 50).save(large, "JPEG")
    put(base / "front" / "new.jpg", large.getvalue(), age=5)
    sent = send(seen(camera, age=10))
    assert Image.open(io.BytesIO(sent)).size == (1280, 720)


def test_the_picture_of_a_detection_is_attached_where_it_names_one(base, camera, send):
    put(base / "front" / "seen.jpg", picture(size=(8, 8)), age=300)
    put(base / "front" / "new.jpg", picture(size=(4, 4)))
    assert send(seen(camera, file_path="seen.jpg")) == picture(size=(8, 8))
    assert send(seen(camera, file_path="gone.jpg")) == picture(size=(4, 4))
    assert send(seen(camera, file_path="../../etc/passwd")) == picture(size=(4, 4))
    assert send(seen(camera | {"id": "unknown"})) is None


def test_a_late_attempt_attaches_no_picture_that_is_newer_than_the_message(base, camera, send):
    put(base / "front" / "before.jpg", picture(size=(2, 2)), age=3700)
    put(base / "front" / "now.jpg", picture(size=(8, 8)))
    for named in (None, "now.jpg"):
        assert send(seen(camera, age=3600, file_path=named), age=3600) is None
    put(base / "front" / "of_the_moment.jpg", picture(size=(4, 4)), age=3610)
    for named in (None, "now.jpg"):
        assert send(seen(camera, age=3600, file_path=named), age=3600) == picture(size=(4, 4))
    assert send(seen(camera, age=3600), age=0) == picture(size=(8, 8))

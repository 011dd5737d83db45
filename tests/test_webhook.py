"""Does a webhook reach its receiver signed, once, and within its time?"""

import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.notify import signing, webhook
from tests.receivers import OK, receiving, status

SECRET = signing.make_secret()
MESSAGE = {"message_id": "msg_1", "body": '{"type":"test","data":{"name":"Gärten"}}'}


def send(url, message=MESSAGE, secret=SECRET):
    return webhook.send({"url": url, "secret": secret}, message)


@contextlib.contextmanager
def answering(handle):
    """The URL of a server whose only connection ``handle`` gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    thread.join()


def test_the_library_of_standard_webhooks_verifies_the_signature():
    for length in (24, 32, 64):
        secret = signing.PREFIX + base64.b64encode(bytes(range(length))).decode()
        with receiving() as receiver:
            assert send(receiver.url, secret=secret).ok
        (received,) = receiver.received
        assert Webhook(secret).verify(received.body, received.headers)["type"] == "test"
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(received.body, received.headers)


def test_a_request_is_json_and_names_its_host():
    with receiving() as receiver:
        assert send(f"{receiver.url}/ä b?key=ö#part").status == 204
    (received,) = receiver.received
    assert received.path == "/hook/%C3%A4%20b?key=%C3%B6"
    assert received.body == MESSAGE["body"].encode()
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{receiver.server_port}"
    assert "authorization" not in received.headers


def test_user_and_password_of_the_url_are_sent_as_basic_authentication():
    with receiving() as receiver:
        assert send(receiver.url.replace("127", "joe:a%40b@127")).ok
    sent = receiver.received[0].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"joe:a@b"


@pytest.mark.parametrize(
    ("code", "ok", "is_final"),
    [
        *[(code, True, False) for code in (200, 202, 299)],
        *[(code, False, False) for code in (300, 304, 408, 409, 425, 429, 500, 503)],
        *[(code, False, True) for code in (400, 401, 404, 410, 418, 499)],
    ],
)
def test_the_status_decides_whether_an_attempt_succeeded(code, ok, is_final):
    with receiving(lambda _: status(code)) as receiver:
        outcome = send(receiver.url)
    assert (outcome.status, outcome.ok, outcome.is_final) == (code, ok, is_final)


def test_no_redirect_is_followed():
    with receiving() as target:
        line = f"HTTP/1.1 307 Elsewhere\r\nLocation: {target.url}\r\n\r\n".encode()
        with receiving(lambda _: line) as receiver:
            outcome = send(receiver.url)
    assert (outcome.status, outcome.ok, target.received) == (307, False, [])


def test_an_interim_answer_is_skipped():
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n"
    with receiving(lambda _: answer) as receiver:
        assert send(receiver.url).status == 500


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 200 OK\nServer: a\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
    ],
)
def test_a_2xx_is_a_success_whatever_follows_its_head(answer):
    with receiving(lambda _: answer) as receiver:
        assert send(receiver.url) == webhook.Outcome(200)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_a_failure(answer):
    def handle(connection):
        connection.recv(65536)
        connection.sendall(answer)

    with answering(handle) as url:
        outcome = send(url)
    assert not outcome.ok
    assert not outcome.is_final


@pytest.mark.parametrize("answer", [b"a" * 65536, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000])
def test_an_answer_without_end_is_a_failure(answer):
    def handle(connection):
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(answer)

    with answering(handle) as url:
        assert send(url).error == "the answer is not HTTP"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_receiver_that_hangs_or_sends_slowly_is_given_up_in_time(monkeypatch, answer):
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    ended = threading.Event()

    def handle(connection):
        connection.sendall(answer)
        while not ended.wait(0.05):
            if answer:
                connection.sendall(b"a")

    with answering(handle) as url:
        began = time.monotonic()
        outcome = send(url)
        took = time.monotonic() - began
        ended.set()
    assert outcome.error.startswith("no answer within")
    assert not outcome.is_final
    assert took < 5


def test_a_lookup_of_a_host_that_hangs_is_given_up_in_time(monkeypatch):
    ended = threading.Event()

    def look_up(*_, flags=0, **__):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror
        ended.wait(30)
        return []

    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    outcome = send("http://nvr.lan/hook")
    ended.set()
    assert (outcome.error, outcome.is_final) == ("no answer within 0 seconds", False)


@pytest.mark.slow
def test_an_address_that_does_not_answer_leaves_time_to_the_next(monkeypatch):
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(3):  # then the kernel answers no further connection
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        receiver = stack.enter_context(receiving())
        addresses = [full.getsockname(), receiver.server_address]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert send("http://nvr.lan/hook").ok


def test_a_tls_handshake_that_never_begins_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    ended = threading.Event()
    with answering(lambda _: ended.wait(30)) as url:
        outcome = send(url.replace("http:", "https:"))
        ended.set()
    assert not outcome.ok


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_certificate_must_be_signed_by_an_authority_that_the_box_knows(tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=nvr.lan -addext"
    command = [*words.split(), "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(OK)

    with answering(handle) as url:
        refused = send(url.replace("http:", "https:"))
    assert refused.error.startswith("the certificate cannot be verified")
    assert not refused.is_final
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with answering(handle) as url:
        assert send(url.replace("http:", "https:")).ok


def test_failures_do_not_show_the_url():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcomes = [
        send(f"http://joe:pa55word@127.0.0.1:{port}/T0KEN"),
        send("http://pa55word.invalid/T0KEN"),
    ]
    for outcome in outcomes:
        assert not outcome.ok
        assert not outcome.is_final
        assert "pa55word" not in outcome.error
        assert "T0KEN" not in outcome.error
    assert outcomes[0].error == "the connection was refused"

"""Which requests are refused before they reach the app, and do they delay no other client?

Each request is sent as bytes to the real process. RFC 9112 says what is a request.
"""

import re
import socket
import struct
import time
from contextlib import suppress

import pytest
import requests

from app.config import MIB
from app.server.parser import FRAMING_BYTES, HEADER_BYTES, HEADER_LINES, LINE_BYTES
from tests.e2e import process, wire
from tests.e2e.forked import ForkedServer
from tests.pictures import picture, put
from tests.problems import assert_problem

# What a header of any kind may cost, in milliseconds of CPU.
HEADER_MS = 50
# Less than the service waits for the rest of a request.
PROMPT_SECONDS = 10
HOST = b"Host: localhost\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST
POST = b"POST /api/cameras HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"name": "Front", "folder_path": "front"}'


def line(text):
    """A request of this request line."""
    return text + b"\r\n" + HOST + b"\r\n"


def with_header(text):
    """A request with this besides its Host."""
    return GET + text + b"\r\n\r\n"


BAD = {
    "rubbish": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "one word": line(b"rubbish"),
    "HTTP/0.9": line(b"GET /health"),
    "HTTP/1.2": line(b"GET /health HTTP/1.2"),
    "HTTP/2.0": line(b"GET /health HTTP/2.0"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no such version": line(b"GET /health HTTP/x"),
    "junk behind the version": line(b"GET /health HTTP/1.1x"),
    "version in small letters": line(b"GET /health http/1.1"),
    "method in small letters": line(b"get /health HTTP/1.1"),
    "two blanks": line(b"GET  /health HTTP/1.1"),
    "a tab": line(b"GET\t/health HTTP/1.1"),
    "a blank at the end": line(b"GET /health HTTP/1.1 "),
    "NUL in the target": line(b"GET /a\0b HTTP/1.1"),
    "target without a slash": line(b"GET health HTTP/1.1"),
    "asterisk": line(b"GET * HTTP/1.1"),
    "authority": line(b"CONNECT localhost:80 HTTP/1.1"),
    "other scheme": line(b"GET ftp://localhost/health HTTP/1.1"),
    "no host in the target": line(b"GET http:///health HTTP/1.1"),
    "user in the target": line(b"GET http://a@localhost/health HTTP/1.1"),
    "half a bracket": line(b"GET http://[/ HTTP/1.1"),
    "no address in brackets": line(b"GET http://[%b]/ HTTP/1.1" % (b"1" * 8000)),
    "8,000 digits": line(b"GET a://%b HTTP/x" % (b"1" * 8000)),
    "bytes that are no URL": line(b"GET http://\xff\xfe/ HTTP/1.1"),
    "no Host": b"GET /health HTTP/1.1\r\n\r\n",
    "two Hosts": with_header(b"Host: localhost"),
    "blank in a name": with_header(b"X y: z"),
    "blank behind a name": with_header(b"X : z"),
    "no name": with_header(b": z"),
    "no colon": with_header(b"X"),
    "folded header": with_header(b"X: y\r\n z"),
    "folded blanks": with_header(b"X:" + b"\r\n " * 50 + b"\0"),
    "NUL": with_header(b"X: a\0b"),
    "blanks before a NUL": with_header(b"X:" + b" " * 8000 + b"\0"),
    "bare LF": with_header(b"X: a\nY: b"),
    "bare CR": with_header(b"X: a\rY: b"),
    "escape": with_header(b"X: \x1b[2J"),
    "length below zero": with_header(b"Content-Length: -1"),
    "length with a sign": with_header(b"Content-Length: +5"),
    "length in base 16": with_header(b"Content-Length: 0x5"),
    "empty length": with_header(b"Content-Length:"),
    "length of 4,301 digits": with_header(b"Content-Length: " + b"1" * 4301),
    "list of lengths": with_header(b"Content-Length: 5, 5"),
    "two lengths": with_header(b"Content-Length: 1\r\nContent-Length: 1"),
    "two types": with_header(b"Content-Type: a/b\r\nContent-Type: a/b"),
    "other coding": with_header(b"Transfer-Encoding: gzip"),
    "two codings": with_header(b"Transfer-Encoding: gzip, chunked"),
    "chunked twice": with_header(b"Transfer-Encoding: chunked, chunked"),
    "chunked in two lines": with_header(b"Transfer-Encoding: chunked\r\n" * 2),
    "empty coding": with_header(b"Transfer-Encoding:"),
    "length and chunks": with_header(b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
    "chunks and length": with_header(b"Transfer-Encoding: chunked\r\nContent-Length: 5"),
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no size of a chunk": CHUNKED + b"zz\r\nab\r\n0\r\n\r\n",
    "chunk below zero": CHUNKED + b"-1\r\nab\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "no colon in a trailer": CHUNKED + b"1\r\na\r\n0\r\nX\r\n\r\n",
    "NUL in a trailer": CHUNKED + b"1\r\na\r\n0\r\nX: \0\r\n\r\n",
    "request behind line feeds in a trailer": CHUNKED + b"0\r\nX: y\n\nGET / HTTP/1.1\r\n\r\n",
    "control character in an extension": CHUNKED + b"1;a=\x01\r\na\r\n0\r\n\r\n",
}
TOO_LARGE = {
    "request line": (line(b"GET /%b HTTP/1.1" % (b"x" * LINE_BYTES)), 414, "uri_too_long"),
    "25,000 digits": (line(b"GET a://%b HTTP/x" % (b"1" * 25_000)), 414, "uri_too_long"),
    "60,000 in brackets": (
        line(b"GET http://[%b]/ HTTP/1.1" % (b"1" * 60_000)),
        414,
        "uri_too_long",
    ),
    "100 kB of URL": (line(b"GET /%b HTTP/1.1" % (b"y" * 100_000)), 414, "uri_too_long"),
    "one header": (with_header(b"X: " + b"y" * (LINE_BYTES + 1)), 431, "headers_too_large"),
    "60,000 tabs": (with_header(b"Accept:" + b"\t," * 30_000), 431, "headers_too_large"),
    "one header in many lines": (
        with_header(b"\r\n".join([b"Accept: " + b"y" * 1000] * 9)),
        431,
        "headers_too_large",
    ),
    "many headers": (
        with_header(b"\r\n".join([b"X: y"] * HEADER_LINES)),
        431,
        "headers_too_large",
    ),
    "300 kB of headers": (
        with_header(b"\r\n".join([b"X: " + b"y" * 1000] * 300)),
        431,
        "headers_too_large",
    ),
    "tiny chunks": (CHUNKED + b"1\r\nx\r\n" * 20_000, 413, "payload_too_large"),
    "long extension": (CHUNKED + b"1;" + b"a" * 2 * FRAMING_BYTES, 413, "payload_too_large"),
    "long trailer": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 20_000, 413, "payload_too_large"),
}
REFUSED = {name: (sent, 400, "bad_request") for name, sent in BAD.items()} | TOO_LARGE


# Their senders wait for the answer: nothing that ends the header or the body follows.
UNENDED = {
    "line feeds": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400, "bad_request"),
    "line feed at the end": (GET + b"\n", 400, "bad_request"),
    "carriage returns": (b"GET /health HTTP/1.1\rHost: localhost\r\r", 400, "bad_request"),
    "start of TLS": (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad_request"),
    "NUL": (b"GET /\0", 400, "bad_request"),
    "chunk of 5,000 digits": (CHUNKED + b"f" * 5000 + b"\r\na", 413, "payload_too_large"),
    "chunk of 10 MiB": (CHUNKED + b"a00000\r\n", 413, "payload_too_large"),
}


@pytest.mark.parametrize(("sent", "status", "code"), UNENDED.values(), ids=UNENDED)
def test_an_invalid_start_of_a_request_is_refused_before_its_end(
    shared_server, sent, status, code
):
    received, cost = exchange(shared_server, sent)
    assert_problem(wire.parse(received), status, code)
    assert cost < HEADER_MS


def exchange(server, request):
    """What the server says until it closes, and what it spent on that in milliseconds of CPU."""
    before = process.cpu_ms(server.process.pid)
    with wire.connect(server.url) as connection:
        with suppress(ConnectionError):  # it may stop reading what is too large
            connection.sendall(request)
        received = wire.read_all(connection)
    return received, process.cpu_ms(server.process.pid) - before


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_request_is_refused_fast_in_the_one_shape(shared_server, sent, status, code):
    received, cost = exchange(shared_server, sent + b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
    answer = wire.parse(received)
    assert_problem(answer, status, code)
    assert answer.headers["Server"] is None
    assert answer.headers.get_all("Date") == [answer.headers["Date"]]
    assert answer.headers["Connection"] == "close"
    body = sent in (REFUSED["tiny chunks"][0],)  # 64 KiB of framing, read chunk by chunk
    assert cost < (10 * HEADER_MS if body else HEADER_MS)


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_of_head_has_no_body(shared_server, sent, status, code):
    if not re.match(rb"[A-Z]+ ", sent):
        pytest.skip("has no method")
    received, _ = exchange(shared_server, re.sub(rb"^[A-Z]+", b"HEAD", sent))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert body == b""


ACCEPTED = {
    "empty lines before": b"\r\n\r\n\r\n" + GET + b"\r\n",
    "URL in the target": line(b"GET http://localhost/health HTTP/1.1"),
    "scheme in capitals": line(b"GET HTTP://localhost:80/health HTTP/1.1"),
    "URL without a path": line(b"GET http://localhost HTTP/1.1"),
    "URL with a query only": line(b"GET http://localhost?kiosk=1 HTTP/1.1"),
    "HTTP/1.0 without a Host": b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "letters of other languages": with_header("X: Tür 門".encode()),
    "empty header": with_header(b"X:"),
    "many blanks": with_header(b"X:" + b" " * 8000 + b"y"),
    "tabs": with_header(b"X:\ty\tz\t"),
    "name with an underscore": with_header(b"Content_Length: 5"),
    "longest header": with_header(b"X: " + b"y" * LINE_BYTES),
    "most headers": with_header(b"\r\n".join([b"X: y"] * (HEADER_LINES - 2))),
    "unknown coding of the connection": with_header(b"Connection: TE, Upgrade\r\nUpgrade: h2c"),
}


@pytest.mark.parametrize("sent", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_request_is_answered(shared_server, sent):
    request = sent.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    if b"Connection: TE" in sent:
        request = sent + GET + b"Connection: close\r\n\r\n"
    received, cost = exchange(shared_server, request)
    assert received.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))
    assert cost < HEADER_MS


# Values that a parser of the app once took long for, with what comes before and how often.
VALUES = [
    "a/b;q=1,",
    "*/*,",
    ",",
    ";",
    "1-,",
    'a="b",',
    'W/"a",',
    "a=b;",
    '\\"',
    "[",
    "a*=utf-8''x;",
]
PARSED = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cookie",
    "Content-Type",
]
PARSED += ["If-Match", "If-None-Match", "If-Modified-Since", "If-Range", "Origin", "Range", "Host"]


@pytest.fixture(scope="module")
def paths(shared_server):
    """A page, a list, and a camera whose snapshot is a placeholder."""
    made = requests.post(shared_server.url + "/api/cameras", data=BODY, headers=JSON)
    return ["/", "/api/cameras", made.headers["Location"] + "/snapshot?placeholder=1"]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("name", PARSED)
def test_no_header_makes_the_app_work_for_long(shared_server, paths, name):
    for value in VALUES:
        text = f"{name}: {(value * LINE_BYTES)[:LINE_BYTES]}\r\n"
        host = "" if name == "Host" else "Host: localhost\r\n"
        for path in paths:
            request = f"GET {path} HTTP/1.1\r\n{host}{text}Connection: close\r\n\r\n".encode()
            exchange(shared_server, request)
            costs = [exchange(shared_server, request)[1]]
            if costs[0] >= HEADER_MS:
                costs += [exchange(shared_server, request)[1] for _ in range(5)]
            assert min(costs) < HEADER_MS, (name, value, path)


@pytest.mark.slow
def test_a_header_that_comes_byte_by_byte_costs_little(shared_server):
    with wire.connect(shared_server.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before = process.cpu_ms(shared_server.process.pid)
        with suppress(ConnectionError):
            for _ in range(HEADER_BYTES):
                connection.sendall(b"G")
                time.sleep(0.0001)
    assert process.cpu_ms(shared_server.process.pid) - before < 2 * HEADER_MS


@pytest.mark.parametrize("size", [300, pytest.param(1500, marks=pytest.mark.slow)])
def test_a_header_that_comes_byte_by_byte_is_answered(shared_server, size):
    padding = b"X-Padding: " + b"x" * size
    with wire.connect(shared_server.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET + padding + b"\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        assert statuses(wire.read_all(connection)) == [200]


def statuses(received):
    return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d+) ", received)]


def test_a_refusal_ends_the_connection_after_the_answers_before_it(shared_server):
    received, _ = exchange(shared_server, GET + b"\r\n" + with_header(b"X y: z") + GET + b"\r\n")
    assert statuses(received) == [200, 400]


@pytest.mark.parametrize("options", [b"close", b"TE, close", b"Close", b"keep-alive, CLOSE ,TE"])
def test_close_among_the_options_of_a_connection_closes_it(shared_server, options):
    request = GET + b"Connection: %b\r\n\r\n" % options + GET + b"\r\n"
    received, _ = exchange(shared_server, request)
    assert statuses(received) == [200]
    assert b"Connection: close\r\n" in received


def test_an_old_client_keeps_its_connection_if_it_asks_for_that(shared_server):
    old = b"GET /health HTTP/1.0\r\n" + HOST
    kept = old + b"Connection: TE, Keep-Alive\r\n\r\n"
    received, _ = exchange(shared_server, kept + kept + old + b"\r\n" + kept)
    assert statuses(received) == [200, 200, 200]
    assert received.count(b"Connection: Keep-Alive\r\n") == 2


EXPECT = b"Expect: 100-continue\r\n"
LAST = GET + b"Connection: close\r\n\r\n"


def post_expecting(length):
    return POST + EXPECT + b"Content-Length: %d\r\n\r\n" % length


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_expect_continue_without_a_body_is_answered_at_once(shared_server, length):
    began = time.monotonic()
    received, _ = exchange(shared_server, GET + EXPECT + length + b"\r\n" + LAST)
    assert statuses(received) == [200, 200]
    assert time.monotonic() - began < PROMPT_SECONDS


@pytest.mark.parametrize("length", [MIB + 1, MIB + FRAMING_BYTES, 10**9, 10**17])
def test_expect_continue_with_too_large_a_body_is_refused_at_once(shared_server, length):
    began = time.monotonic()
    received, _ = exchange(shared_server, post_expecting(length))
    assert statuses(received) == [413]
    assert time.monotonic() - began < PROMPT_SECONDS


@pytest.mark.parametrize("before", [b"", GET + b"\r\n"], ids=["alone", "behind another"])
def test_expect_continue_is_granted_and_the_next_request_is_untouched(server, before):
    with wire.connect(server.url) as connection:
        connection.sendall(before + post_expecting(len(BODY)))
        received = b""
        while b"100 Continue\r\n\r\n" not in received:
            received += connection.recv(65536)
        connection.sendall(BODY + LAST)
        received += wire.read_all(connection)
    assert statuses(received) == [*([200] if before else []), 100, 201, 200]


def test_a_body_that_is_sent_without_waiting_is_accepted(server):
    received, _ = exchange(server, post_expecting(len(BODY)) + BODY + LAST)
    assert statuses(received)[-2:] == [201, 200]


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nX: y\r\n\r\n"])
def test_extensions_and_trailers_of_chunks_are_skipped(server, end):
    chunk = b'%x;name="a \\" b"\r\n%b\r\n' % (len(BODY), BODY)
    received, _ = exchange(server, CHUNKED + chunk + end + LAST)
    assert statuses(received) == [201, 200]


def test_head_has_no_body_and_the_header_of_get(server):
    put(server.base / "front" / "a.jpg", picture())
    made = requests.post(server.url + "/api/cameras", data=BODY, headers=JSON)
    location = made.headers["Location"]
    for path in ("/", location, location + "/snapshot", "/nosuch", "/api/events/export"):
        request = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        head, _, body = exchange(server, request)[0].partition(b"\r\n\r\n")
        whole = exchange(server, b"GET" + request.removeprefix(b"HEAD"))[0]
        assert body == b"", path
        assert without_moment(head) == without_moment(whole.partition(b"\r\n\r\n")[0])


def without_moment(head):
    return re.sub(rb"(Date|X-Snapshot-Age): [^\r]*", b"", head)


def test_every_answer_has_one_date(server):
    put(server.base / "front" / "a.jpg", picture())
    location = requests.post(server.url + "/api/cameras", data=BODY, headers=JSON).headers[
        "Location"
    ]
    etag = requests.get(f"{server.url}{location}/snapshot").headers["ETag"]
    for start, more in (
        (f"GET {location}", ""),
        (f"GET {location}/snapshot", ""),
        (f"GET {location}/snapshot", f"If-None-Match: {etag}\r\n"),
        ("GET /api/events/export", ""),
        ("GET /nosuch", ""),
        ("GET /static/wall.js", ""),
        ("OPTIONS *", ""),
        (f"DELETE {location}", ""),
    ):
        request = f"{start} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n"
        received, _ = exchange(server, request.encode())
        assert len(re.findall(rb"(?im)^Date:", received.partition(b"\r\n\r\n")[0])) == 1, start


def break_off(server, sent):
    """Send this and reset the connection."""
    with wire.connect(server.url) as connection:
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_one_client_cannot_fill_the_log(server):
    put(server.base / "front" / "a.jpg", picture().ljust(4 * MIB, b"\0"))
    made = requests.post(server.url + "/api/cameras", data=BODY, headers=JSON)
    snapshot = f"GET {made.headers['Location']}/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(50):
        for sent in (*BAD.values(), snapshot.encode(), snapshot.encode() * 20, CHUNKED, POST):
            break_off(server, sent)
    assert requests.get(server.url + "/health").status_code == 200
    assert server.log().count("\n") < 100


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server whose clients may stand still for a second."""
    with ForkedServer(tmp_path_factory.mktemp("hasty"), NVR_CLIENT_SECONDS="1") as server:
        yield server


@pytest.mark.slow
def test_a_client_that_takes_10_kb_a_second_gets_its_picture(hasty):
    data = picture().ljust(MIB, b"\0")
    put(hasty.base / "slow" / "a.jpg", data)
    body = BODY.replace(b"front", b"slow")
    location = requests.post(hasty.url + "/api/cameras", data=body, headers=JSON).headers[
        "Location"
    ]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(hasty.url.rpartition(":")[2])))
        connection.sendall(b"GET %b/snapshot HTTP/1.1\r\n" % location.encode() + HOST)
        connection.sendall(b"Connection: close\r\n\r\n")
        received, until = b"", time.monotonic() + 6
        while time.monotonic() < until:
            received += connection.recv(500)
            time.sleep(0.05)
        assert len(received) < MIB // 4
        received += wire.read_all(connection)
    assert received.endswith(data)


def test_a_client_that_stops_taking_its_picture_is_cut_off(hasty):
    put(hasty.base / "still" / "a.jpg", picture().ljust(4 * MIB, b"\0"))
    body = BODY.replace(b"front", b"still")
    location = requests.post(hasty.url + "/api/cameras", data=body, headers=JSON).headers[
        "Location"
    ]
    with wire.connect(hasty.url) as connection:
        connection.sendall(f"GET {location}/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = connection.recv(1000)
        time.sleep(4)
        with suppress(ConnectionError):
            received += wire.read_all(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert len(received) < 4 * MIB


def test_a_body_of_10_kb_a_second_is_taken(hasty):
    body = BODY.ljust(40_000)
    with wire.connect(hasty.url) as connection:
        connection.sendall(POST + b"Connection: close\r\nContent-Length: 40000\r\n\r\n")
        for start in range(0, len(body), 500):
            connection.sendall(body[start : start + 500])
            time.sleep(0.05)
        assert statuses(wire.read_all(connection)) == [201]

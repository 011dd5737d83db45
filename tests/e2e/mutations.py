"""How are invalid requests made? Valid ones with random changes to their bytes."""

import json
import random
import re

CAMERA = {"name": "Mutant", "folder_path": "front"}
# A rule of what never happens here.
RULE = {"name": "Mutant", "url": "http://127.0.0.1:9/", "kinds": ["storage_low"], "cameras": []}
BODIES = {
    ("post", "/api/cameras"): CAMERA,
    ("patch", "/api/cameras/{camera_id}"): {"name": "Mutant", "status": "offline"},
    ("patch", "/api/cameras/{camera_id}/settings"): {"group": "Mutant", "position": 5},
    ("patch", "/api/settings"): {"wall_title": "Mutant", "keep_days": 5},
    ("post", "/api/detections"): {"object_type": "person", "confidence": 0.5},
    ("post", "/api/events"): {"started_at": "2025-12-23T12:00:00Z", "risk_score": 50},
    ("post", "/api/notifications"): RULE,
    ("patch", "/api/notifications/{notification_id}"): {"enabled": False, "cooldown_seconds": 5},
    ("patch", "/api/events/{event_id}"): {"reviewed": True, "notes": "Mutant"},
}
HEADERS = {
    "part": b"Range: bytes=100-\r\n",
    "beyond": b"Range: bytes=999999999-\r\n",
    "known": b"If-None-Match: *\r\n",
    "any": b"Accept: */*\r\nUser-Agent: mutant/1.0\r\n",
}
PICTURES = ("part", "beyond", "known")
IMAGES = ("/snapshot", "/image", "/{picture_id}")
# What sends a message to somebody else.
SENDING = ("/api/notifications/{notification_id}/test",)
QUERIES = {
    "/api/cameras": "?status=online",
    "/api/cameras/{camera_id}/snapshot": "?max_age=99999&disposition=inline",
    "/api/cameras/{camera_id}/pictures": "?kind=picture&order=oldest&around=2025-01-01T00:00:00Z",
    "/api/cameras/{camera_id}/pictures/{picture_id}": "?width=16&disposition=inline&thumbnail=1",
    "/api/cameras/{camera_id}/timeline": "?start_date=2025-01-01T00:00:00Z"
    "&end_date=2025-01-02T00:00:00Z&bucket=1h&timezone=Europe/Vienna",
    "/api/cameras/{camera_id}/moments": "?limit=10&start_date=2025-01-01T00:00:00Z",
    "/api/events/{event_id}/pictures": "?limit=10&count=false",
    "/api/detections": "?limit=10&min_confidence=0.1&start_date=2025-01-01T00:00:00Z&count=false",
    "/api/events": "?limit=10&risk_level=medium&reviewed=true&end_date=2030-01-01T00:00:00Z",
    "/api/deliveries": "?limit=10&state=waiting&notification_id=1",
    "/api/audit": "?limit=10&action=camera_created&actor=anonymous",
}
INSERTED = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b'"', b"?", b"&", b"=", b"#"),
    *(b"%00", b"%", b"%2", b"%zz", b"%2e%2e%2f", b"%ff%fe", b"%ed%a0%80", b"%F0%9F%98%80", b"//"),
    *(b"\xff", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\\ud800", b"\\u0000", b"{", b"[", b"null"),
    *(b"9" * 40, b"-1", b"1e999", b"0x10", b"NaN", b"1" * 5000, b"[" * 3000, b"A" * 70_000),
)
LINES = (
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Content-Length: 5"),
    *(b"Content-Length: 99999999999999999999", b"Content-Length: -1", b"Content-Encoding: gzip"),
    *(b"Expect: 100-continue", b"Connection: close", b"Connection: keep-alive", b"Host: a, b"),
    *(
        b"Range: bytes=5-1,-",
        b"Range: bytes=999999999-",
        b"Range: bytes=-99999999999999999999",
        b"If-Match: *",
        b"If-Match: x",
    ),
    *(
        b"If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT",
        b"Authorization: Basic \xff",
        b"Cookie: =",
    ),
    *(
        b"Content-Type: text/plain",
        b"Content-Type: application/json; charset=utf-16",
        b"X-\xff: 1",
    ),
    *(
        b"X-Forwarded-For: \xff, 1",
        b"Forwarded: for=\x01",
        b"Authorization: Bearer nobody",
        b" folded",
    ),
)
METHODS = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"get",
    b"X" * 99,
)
VERSIONS = (
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/9999999999.1",
    b"http/1.1",
    b"",
)


def valid_requests(description: dict, ids: dict[str, str]) -> list[bytes]:
    """A valid request for every operation of the OpenAPI ``description`` that deletes nothing.

    ``ids``: a parameter of a path → what stands there; elsewhere 1.
    """
    made = []
    for path, item in description["paths"].items():
        filled = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "1"), path)
        for method in item:
            if method in ("get", "post", "patch") and path not in SENDING:
                body = BODIES.get((method, path))
                if path in ("/api/detections", "/api/events") and body:
                    body = {"camera_id": ids["camera_id"], **body}
                query = QUERIES.get(path, "") if method == "get" else ""
                kinds = PICTURES if path.endswith(IMAGES) else ("any",)
                made += [_request(kind, method, filled + query, body) for kind in kinds]
    return made


def _request(kind: str, method: str, path: str, body: object) -> bytes:
    head = f"{method.upper()} {path} HTTP/1.1\r\nHost: localhost\r\n".encode() + HEADERS[kind]
    if body is None:
        return head + b"\r\n"
    content = json.dumps(body).encode()
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
    return head + content


def _flip(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    sent[chance.randrange(len(sent))] = chance.randrange(256)


def _insert(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    at = chance.randrange(len(sent))
    sent[at:at] = chance.choice(INSERTED)


def _insert_in_first_line(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    at = chance.randrange(max(1, sent.find(b"\r\n")))
    sent[at:at] = chance.choice(INSERTED)


def _delete(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    at = chance.randrange(len(sent))
    del sent[at : at + chance.randrange(1, 20)]


def _repeat(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    at = chance.randrange(len(sent))
    sent[at:at] = sent[at : at + chance.randrange(1, 60)] * chance.randrange(1, 40)


def _add_line(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    at = sent.find(b"\r\n") + 2
    sent[at:at] = chance.choice(LINES) + b"\r\n"


def _number(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    numbers = list(re.finditer(rb"\d+", sent))
    if numbers:
        one = chance.choice(numbers)
        sent[one.start() : one.end()] = chance.choice(
            (b"9" * 30, b"-1", b"0", b"1e400", b"", b"\xb2")
        )


def _method(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    sent[: sent.find(b" ")] = chance.choice(METHODS)


def _version(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    end = sent.find(b"\r\n")
    sent[sent.rfind(b" ", 0, end) + 1 : end] = chance.choice(VERSIONS)


def _pipeline(chance: random.Random, sent: bytearray, others: list[bytes]) -> None:
    sent += chance.choice(others) * chance.randrange(1, 4)


def _splice(chance: random.Random, sent: bytearray, others: list[bytes]) -> None:
    other = chance.choice(others)
    sent[chance.randrange(len(sent)) :] = other[chance.randrange(len(other)) :]


def _chunk(chance: random.Random, sent: bytearray, _: list[bytes]) -> None:
    head, _, body = bytes(sent).partition(b"\r\n\r\n")
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    size = chance.choice((b"%x" % len(body), b"%X;a=b" % len(body), b"-1", b"0x5", b"f" * 20, b""))
    sent[:] = head + b"\r\n\r\n" + size + b"\r\n" + body + b"\r\n0\r\n\r\n"


WAYS = (_flip, _insert, _insert_in_first_line, _delete, _repeat, _add_line, _number)
WAYS += (_method, _version, _pipeline, _splice, _chunk)


def mutate(chance: random.Random, requests: list[bytes]) -> bytes:
    """One of ``requests`` with one to four random changes."""
    sent = bytearray(chance.choice(requests))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if sent:
            chance.choice(WAYS)(chance, sent, requests)
    return bytes(sent)

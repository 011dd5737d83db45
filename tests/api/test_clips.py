"""A clip over HTTP: ranges, conditions, headers, and what happens when its file changes."""

import os
import time

import pytest

from app.storage import clips
from app.storage.clips import ClipChanged
from tests import clips as view
from tests.pictures import put
from tests.problems import assert_problem

WHEN = 1_766_491_200  # 2025-12-23T12:00:00Z
DATA = bytes(range(256)) * 4096  # 1 MiB, several pieces


@pytest.fixture
def clip(app, base):
    """The file of a clip, which `/clips/a.mp4` sends."""
    view.init_app(app)
    path = put(base / "a.mp4", DATA, now=WHEN)
    time.sleep(clips.TICK_NS / 1e9)
    return path


@pytest.fixture
def ask(client, clip):
    """Asks for the clip."""

    def ask(method="GET", name=clip.name, **headers):
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        return client.open(f"/clips/{name}", method=method, headers=fields, buffered=True)

    return ask


def test_the_clip_arrives_with_every_header(clip, ask):
    answer = ask()
    status = clip.stat()
    assert (answer.status_code, answer.data) == (200, DATA)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.mp4"'
    assert answer.headers["Last-Modified"] == "Tue, 23 Dec 2025 12:00:00 GMT"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    facts = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    assert answer.headers["ETag"] == '"' + "-".join(f"{fact:x}" for fact in facts) + '"'


@pytest.mark.parametrize(
    ("suffix", "content_type"),
    [
        *(("mp4", "video/mp4"), ("MKV", "video/x-matroska"), ("avi", "video/x-msvideo")),
        *(("mov", "video/quicktime"), ("webm", "video/webm"), ("ts", "video/mp2t")),
    ],
)
def test_the_content_type_is_that_of_the_suffix(clip, ask, suffix, content_type):
    clip.rename(clip.with_suffix(f".{suffix}"))
    answer = ask("HEAD", f"a.{suffix}")
    assert answer.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("given", "start", "stop"),
    [
        *(("bytes=0-0", 0, 1), ("bytes=5-", 5, None), ("bytes=-10", -10, None)),
        *(("bytes=131000-140000", 131000, 140001), ("bytes=0-99999999", 0, None)),
        ("bytes=-99999999", 0, None),
    ],
)
def test_a_range_is_sent_and_nothing_else(ask, given, start, stop):
    answer = ask(Range=given)
    expected = DATA[start:stop]
    assert (answer.status_code, answer.data) == (206, expected)
    first = len(DATA) + start if start < 0 else start
    last = first + len(expected) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(len(expected))


def test_a_range_beyond_the_end_is_refused(ask):
    answer = ask(Range=f"bytes={len(DATA)}-")
    assert_problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("given", ["bytes=1-2,4-5", "lines=1-2", "bytes=x", "bytes=9-2"])
def test_anything_but_a_single_range_is_ignored(ask, given):
    assert (ask(Range=given).status_code, ask(Range=given).data) == (200, DATA)


def test_a_range_of_another_version_of_the_clip_is_not_sent(clip, ask):
    tag = ask("HEAD").headers["ETag"]
    assert ask(Range="bytes=0-9", If_Range=tag).status_code == 206
    os.utime(clip, (WHEN + 1, WHEN + 1))
    answer = ask(Range="bytes=0-9", If_Range=tag)
    assert (answer.status_code, answer.data) == (200, DATA)


def test_head_equals_get_without_the_body(ask):
    got, head = ask(), ask("HEAD", Range="bytes=0-9")
    assert (head.status_code, head.data, head.headers) == (200, b"", got.headers)


def test_a_clip_that_the_client_has_is_not_sent_again(ask):
    tag = ask("HEAD").headers["ETag"]
    for given in ({"If_None_Match": tag}, {"If_Modified_Since": "Tue, 23 Dec 2025 12:00:00 GMT"}):
        answer = ask(**given)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
    assert_problem(ask(If_Match='"other"'), 412, "precondition_failed")


def rewrite(clip):
    clip.write_bytes(DATA[::-1])


def cut_short(clip):
    os.truncate(clip, 1000)


def delete(clip):
    clip.unlink()


def replace(clip):
    put(clip.with_name("new.mp4"), DATA[::-1], now=WHEN)
    clip.with_name("new.mp4").rename(clip)


@pytest.mark.parametrize("change", [rewrite, cut_short, delete, replace])
def test_no_byte_is_sent_after_the_file_has_changed(client, clip, change):
    with client.get("/clips/a.mp4", buffered=False) as answer:
        pieces = answer.iter_encoded()
        received = next(pieces)
        change(clip)
        with pytest.raises(ClipChanged):
            list(pieces)
        assert DATA.startswith(received)


def test_a_rewrite_within_one_tick_of_the_clock_is_noticed(client, clip):
    for _ in range(5):
        clip.write_bytes(DATA)
        with client.get("/clips/a.mp4", buffered=False) as answer:
            rewrite(clip)
            with pytest.raises(ClipChanged):
                list(answer.iter_encoded())

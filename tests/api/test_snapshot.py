"""Does the snapshot leave with the right bytes, headers and conditions?"""

import errno
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.http import http_date, parse_options_header

from app.api.pictures import content_disposition
from app.storage import checks, safe_open, snapshots
from tests.pictures import FORMATS, etag_of, picture, put
from tests.problems import assert_problem
from tests.watched import fail

DATA = picture()
MEDIA = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}
YEAR = 365 * 24 * 3600


@pytest.fixture
def shown(base, camera):
    """The one picture of the camera, ten minutes old."""
    return put(base / "front" / "image_name.jpg", DATA, 600)


@pytest.fixture
def url(camera):
    return f"/api/cameras/{camera['id']}/snapshot"


@pytest.fixture
def get(client, url):
    """Asks for the snapshot with these headers."""

    def ask(query="", method="GET", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(url + query, method=method, headers=named)

    return ask


@pytest.fixture
def unread(monkeypatch):
    """To read the picture's bytes is a failure."""

    def forbidden(*_):
        raise AssertionError("the file is read")

    monkeypatch.setattr(snapshots, "read_up_to", forbidden)


def point(client, camera, folder):
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": str(folder)})


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_newest_picture_comes_with_the_documented_headers(base, camera, get, suffix):
    data = picture(suffix)
    path = put(base / "front" / f"image_name{suffix}", data, 600)
    answer = get()
    assert (answer.status_code, answer.data) == (200, data)
    headers = dict(answer.headers)
    assert 600 <= int(headers.pop("X-Snapshot-Age")) < 660
    headers.pop("Date", None)
    assert headers == {
        "Content-Type": MEDIA[suffix],
        "Content-Disposition": f'attachment; filename="image_name{suffix}"',
        "Content-Length": str(len(data)),
        "Last-Modified": http_date(int(path.stat().st_mtime)),
        "ETag": f'"{etag_of(path)}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def test_head_is_get_without_the_body(shown, get):
    whole, head = get(), get(method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


def test_a_folder_outside_the_base_is_403_whether_it_exists_or_not(
    client, camera, get, base, tmp_path
):
    (tmp_path / "outside").mkdir()
    (base / "out").symlink_to(tmp_path / "outside")
    (base / "in").symlink_to("front")
    for folder in (
        *("/etc", "/nowhere", "..", "../outside", "../missing", "/", f"{tmp_path}/outside"),
        *("out", "out/", "out/missing", "in", f"{base}/in", f"{base}2", "front/../../x"),
        f"/proc/self/root{base}/front",
    ):
        point(client, camera, folder)
        assert_problem(get(), 403, "folder_outside_base")


def test_a_missing_folder_and_an_empty_one_are_told_apart(client, camera, get, base):
    put(base / "file", b"x")
    for folder in ("missing", "missing/deeper", "file", "file/x", "front/" + "x" * 300):
        point(client, camera, folder)
        assert_problem(get(), 404, "folder_not_found")
    point(client, camera, "front")
    assert_problem(get(), 404, "no_snapshot")


@pytest.mark.parametrize("folder", ["front", "front/", "./front", "{base}/front", "", "."])
def test_a_folder_path_may_be_absolute_or_relative(client, camera, get, base, shown, folder):
    point(client, camera, folder.replace("{base}", str(base)) or str(base))
    assert get().data == DATA


def test_a_folder_with_nothing_to_serve_is_no_snapshot(get, base, tmp_path, camera):
    front = base / "front"
    put(tmp_path / "secret.jpg", DATA)
    put(front / "empty.jpg", b"", age=60)
    put(front / ".upload.jpg", DATA)
    put(front / ".ftp" / "a.jpg", DATA)
    put(front / "readme.txt", DATA)
    (front / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    os.mkfifo(front / "fifo.jpg")
    assert_problem(get(), 404, "no_snapshot")


@pytest.mark.parametrize(
    "environ_change", [{"NVR_MAX_PICTURE_BYTES": str(len(DATA))}], ids=["cap"]
)
def test_the_largest_size_of_a_picture_is_the_configured_one(environ, environ_change, request):
    environ |= environ_change
    get, base, camera = (request.getfixturevalue(name) for name in ("get", "base", "camera"))
    assert camera
    put(base / "front" / "larger.jpg", DATA + b"\xff\xd9", 10)
    assert_problem(get(), 404, "no_snapshot")
    put(base / "front" / "just.jpg", DATA, 20)
    assert get().data == DATA


def test_a_page_named_as_a_picture_can_run_nothing(get, base, camera):
    put(base / "front" / "a.jpg", b"<script>alert(1)</script>")
    answer = get("?disposition=inline")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_each_change_shows_in_the_very_next_request(get, base, shown):
    seen = [get()]
    seen.append(get() if put(shown, picture(shade=9), 600) else None)
    put(base / "front" / ".part", picture(shade=8), 500).rename(base / "front" / "b.jpg")
    seen.append(get())
    put(base / "front" / "2025" / "12" / "c.jpg", picture(shade=7), 400)
    seen.append(get())
    (base / "front" / "2025" / "12" / "c.jpg").unlink()
    seen.append(get())
    assert [answer.data for answer in seen] == [
        *(DATA, picture(shade=9), picture(shade=8), picture(shade=7), picture(shade=8)),
    ]
    tags = [answer.headers["ETag"] for answer in seen]
    assert len(set(tags)) == 4
    assert tags[2] == tags[4]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "template",
    ["{0}", "W/{0}", "*", '"a", {0}, "b"', 'W/"a",W/{0}', '"a" , \t{0}'],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_tag_that_the_client_has_is_304_without_reading_the_file(shown, get, template, method):
    tag = tag_of(shown)
    answer = get(method=method, If_None_Match=template.format(tag), Range="bytes=0-1")
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("value", ['"a"', 'W/"a"', '"a", "b"', '""', "{bare}x", "garbage", ""])
def test_another_tag_gets_the_picture_whatever_the_date_says(shown, get, value):
    value = value.replace("{bare}", tag_of(shown).strip('"'))
    answer = get(If_None_Match=value)
    assert (answer.status_code, answer.data) == (200, DATA)
    if value.startswith(('"a"', "W/")):
        later = http_date(datetime.now(UTC))
        assert get(If_None_Match=value, If_Modified_Since=later).status_code == 200


@pytest.mark.usefixtures("unread")
def test_a_date_that_the_client_has_is_304_without_reading_the_file(shown, get):
    same = http_date(int(shown.stat().st_mtime))
    answer = get(If_Modified_Since=same)
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == tag_of(shown)


@pytest.mark.parametrize("value", ["garbage", "", "0", "Tue, 32 Dec 2025 10:00:00 GMT"])
def test_an_earlier_or_garbled_date_gets_the_picture(shown, get, value):
    assert get(If_Modified_Since=value).data == DATA
    earlier = http_date(int(shown.stat().st_mtime) - 1)
    assert get(If_Modified_Since=earlier).data == DATA


def test_a_deleted_picture_is_not_kept_alive_by_its_date(shown, get, base):
    newer = put(base / "front" / "newer.jpg", picture(shade=9), 300)
    date = get().headers["Last-Modified"]
    newer.unlink()
    assert get(If_Modified_Since=date).data == DATA


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("value", ['"a"', 'W/"a"', '"a", "b"', "W/{0}"])
def test_an_if_match_of_another_picture_is_412(shown, get, value):
    value = value.format(tag_of(shown))
    assert_problem(get(If_Match=value), 412, "precondition_failed")
    assert_problem(get(If_Match=value, If_None_Match="*"), 412, "precondition_failed")


@pytest.mark.parametrize("template", ["{0}", "*", '"a", {0}'])
def test_an_if_match_of_the_picture_gets_it(shown, get, template):
    wanted = template.format(tag_of(shown))
    assert get(If_Match=wanted).data == DATA
    assert get(If_Match=wanted, Range="bytes=0-1").data == DATA[:2]
    assert get(If_Match=wanted, If_None_Match=tag_of(shown)).status_code == 304
    assert get(If_Match=wanted, Range="bytes=0-1", If_Range='"a"').data == DATA


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=5-", 5, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
        (f"bytes=-{len(DATA)}", 0, len(DATA)),
        (f"bytes=-{len(DATA) + 1}", 0, len(DATA)),
        (f"bytes=0-{len(DATA) * 2}", 0, len(DATA)),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
        ("Bytes=0-0", 0, 1),
    ],
)
def test_a_range_is_206(shown, get, wanted, start, stop):
    answer = get(Range=wanted)
    assert answer.status_code == 206
    assert answer.data == DATA[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == tag_of(shown)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("wanted", ["bytes=0-0", f"bytes={len(DATA)}-"])
def test_head_ignores_a_range(shown, get, wanted):
    answer = get(method="HEAD", Range=wanted)
    assert answer.status_code == 200
    assert "Content-Range" not in answer.headers
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.data == b""


@pytest.mark.parametrize("wanted", [f"bytes={len(DATA)}-", "bytes=99999999-999999999"])
def test_a_range_beyond_the_end_is_416_with_the_length(shown, get, wanted):
    answer = get(Range=wanted)
    assert_problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_anything_but_one_range_of_bytes_is_ignored(shown, get, subtests):
    for wanted in (
        *("bytes=0-1,5-6", "bytes=0-1, -5", "pages=0-1", "bytes=5-2", "bytes=a-b", "bytes=", "x"),
        *("bytes", "bytes=--5", "bytes=0-1;", "bytes 0-1", "=0-1", "bytes=-", ""),
        *("bytes=0-1," * 100 + "2-3", "bytes=" + "9" * 1000 + "-x", "bytes=1_0-20"),
        *("bytes=+1-2", "bytes=\xb2-3"),
    ):
        with subtests.test(wanted=wanted[:20]):
            answer = get(Range=wanted)
            assert (answer.status_code, answer.data) == (200, DATA)
            assert "Content-Range" not in answer.headers


def test_a_range_of_the_picture_that_the_client_has_is_206(shown, get):
    date = http_date(int(shown.stat().st_mtime))
    for same in (tag_of(shown), date):
        answer = get(Range="bytes=0-1", If_Range=same)
        assert (answer.status_code, answer.data) == (206, DATA[:2])


@pytest.mark.parametrize("shift", [-1, 1, 3600])
def test_a_range_of_another_picture_is_the_whole_picture(shown, get, shift):
    other_date = http_date(int(shown.stat().st_mtime) + shift)
    for other in ('"a"', f"W/{tag_of(shown)}", other_date, "garbage", '"a", ' + tag_of(shown)):
        answer = get(Range="bytes=0-1", If_Range=other)
        assert (answer.status_code, answer.data) == (200, DATA)
        assert "Content-Range" not in answer.headers


def test_the_disposition_is_the_requested_one(shown, get):
    for kind in ("inline", "attachment"):
        answer = get(f"?disposition={kind}")
        assert answer.headers["Content-Disposition"] == f'{kind}; filename="image_name.jpg"'


@pytest.mark.parametrize("query", ["disposition=x", "disposition=", "disposition=Inline"])
def test_another_disposition_is_422(shown, get, query):
    problem = assert_problem(get(f"?{query}"), 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["disposition"]


def test_an_older_picture_than_wanted_is_404_with_its_age(shown, get):
    for most in (0, 10, 599):
        problem = assert_problem(get(f"?max_age={most}"), 404, "snapshot_too_old")
        assert 600 <= problem["age"] < 660
    for most in (660, 10**17, 10**40):
        assert get(f"?max_age={most}").status_code == 200


@pytest.mark.parametrize(
    "value", ["-1", "1.5", "x", "", "1e3", "+1", "1_0", "%20", "%D9%A1", "0x10", "true", "1%00"]
)
def test_a_garbled_age_is_422(shown, get, value):
    problem = assert_problem(get(f"?max_age={value}"), 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["max_age"]


def test_an_older_picture_than_wanted_is_404_even_if_the_client_has_it(shown, get):
    answer = get("?max_age=10", If_None_Match="*")
    assert_problem(answer, 404, "snapshot_too_old")


@pytest.mark.parametrize("query", ["?_=1", "?t=1&t=2", "?status=x", "?", "?%ff=%ff", "?=", "?&&"])
def test_cache_busters_are_ignored(shown, get, query):
    assert get(query).data == DATA


@pytest.mark.parametrize("age", [-5, -60, -YEAR])
def test_an_age_is_never_negative(get, base, camera, age):
    put(base / "front" / "a.jpg", DATA, age)
    assert get().headers["X-Snapshot-Age"] == "0"
    assert get("?max_age=1").status_code == 200


@pytest.mark.parametrize("grown", [b"", b"\0" * 50], ids=["same length", "longer"])
@pytest.mark.parametrize("times", [1, 2, 99])
def test_body_length_and_tag_belong_together_while_the_file_changes(
    shown, get, monkeypatch, grown, times
):
    versions, read = {tag_of(shown): DATA}, snapshots.read_up_to

    def read_and_change(file, size):
        data = read(file, size)
        if len(versions) <= times:
            number = len(versions)
            shown.write_bytes(picture(shade=number) + grown * number)
            os.utime(shown, ns=(0, (10**9 + number) * 10**9))
            versions[tag_of(shown)] = shown.read_bytes()
        return data

    monkeypatch.setattr(snapshots, "read_up_to", read_and_change)
    answer = get()
    assert answer.status_code == 200
    assert answer.content_length == len(answer.data)
    assert versions[answer.headers["ETag"]] == answer.data
    if times < snapshots.READ_ATTEMPTS:
        assert answer.data == shown.read_bytes()


@pytest.mark.parametrize("seconds", [-(2**31), -1, 0, 2**31, 2**32, 2**34 - 2**31 - 1, 10**11])
def test_no_time_of_a_file_makes_the_service_fail(shown, get, seconds):
    for nanoseconds in (0, 1, 999_999_999):
        os.utime(shown, ns=(0, seconds * 10**9 + nanoseconds))
        answer = get()
        assert (answer.status_code, answer.data) == (200, DATA)
        assert int(answer.headers["X-Snapshot-Age"]) >= 0
        date = answer.headers["Last-Modified"]
        # What the file system took for the time, which need not be what it was given.
        status = shown.stat()
        shown_ns = min(status.st_mtime_ns, status.st_ctime_ns)
        assert parsedate_to_datetime(date).timestamp() == shown_ns // 10**9
        assert get(If_None_Match=answer.headers["ETag"]).status_code == 304
        assert get(If_Modified_Since=date).status_code == 304


@pytest.mark.parametrize("seconds", [-(10**11), -62135596801, 253402300800, 10**15])
def test_a_time_beyond_the_calendar_is_brought_back_into_it(shown, get, monkeypatch, seconds):
    fstat = os.fstat

    def far_away(file):
        status = list(fstat(file))
        extra = {"st_mtime_ns": seconds * 10**9 + 1, "st_ctime_ns": seconds * 10**9 + 1}
        return os.stat_result(status, extra)

    monkeypatch.setattr(os, "fstat", far_away)
    answer = get()
    assert answer.status_code == 200
    modified = parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
    assert (" Jan 0001 " in answer.headers["Last-Modified"]) == (seconds < 0)
    assert modified <= time.time()


@pytest.mark.parametrize(
    "name",
    [
        *("image_name.jpg", "2025-12-23 10.00.00.jpg", "a(1).JPG", "it's.png", "a;b=c,d.gif"),
        *("MDAlarm_20251223-100000.jpg", "a&b!#$+^`|~{}[]@.jpg"),
    ],
)
def test_a_simple_name_is_shown_exactly(base, get, camera, name):
    put(base / "front" / name, DATA)
    assert get().headers["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Tür.jpg", "filename=\"Tur.jpg\"; filename*=UTF-8''T%C3%BCr.jpg"),
        ("前門.jpg", "filename=\"__.jpg\"; filename*=UTF-8''%E5%89%8D%E9%96%80.jpg"),
        ("\U0001f4f7.jpg", "filename=\"_.jpg\"; filename*=UTF-8''%F0%9F%93%B7.jpg"),
        ('a"b.jpg', "filename=\"a_b.jpg\"; filename*=UTF-8''a%22b.jpg"),
        ("a\\b.jpg", "filename=\"a_b.jpg\"; filename*=UTF-8''a%5Cb.jpg"),
        ("50%.jpg", "filename=\"50_.jpg\"; filename*=UTF-8''50%25.jpg"),
        ("a\r\nSet-Cookie: x.jpg", 'filename="a__Set-Cookie: x.jpg"'),
        ("a\x1b[2J\x7f\x85.jpg", 'filename="a_[2J__.jpg"'),
        ("a\u202egpj.exe.jpg", 'filename="a_gpj.exe.jpg"'),
        ("a\u2028\u2029\u200f\ufeff.jpg", 'filename="a____.jpg"'),
        (os.fsdecode(b"a\xff\xfe.jpg"), 'filename="a__.jpg"'),
        ("a\uff0f\u2024\u2024\uff0fb.jpg", "filename=\"a_.._b.jpg\"; filename*=UTF-8''"
         "a%EF%BC%8F%E2%80%A4%E2%80%A4%EF%BC%8Fb.jpg"),
    ],
)  # fmt: skip
def test_a_hostile_name_is_made_harmless_and_the_picture_still_served(
    base, get, camera, name, value
):
    put(base / "front" / "a.jpg", DATA).rename(base / "front" / name)
    answer = get()
    assert (answer.status_code, answer.data) == (200, DATA)
    assert answer.headers["Content-Disposition"] == f"attachment; {value}"


@given(st.binary(min_size=1, max_size=255).map(os.fsdecode) | st.text(min_size=1, max_size=255))
@example('"; filename=evil.exe; x="')
@example("\uff02; filename*=UTF-8''evil.exe")
@example("a\u0338\u0345\u2100\ufdfa")
def test_every_name_makes_a_header_that_can_be_read(name):
    value = content_disposition("attachment", name)
    assert value.isascii()
    assert value.isprintable()
    kind, parameters = parse_options_header(value)
    assert kind == "attachment"
    assert set(parameters) == {"filename"}
    assert not re.search(r'["/\\%]', value.partition('filename="')[2].partition('"; f')[0][:-1])


@given(st.text(st.sampled_from("abcXYZ0189 -_.()[]{}!#$&'+,;=@^`~"), min_size=1, max_size=255))
def test_every_simple_name_is_shown_exactly(name):
    assert content_disposition("inline", name) == f'inline; filename="{name}"'


def tag_of(path):
    return f'"{etag_of(path)}"'


@pytest.fixture
def unreadable(monkeypatch):
    """Makes each file whose bytes are these fail as a disk or a lost server does."""

    def make(data, number):
        read = checks.read_up_to

        def failing(file, size):
            found = read(file, size)
            if found == data:
                raise OSError(number, os.strerror(number))
            return found

        monkeypatch.setattr(checks, "read_up_to", failing)

    return make


@pytest.mark.parametrize("number", safe_open.NOT_ANSWERING)
def test_a_file_that_the_disk_cannot_read_is_skipped(base, camera, get, unreadable, number):
    put(base / "front" / "old.jpg", picture(shade=1), 600)
    put(base / "front" / "new.jpg", picture(shade=2), 60)
    unreadable(picture(shade=2), number)
    assert get().data == picture(shade=1)
    os.remove(base / "front" / "old.jpg")
    assert_problem(get(), 404, "no_snapshot")


@pytest.mark.parametrize("number", safe_open.NOT_ANSWERING)
def test_a_file_whose_folder_fails_too_means_that_storage_does_not_answer(
    base, camera, get, unreadable, monkeypatch, number
):
    put(base / "front" / "old.jpg", picture(shade=1), 600)
    put(base / "front" / "new.jpg", picture(shade=2), 60)
    assert get().data == picture(shade=2)
    unreadable(picture(shade=2), number)
    monkeypatch.setattr(os, "scandir", fail(number))
    answer = get()
    assert_problem(answer, 503, "storage_not_answering")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("number", [errno.EUCLEAN, errno.EBADMSG, errno.EACCES])
def test_a_folder_that_a_damaged_disk_cannot_list_is_skipped_or_not_found(
    base, camera, get, monkeypatch, number
):
    put(base / "front" / "a.jpg", picture(shade=1), 600)
    put(base / "front" / "day" / "b.jpg", picture(shade=2), 60)
    scandir, broken = os.scandir, {f"{base}/front/day"}

    def list_unless_broken(folder):
        if os.readlink(f"/proc/self/fd/{folder}") in broken:
            raise OSError(number, os.strerror(number))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", list_unless_broken)
    assert get().data == picture(shade=1)
    broken.add(f"{base}/front")
    (base / "front").rename(base / "known")  # what is watched is not listed again
    (base / "front").mkdir()
    assert_problem(get(), 404, "folder_not_found")

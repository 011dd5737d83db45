"""Does a picture that was made smaller have its own headers, conditions and ranges?"""

import io

import pytest
from PIL import Image

from app.images import resize
from tests.pictures import etag_of, picture, put
from tests.posting import post_detection
from tests.problems import assert_problem

LARGE = picture(size=(640, 480))


@pytest.fixture
def shown(base, camera):
    """The one picture of the camera, ten minutes old."""
    return put(base / "front" / "image_name.jpg", LARGE, 600)


@pytest.fixture
def get(client, camera):
    """Asks for the snapshot with these headers."""

    def ask(query="?width=320", method="GET", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"/api/cameras/{camera['id']}/snapshot{query}"
        return client.open(url, method=method, headers=named)

    return ask


@pytest.fixture
def undecoded(monkeypatch):
    """Fails a test that decodes a picture."""

    def forbidden(*_):
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(resize, "resize", forbidden)


def tag_of(file, size):
    return f'"{etag_of(file)}-{size}"'


def size_of(answer):
    return Image.open(io.BytesIO(answer.data)).size


def test_a_smaller_picture_has_the_same_headers_as_the_picture_itself(shown, get):
    small, whole = get(), get("")
    assert (small.status_code, size_of(small)) == (200, (320, 240))
    assert small.content_length == len(small.data) < len(LARGE)
    differs = {"Content-Length", "ETag", "X-Snapshot-Age"}
    same = [[h for h in answer.headers if h[0] not in differs] for answer in (small, whole)]
    assert same[0] == same[1]
    assert small.headers["ETag"] == tag_of(shown, "320x0")
    assert 600 <= int(small.headers["X-Snapshot-Age"]) < 660


def test_each_size_has_its_own_etag(shown, get):
    for query, size, tag in (
        ("?width=64", (64, 48), "64x0"),
        ("?height=48", (64, 48), "0x48"),
        ("?width=640&height=48", (64, 48), "640x48"),
        ("?width=16", (16, 12), "16x0"),
        ("?width=2160", (640, 480), "2160x0"),
        ("?height=2160&width=2160", (640, 480), "2160x2160"),
    ):
        answer = get(query)
        assert size_of(answer) == size
        assert answer.headers["ETag"] == tag_of(shown, tag)


def test_a_picture_is_never_enlarged(shown, get):
    assert get("?width=640&height=480").data == LARGE


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_the_content_type_is_that_of_the_result(base, camera, get, suffix):
    data = picture(suffix, size=(64, 48))
    put(base / "front" / f"a{suffix}", data)
    small, fits = get("?width=32"), get("?width=64")
    assert small.headers["Content-Type"] == "image/png"
    assert small.headers["Content-Disposition"] == 'attachment; filename="a.png"'
    assert (fits.data, fits.headers["Content-Type"]) == (data, f"image/{suffix[1:]}")
    assert fits.headers["Content-Disposition"] == f'attachment; filename="a{suffix}"'


def test_head_is_get_without_the_body(shown, get):
    whole, head = get(), get(method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.usefixtures("undecoded")
def test_a_known_etag_is_answered_with_304_without_decoding(shown, get):
    tag = tag_of(shown, "320x0")
    for wanted in (tag, f"W/{tag}", "*", f'"a", {tag}'):
        answer = get(If_None_Match=wanted)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
        for unknown in ("Content-Length", "Content-Type"):
            assert unknown not in answer.headers


def test_the_etag_of_another_size_does_not_match(shown, get):
    for other in ("64x0", "0x320", "320x320"):
        assert get(If_None_Match=tag_of(shown, other)).status_code == 200
    assert get(If_None_Match=get("").headers["ETag"]).status_code == 200
    assert get("", If_None_Match=tag_of(shown, "320x0")).data == LARGE


def test_another_picture_has_another_etag(shown, get):
    first = get()
    put(shown, picture(shade=9, size=(640, 480)))
    second = get(If_None_Match=first.headers["ETag"])
    assert second.status_code == 200
    assert second.data != first.data


def test_a_range_is_cut_from_the_smaller_picture(shown, get):
    whole = get()
    part = get(Range="bytes=2-9", If_Range=whole.headers["ETag"])
    assert (part.status_code, part.data) == (206, whole.data[2:10])
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(whole.data)}"
    assert get(Range="bytes=2-9", If_Range=get("").headers["ETag"]).data == whole.data
    beyond = get(Range=f"bytes={len(whole.data)}-")
    assert_problem(beyond, 416, "range_not_satisfiable")


def test_max_age_and_disposition_also_hold_for_a_smaller_picture(shown, get):
    assert_problem(get("?width=320&max_age=10"), 404, "snapshot_too_old")
    inline = get("?width=320&disposition=inline")
    assert inline.headers["Content-Disposition"] == 'inline; filename="image_name.jpg"'


@pytest.mark.parametrize("name", ["width", "height"])
def test_a_size_out_of_range_is_422(shown, get, name):
    for value in ("15", "2161", "0", "-1", "x", "", "1.5", "9" * 50):
        problem = assert_problem(get(f"?{name}={value}"), 422, "validation_failed")
        assert list(problem["errors"]["query"]) == [name]


def test_a_picture_that_cannot_be_decoded_is_422_but_served_without_a_size(base, camera, get):
    put(base / "front" / "a.jpg", LARGE[:3000], 600)
    assert_problem(get(), 422, "picture_not_resizable")
    assert get("").data == LARGE[:3000]


def test_without_the_extra_the_problem_says_what_to_install(shown, get, monkeypatch):
    monkeypatch.setattr(resize, "Image", None)
    problem = assert_problem(get(), 501, "resizing_not_installed")
    assert "-m pip install -e '.[images]'" in problem["detail"]
    assert get("").data == LARGE


def test_the_picture_of_a_detection_is_made_smaller_too(client, camera, shown):
    detection = post_detection(client, camera, file_path=shown.name)
    answer = client.get(f"/api/detections/{detection['id']}/image?height=48")
    assert size_of(answer) == (64, 48)
    assert answer.headers["ETag"] == tag_of(shown, "0x48")

"""Is a placeholder sent where there is no picture, marked as one, with any name of a camera?"""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from app.images import placeholder
from app.images.placeholder import GLYPHS, Placeholder
from tests.pictures import picture, put
from tests.posting import post_detection
from tests.problems import assert_problem

SVG = {"Accept": "image/svg+xml"}
BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
HOSTILE = '</text><script>alert("1")</script>&\'\ufffe\u202e{{x}}'


@pytest.fixture
def get(client, camera):
    """Asks for the camera's snapshot, or the placeholder if there is none."""

    def ask(query="?placeholder=1", **options):
        return client.get(f"/api/cameras/{camera['id']}/snapshot{query}", **options)

    return ask


def words(answer):
    """The lines of text in an SVG placeholder."""
    return [text.text for text in ElementTree.fromstring(answer.data).findall(".//{*}text")]


def test_the_placeholder_is_a_marked_png_that_is_not_cached(get):
    answer = get()
    image = Image.open(io.BytesIO(answer.data))
    image.load()
    assert (image.format, image.size) == ("PNG", (640, 360))
    assert answer.status_code == 200
    tag = answer.headers["ETag"]
    assert tag.startswith('"placeholder-')
    headers = {name: value for name, value in answer.headers if name != "Date"}
    assert headers == {
        "Content-Type": "image/png",
        "Content-Length": str(len(answer.data)),
        "Content-Disposition": 'attachment; filename="placeholder.png"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Snapshot-Placeholder": "true",
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "ETag": tag,
    }


def test_the_placeholder_is_svg_only_where_accept_prefers_it(get):
    for accept, kind in (
        ("", "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("image/jpeg", "image/png"),
        ("text/html", "image/png"),
        ("image/png, image/svg+xml;q=0.5", "image/png"),
        ("image/svg+xml", "image/svg+xml"),
        (BROWSER, "image/svg+xml"),
    ):
        answer = get(headers={"Accept": accept})
        assert answer.headers["Content-Type"] == kind, accept
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_the_placeholder_names_the_camera_and_the_reason(get, base, camera):
    said = words(get(headers=SVG))
    assert said[:2] == ["NO PICTURE", "Front Door"]
    assert " ".join(said[2:]) == "The camera has not uploaded a picture yet."
    put(base / "front" / "a.jpg", picture(), 7300)
    said = words(get("?placeholder=1&max_age=60", headers=SVG))
    assert " ".join(said[2:]) == "The newest picture is 2 hours old."
    (base / "front" / "a.jpg").unlink()
    (base / "front").rmdir()
    assert words(get(headers=SVG))[2] == "The camera's folder is missing."


def test_without_placeholder_1_the_answer_is_a_problem(get):
    for query in ("", "?placeholder=0"):
        assert_problem(get(query), 404, "no_snapshot")
    for value in ("2", "true", "", "x"):
        assert_problem(get(f"?placeholder={value}"), 422, "validation_failed")


def test_a_picture_is_sent_where_there_is_one(get, base):
    put(base / "front" / "a.jpg", picture())
    answer = get()
    assert answer.data == picture()
    assert "X-Snapshot-Placeholder" not in answer.headers


def test_a_wrong_folder_or_id_is_a_problem_and_not_a_placeholder(get, client, camera):
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": "/etc"})
    assert_problem(get(), 403, "folder_outside_base")
    unknown = "/api/cameras/123e4567-e89b-12d3-a456-426614174000/snapshot?placeholder=1"
    assert_problem(client.get(unknown), 404, "camera_not_found")


def test_a_hostile_name_is_escaped(client, camera, get):
    client.patch(f"/api/cameras/{camera['id']}", json={"name": HOSTILE})
    answer = get(headers=SVG)
    kinds = {
        element.tag.rpartition("}")[2] for element in ElementTree.fromstring(answer.data).iter()
    }
    assert kinds == {"svg", "rect", "g", "text"}
    shown = "".join(words(answer)[1:3])
    assert shown.startswith("</text><script>alert(")
    assert get().status_code == 200


@pytest.mark.parametrize("name", ["前門のカメラ", "a" * 255, "a " * 127, "\U0001f4f7", "Tür"])
def test_any_name_can_be_drawn(name):
    drawn = Placeholder(name, "Why.", (640, 360))
    assert Image.open(io.BytesIO(drawn.png())).size == (640, 360)
    assert 3 <= len(ElementTree.fromstring(drawn.svg()).findall(".//{*}text")) <= 4


def test_the_placeholder_fits_the_requested_size(get):
    for query, size in (
        ("width=320", (320, 180)),
        ("height=36", (64, 36)),
        ("width=16&height=16", (16, 9)),
        ("width=2160", (640, 360)),
    ):
        assert Image.open(io.BytesIO(get(f"?placeholder=1&{query}").data)).size == size
        svg = ElementTree.fromstring(get(f"?placeholder=1&{query}", headers=SVG).data)
        assert (int(svg.get("width")), int(svg.get("height"))) == size


def test_the_placeholder_has_its_own_etag_that_no_picture_matches(get, base):
    tag = get().headers["ETag"]
    assert get(headers={"If-None-Match": tag}).status_code == 304
    assert get(headers=SVG | {"If-None-Match": tag}).status_code == 200
    put(base / "front" / "a.jpg", picture())
    assert get(headers={"If-None-Match": tag}).data == picture()


def test_head_is_get_without_the_body(client, camera, get):
    url = f"/api/cameras/{camera['id']}/snapshot?placeholder=1"
    assert dict(client.head(url).headers) == dict(get().headers)


def test_the_missing_picture_of_a_detection_is_a_placeholder_too(client, camera):
    detection = post_detection(client, camera, file_path="gone.jpg")
    answer = client.get(f"/api/detections/{detection['id']}/image?placeholder=1", headers=SVG)
    assert words(answer)[:2] == ["NO PICTURE", "Front Door"]
    assert answer.headers["X-Snapshot-Placeholder"] == "true"


def test_the_letters_on_the_png_are_those_of_the_name():
    """Letter by letter, from the pixels back to the text."""
    drawn = Placeholder("Front Door", "x", (640, 360))
    image = Image.open(io.BytesIO(drawn.png()))
    line = next(line for line in drawn.lines() if line.text == "Front Door")
    left = (640 - len(line.text) * 24) // 2
    read = ""
    for number in range(len(line.text)):
        rows = bytes(
            sum(
                (
                    image.getpixel((left + number * 24 + x * 4, line.top + y * 4))
                    == placeholder.TEXT
                )
                << (4 - x)
                for x in range(5)
            )
            for y in range(7)
        )
        read += next(letter for letter, drawn in GLYPHS.items() if drawn == rows)
    assert read == "Front Door"

"""Is a placeholder sent where there is no picture, marked as one, with any name of a camera?"""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageChops, ImageStat

from app.images import placeholder, resize
from app.images.placeholder import GLYPHS, Placeholder
from tests.pictures import picture, put
from tests.placeholders import ready_made
from tests.posting import post_detection
from tests.problems import assert_problem

SVG, PNG = {"Accept": "image/svg+xml"}, {"Accept": "image/png"}
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


@pytest.fixture(params=["with Pillow", "without Pillow"])
def pillow(request, monkeypatch):
    """Runs the test twice."""
    if request.param == "without Pillow":
        monkeypatch.setattr(resize, "Image", None)


def opened(answer):
    """The picture that an answer holds, decoded."""
    image = Image.open(io.BytesIO(answer.data))
    image.load()
    return image


def test_the_placeholder_is_a_marked_jpeg_that_is_not_cached(get, pillow):
    answer = get()
    image = opened(answer)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (640, 360))
    assert answer.status_code == 200
    tag = answer.headers["ETag"]
    assert tag.startswith('"placeholder-')
    headers = {name: value for name, value in answer.headers if name != "Date"}
    assert headers == {
        "Content-Type": "image/jpeg",
        "Content-Length": str(len(answer.data)),
        "Content-Disposition": 'attachment; filename="placeholder.jpg"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Snapshot-Placeholder": "true",
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "ETag": tag,
    }


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "jpeg"),
        ("*/*", "jpeg"),
        ("image/*", "jpeg"),
        ("image/jpeg", "jpeg"),
        ("image/jpeg, image/png", "jpeg"),
        ("image/webp,*/*", "jpeg"),
        ("image/png", "png"),
        ("image/png,image/*;q=0.8", "png"),
        ("image/png, image/svg+xml;q=0.5", "png"),
        ("*/*, image/jpeg;q=0", "png"),
        ("image/*, image/jpeg;q=0, image/png;q=0", "svg+xml"),
        ("text/html", "png"),
        ("image/svg+xml", "svg+xml"),
        (BROWSER, "svg+xml"),
    ],
)
def test_the_placeholder_is_a_jpeg_unless_accept_prefers_another_type(get, accept, kind):
    answer = get(headers={"Accept": accept})
    assert answer.headers["Content-Type"] == f"image/{kind}"
    suffix = {"jpeg": "jpg", "png": "png", "svg+xml": "svg"}[kind]
    assert f'filename="placeholder.{suffix}"' in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    if kind != "svg+xml":
        assert opened(answer).format == kind.upper()


def test_the_jpeg_shows_what_the_png_shows(get):
    drawn, encoded = opened(get(headers=PNG)).convert("RGB"), opened(get())
    assert ImageStat.Stat(ImageChops.difference(drawn, encoded)).mean < [4, 4, 4]


def test_the_ready_made_files_show_the_reasons():
    """After a change of the drawing, `python -m tests.placeholders` writes them anew."""
    for file, shown in ready_made():
        with Image.open(file) as image:
            assert (image.format, image.size) == ("JPEG", shown.size), file
            fresh = Image.open(io.BytesIO(shown.jpeg()))
            assert max(ImageStat.Stat(ImageChops.difference(image, fresh)).mean) < 1, file


def test_without_pillow_a_ready_made_file_says_why_there_is_no_picture(
    get, base, client, camera, monkeypatch
):
    monkeypatch.setattr(resize, "Image", None)
    files = {file.stem: file.read_bytes() for file, _ in ready_made()}
    assert get().data == files["no_snapshot_640"]
    put(base / "front" / "a.jpg", picture(), 7300)
    assert get("?placeholder=1&max_age=60").data == files["snapshot_too_old_640"]
    (base / "front" / "a.jpg").unlink()
    (base / "front").rmdir()
    assert get("?placeholder=1&width=319").data == files["folder_not_found_160"]
    detection = post_detection(client, camera, file_path="gone.jpg")
    shown = client.get(f"/api/detections/{detection['id']}/image?placeholder=1")
    assert shown.data in (files["picture_not_found_640"], files["folder_not_found_640"])


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
        for headers in (None, PNG):
            assert opened(get(f"?placeholder=1&{query}", headers=headers)).size == size
        svg = ElementTree.fromstring(get(f"?placeholder=1&{query}", headers=SVG).data)
        assert (int(svg.get("width")), int(svg.get("height"))) == size


def test_a_ready_made_file_is_never_larger_than_requested(get, monkeypatch):
    monkeypatch.setattr(resize, "Image", None)
    for query, size in (
        ("width=639", (320, 180)),
        ("height=36", (64, 36)),
        ("width=16&height=16", (16, 9)),
        ("height=16", (16, 9)),
    ):
        assert opened(get(f"?placeholder=1&{query}")).size == size


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

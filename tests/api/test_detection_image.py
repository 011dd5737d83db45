"""A detection's picture over HTTP: the camera's folder is the limit, HTTP's conditions hold."""

import os
import socket

import pytest

from tests.pictures import etag_of, picture, put
from tests.posting import post_camera, post_detection
from tests.problems import assert_problem

WHEN = 1_766_491_200  # 2025-12-23T12:00:00Z


@pytest.fixture
def front(base, camera):
    """The camera's folder with one picture below it."""
    put(base / "front" / "20251223" / "120000.jpg", picture(), now=WHEN)
    return base / "front"


@pytest.fixture
def image(client, camera):
    """Posts a detection of ``file_path`` and asks for its picture."""

    def ask(file_path, query="", who=camera, **options):
        detection = post_detection(client, who, file_path=file_path)
        return client.get(f"/api/detections/{detection['id']}/image{query}", **options)

    return ask


def test_the_picture_arrives_with_every_header(front, image):
    answer = image("20251223/120000.jpg")
    file = front / "20251223" / "120000.jpg"
    status = file.stat()
    assert (answer.status_code, answer.data) == (200, file.read_bytes())
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Length"] == str(status.st_size)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="120000.jpg"'
    assert answer.headers["Last-Modified"] == "Tue, 23 Dec 2025 12:00:00 GMT"
    assert answer.headers["ETag"] == f'"{etag_of(file)}"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert int(answer.headers["X-Snapshot-Age"]) > 0


def test_it_is_the_named_picture_not_the_newest(front, image):
    put(front / "newer.jpg", picture(shade=9))
    assert image("20251223/120000.jpg").data == picture()


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".gif"])
def test_every_kind_of_picture_has_its_type(front, image, suffix):
    data = picture(suffix.lower())
    put(front / f"a{suffix}", data)
    answer = image(f"a{suffix}")
    kind = suffix.lower()[1:].replace("jpg", "jpeg")
    assert (answer.data, answer.headers["Content-Type"]) == (data, f"image/{kind}")


def test_the_path_may_be_absolute_or_take_a_way_round_inside_the_folder(base, front, image):
    for path in (
        f"{front}/20251223/120000.jpg",
        f"{base}/./front//20251223/120000.jpg",
        "./20251223//120000.jpg",
        "20251223/../20251223/120000.jpg",
        "../front/20251223/120000.jpg",
    ):
        assert image(path).data == picture(), path


def test_the_base_may_be_a_link_and_be_named_either_way(base, front, client, app, image):
    link = base.parent / "link"
    link.symlink_to(base)
    app.config["NVR_FOSCAM_BASE_PATH"] = str(link)
    for folder in (link, base):
        assert image(f"{folder}/front/20251223/120000.jpg").data == picture()
    real = post_camera(client, folder=str(front))
    assert image("20251223/120000.jpg", who=real).status_code == 200


def test_a_path_outside_the_cameras_folder_is_403_whether_it_exists_or_not(base, front, image):
    for outside in ("side/a.jpg", "frontier/a.jpg", "../secret.jpg"):
        put(base / outside, picture())
    for path in (
        *("../side/a.jpg", "..", "../front", ".", "../../secret.jpg", "/etc/passwd", "/etc/x.jpg"),
        *(
            f"{base}/side/a.jpg",
            f"{base}/frontier/a.jpg",
            f"{base}/front",
            f"/../{base}/side/a.jpg",
        ),
        *("20251223/../../side/a.jpg", f"{base}/front/../side/a.jpg"),
        *("../missing/a.jpg", "../front-but-not/a.jpg", "../../../../../../proc/self/root/x.jpg"),
    ):
        assert_problem(image(path), 403, "picture_outside_folder")


@pytest.mark.parametrize("target", ["../side/a.jpg", "20251223/120000.jpg", "nowhere.jpg"])
def test_a_link_is_403_wherever_it_leads(base, front, image, target):
    put(base / "side" / "a.jpg", picture())
    (front / "link.jpg").symlink_to(target)
    assert_problem(image("link.jpg"), 403, "picture_outside_folder")


def test_a_link_on_the_way_is_403(base, front, image):
    put(base / "side" / "a.jpg", picture())
    (front / "out").symlink_to(base / "side")
    (front / "in").symlink_to("20251223")
    for path in ("out/a.jpg", "in/120000.jpg", "out/missing.jpg"):
        assert_problem(image(path), 403, "picture_outside_folder")


def test_a_folder_outside_the_base_is_403_before_anything_is_looked_up(base, front, client, image):
    put(base.parent / "secret" / "a.jpg", picture())
    (base / "link").symlink_to("front")
    for folder in ("../secret", "/nowhere", str(base.parent / "secret"), "link"):
        outside = post_camera(client, folder=folder)
        assert_problem(image("a.jpg", who=outside), 403, "folder_outside_base")
    assert_problem(image("/etc/a.jpg", who=outside), 403, "picture_outside_folder")


def test_a_missing_picture_is_404(front, image):
    for path in ("a.jpg", "20251223/120000.jpg/b.jpg", "20251224/a.jpg", "x" * 300 + ".jpg"):
        assert_problem(image(path), 404, "picture_not_found")


def test_another_suffix_is_404_though_the_file_is_there(front, image):
    for name in ("secret.txt", "noext", "a.jpg.part", ".jpg", "a.svg", "a.jpg ", "a.jpg."):
        put(front / name, picture())
        assert_problem(image(name), 404, "picture_not_found")


def test_no_file_path_is_404(front, image):
    assert_problem(image(None), 404, "picture_not_found")


def test_a_path_that_is_no_regular_file_is_404_and_never_blocks(front, image):
    os.mkfifo(front / "fifo.jpg")
    (front / "folder.jpg").mkdir()
    (front / "empty.jpg").touch()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(front)  # the address of a socket has room for about 100 bytes
        listening.bind("socket.jpg")
        os.chdir(here)
    for name in ("fifo.jpg", "folder.jpg", "empty.jpg", "socket.jpg"):
        assert_problem(image(name), 404, "picture_not_found")


def test_a_picture_over_the_limit_is_404(front, image, app):
    app.extensions["folders"].most_bytes = len(picture())
    assert image("20251223/120000.jpg").status_code == 200
    app.extensions["folders"].most_bytes -= 1
    assert_problem(image("20251223/120000.jpg"), 404, "picture_not_found")


def test_a_missing_folder_is_404(client, front, image):
    lost = post_camera(client, folder="lost")
    assert_problem(image("a.jpg", who=lost), 404, "folder_not_found")
    afile = post_camera(client, folder="front/20251223/120000.jpg")
    assert_problem(image("a.jpg", who=afile), 404, "folder_not_found")


def test_the_picture_follows_its_camera_to_another_folder(base, client, camera, front, image):
    (base / "front").rename(base / "moved")
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": "moved"})
    assert image("20251223/120000.jpg").data == picture()
    assert_problem(image(f"{front}/20251223/120000.jpg"), 403, "picture_outside_folder")


def test_a_known_picture_is_not_sent_again(front, image):
    path = "20251223/120000.jpg"
    etag = image(path).headers["ETag"]
    for headers in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", W/{etag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Tue, 23 Dec 2025 12:00:00 GMT"},
    ):
        answer = image(path, headers=headers)
        assert (answer.status_code, answer.data) == (304, b""), headers
        assert answer.headers["ETag"] == etag
        assert "Content-Length" not in answer.headers
    for headers in (
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Tue, 23 Dec 2025 11:59:59 GMT"},
        {"If-None-Match": '"other"', "If-Modified-Since": "Tue, 23 Dec 2025 12:00:00 GMT"},
    ):
        assert image(path, headers=headers).data == picture(), headers


def test_a_condition_that_fails_is_412(front, image):
    answer = image("20251223/120000.jpg", headers={"If-Match": '"other"'})
    assert_problem(answer, 412, "precondition_failed")


def test_a_range_is_served_or_416(front, image):
    data = picture()
    part = image("20251223/120000.jpg", headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.data) == (206, data[2:10])
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(data)}"
    beyond = image("20251223/120000.jpg", headers={"Range": f"bytes={len(data)}-"})
    assert_problem(beyond, 416, "range_not_satisfiable")
    assert beyond.headers["Content-Range"] == f"bytes */{len(data)}"


def test_head_is_get_without_the_body(client, camera, front):
    url = f"/api/detections/{post_detection(client, camera, file_path='a.png')['id']}/image"
    assert client.head(url).status_code == 404
    put(front / "a.png", picture(".png"), now=WHEN)
    whole, head = client.get(url), client.head(url)
    assert (head.status_code, head.data) == (200, b"")
    volatile = {"Date", "X-Snapshot-Age"}
    shown = [[h for h in answer.headers if h[0] not in volatile] for answer in (whole, head)]
    assert shown[0] == shown[1]


def test_the_query_chooses_disposition_and_age_and_ignores_the_rest(front, image):
    path = "20251223/120000.jpg"
    inline = image(path, "?disposition=inline&_=1&_=2")
    assert inline.headers["Content-Disposition"] == 'inline; filename="120000.jpg"'
    too_old = assert_problem(image(path, "?max_age=60"), 404, "snapshot_too_old")
    assert too_old["age"] > 60
    assert image(path, "?max_age=999999999").status_code == 200
    for query in ("?max_age=-1", "?max_age=x", "?disposition=x"):
        assert_problem(image(path, query), 422, "validation_failed")


def test_a_hostile_name_reaches_no_header(front, image):
    name = 'a"; x=\\Жé\u202e.jpg'
    put(front / name, picture())
    value = image(name).headers["Content-Disposition"]
    fallback, name = "a_; x=__e_.jpg", "a%22%3B%20x%3D%5C%D0%96%C3%A9_.jpg"
    assert value == f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{name}"

"""Does a picture come out small, right and cheap, whatever it was?"""

import functools
import io
import struct
import threading
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from app.images import resize
from app.images.resize import Box, NotInstalled, NotResizable, Resizer, fitted
from app.storage.formats import Picture
from tests.pictures import picture

LARGE = (640, 480)


@functools.cache
def large(suffix=".jpg"):
    return picture(suffix, size=LARGE)


def taken(data, name="a.jpg", number=1):
    """A picture as `snapshots` reads it; another ``number`` is another file."""
    return Picture(name, 1, number, len(data), number, number, data)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def seen(made):
    """What is in the bytes: format, mode and size, decoded whole."""
    image = Image.open(io.BytesIO(made.data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(320, None), (320, 240)),
        (Box(None, 240), (320, 240)),
        (Box(320, 100), (133, 100)),
        (Box(100, 320), (100, 75)),
        (Box(639, None), (639, 479)),
        (Box(16, 16), (16, 12)),
        (Box(16, 2160), (16, 12)),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".gif"])
def test_it_fits_the_box_and_keeps_its_proportions(box, size, suffix):
    made = fitted(taken(large(suffix.lower()), f"a{suffix}"), box)
    assert seen(made).size == size
    assert made.size == len(made.data)


@pytest.mark.parametrize("box", [Box(640, None), Box(None, 480), Box(640, 480), Box(2160, 2160)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif"])
def test_what_fits_is_left_as_it_is(box, suffix):
    whole = taken(large(suffix), f"a{suffix}")
    assert fitted(whole, box) is whole


@pytest.mark.parametrize("size", [(3000, 17), (17, 3000)])
def test_a_strip_keeps_at_least_a_pixel(size):
    assert min(seen(fitted(taken(picture(size=size)), Box(16, 16))).size) == 1


@pytest.mark.parametrize(
    ("suffix", "form", "name"),
    [
        (".jpg", "JPEG", "a.jpg"),
        (".jpeg", "JPEG", "a.jpeg"),
        (".JPG", "JPEG", "a.JPG"),
        (".png", "PNG", "a.png"),
        (".gif", "PNG", "a.png"),
    ],
)
def test_the_name_says_what_came_out(suffix, form, name):
    made = fitted(taken(large(suffix.lower()), f"a{suffix}"), Box(64, None))
    assert (made.name, seen(made).format) == (name, form)


def test_a_picture_in_the_clothes_of_another_kind_gets_its_own():
    made = fitted(taken(large(".png"), "a.jpg"), Box(64, None))
    assert (made.name, seen(made).format) == ("a.png", "PNG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_png_of_any_kind_keeps_its_light_and_its_alpha(mode):
    dark_to_light = Image.linear_gradient("L").resize(LARGE)
    made = seen(fitted(taken(saved(dark_to_light.convert(mode), "PNG"), "a.png"), Box(64, None)))
    assert made.mode == {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}.get(mode, "RGBA")
    column = [made.convert("L").getpixel((32, y)) for y in (2, 24, 45)]
    assert column == pytest.approx([12, 130, 245], abs=25)


def test_sixteen_bits_are_divided_not_cut_off():
    light = Image.linear_gradient("L").resize(LARGE).convert("I").point(lambda v: v * 257)
    made = seen(fitted(taken(saved(light.convert("I;16"), "PNG"), "a.png"), Box(64, None)))
    assert [made.getpixel((32, y)) for y in (2, 24, 45)] == pytest.approx([12, 130, 245], abs=5)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_what_was_transparent_stays_so(suffix):
    image = Image.new("RGBA", LARGE, (255, 0, 0, 0))
    image.paste((0, 255, 0, 255), (0, 0, 320, 480))
    made = seen(fitted(taken(saved(image, suffix[1:]), f"a{suffix}"), Box(64, None)))
    assert [made.getpixel((x, 24))[3] for x in (8, 56)] == [255, 0]


def test_of_a_moving_picture_the_first_frame_is_shown():
    frames = [Image.new("RGB", LARGE, colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    red, _, blue = seen(fitted(taken(data, "a.gif"), Box(64, None))).getpixel((5, 5))
    assert (red, blue) == (pytest.approx(255, abs=2), 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_any_kind_becomes_one_that_browsers_show(mode, progressive):
    image = Image.linear_gradient("L").resize(LARGE).convert(mode)
    made = seen(fitted(taken(saved(image, "JPEG", progressive=progressive)), Box(64, None)))
    assert made.mode == ("L" if mode == "L" else "RGB")
    assert made.convert("L").getpixel((32, 45)) == pytest.approx(245, abs=12)


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 48)), (3, (64, 48)), (6, (64, 85))])
def test_it_is_turned_as_the_camera_says(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = seen(fitted(taken(saved(Image.new("RGB", LARGE), "JPEG", exif=exif)), Box(64, None)))
    assert made.size == size
    assert dict(made.getexif()) == {}


def bomb(suffix, width, height):
    """A small file that claims to be a picture of this size."""
    data = bytearray(picture(suffix))
    if suffix == ".png":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif suffix == ".gif":
        data[6:10] = struct.pack("<HH", width, height)
    else:
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif"])
@pytest.mark.parametrize("size", [(4124, 4123), (10000, 10000), (65535, 65535)])
def test_a_bomb_is_refused_before_it_is_decoded(suffix, size, monkeypatch):
    decoded, whole = [], taken(bomb(suffix, *size), f"a{suffix}")
    for kind in (Image.Image, ImageFile.ImageFile):
        monkeypatch.setattr(kind, "load", lambda image: decoded.append(image))
    with pytest.raises(NotResizable):
        fitted(whole, Box(64, None))
    assert decoded == []


def test_a_picture_that_takes_for_ever_is_refused():
    tables, scan = large()[:-2].split(b"\xff\xda")
    usual = saved(Image.open(io.BytesIO(large())), "JPEG", progressive=True)
    assert seen(fitted(taken(usual), Box(64, None))).size == (64, 48)
    endless = tables + (b"\xff\xda" + scan) * 65 + b"\xff\xd9"
    with pytest.raises(NotResizable):
        fitted(taken(endless), Box(64, None))


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8\xff", picture()[:700], b"GIF89a"])
def test_what_cannot_be_decoded_is_said_to_be_so(data):
    with pytest.raises(NotResizable):
        fitted(taken(data), Box(64, None))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif"])
@settings(max_examples=30)
@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=20))
def test_a_damaged_picture_is_shown_or_refused_and_nothing_else(suffix, at, junk):
    data = bytearray(picture(suffix, size=(64, 64)))
    place = int(at * len(data))
    data[place : place + len(junk)] = junk
    try:
        made = fitted(taken(bytes(data), f"a{suffix}"), Box(32, None))
    except NotResizable:
        return
    assert seen(made).width <= 32 or made.data == data


def test_lack_of_memory_is_not_blamed_on_the_picture(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "thumbnail", full)
    with pytest.raises(MemoryError):
        fitted(taken(large()), Box(64, None))


@pytest.fixture
def decodings(monkeypatch):
    """How often a picture was decoded."""
    made = []
    monkeypatch.setattr(resize, "fitted", lambda *args: made.append(args) or fitted(*args))
    return made


def test_the_same_is_made_once(decodings):
    resizer, whole = Resizer(), taken(large())
    first = resizer.fit(whole, Box(64, None))
    assert resizer.fit(whole, Box(64, None)) is first
    assert len(decodings) == 1
    for other in (taken(large(), number=2), whole):
        assert resizer.fit(other, Box(65, None)).data != first.data
    assert len(decodings) == 3


def test_who_asks_at_the_same_time_waits_for_the_one_who_makes_it(decodings):
    resizer, whole, made = Resizer(), taken(large()), []
    threads = [
        threading.Thread(target=lambda: made.append(resizer.fit(whole, Box(64, None))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decodings) == 1
    assert [one is made[0] for one in made] == [True] * 8


def test_it_remembers_the_latest_within_its_bytes(decodings):
    size = fitted(taken(large()), Box(64, None)).size
    resizer = Resizer(most_bytes=size * 3)
    pictures = [taken(large(), number=number) for number in range(5)]
    for one in pictures:
        resizer.fit(one, Box(64, None))
        assert resizer.bytes <= size * 3
    decodings.clear()
    for one in reversed(pictures):
        resizer.fit(one, Box(64, None))
    assert [args[0].inode for args in decodings] == [1, 0]


def test_what_fits_or_is_too_large_is_not_remembered():
    resizer = Resizer(most_bytes=100)
    resizer.fit(taken(large()), Box(640, None))
    resizer.fit(taken(large()), Box(600, None))
    assert resizer.bytes == 0


def test_pillow_that_is_not_there_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(resize, "Image", None)
    with pytest.raises(NotInstalled):
        fitted(taken(picture()), Box(64, None))

"""Is a picture of any kind made smaller, correctly and at bounded cost?"""

import functools
import io
import struct
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from app.images import resize
from app.images.resize import MaxSize, NotInstalled, NotResizable, Resizer
from app.storage.checks import StoredPicture
from tests.pictures import picture

LARGE = (640, 480)


@functools.cache
def large(suffix=".jpg"):
    return picture(suffix, size=LARGE)


def taken(data, name="a.jpg", number=1):
    """A picture as the storage reads it; another ``number`` is another file."""
    return StoredPicture(name, 1, number, len(data), number, number, number, 0, data)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def seen(made):
    """The picture's bytes, decoded as a whole."""
    image = Image.open(io.BytesIO(made.data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("most", "size"),
    [
        (MaxSize(320, None), (320, 240)),
        (MaxSize(None, 240), (320, 240)),
        (MaxSize(320, 100), (133, 100)),
        (MaxSize(100, 320), (100, 75)),
        (MaxSize(639, None), (639, 479)),
        (MaxSize(16, 16), (16, 12)),
        (MaxSize(16, 2160), (16, 12)),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".gif"])
def test_a_picture_is_made_to_fit_and_keeps_its_proportions(most, size, suffix):
    made = resize.resize(taken(large(suffix.lower()), f"a{suffix}"), most)
    assert seen(made).size == size
    assert made.size == len(made.data)


@pytest.mark.parametrize(
    "most", [MaxSize(640, None), MaxSize(None, 480), MaxSize(640, 480), MaxSize(2160, 2160)]
)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif"])
def test_a_picture_that_fits_is_returned_unchanged(most, suffix):
    whole = taken(large(suffix), f"a{suffix}")
    assert resize.resize(whole, most) is whole


@pytest.mark.parametrize("size", [(3000, 17), (17, 3000)])
def test_a_thin_picture_keeps_at_least_one_pixel(size):
    assert min(seen(resize.resize(taken(picture(size=size)), MaxSize(16, 16))).size) == 1


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
def test_the_suffix_of_the_name_is_that_of_the_result(suffix, form, name):
    made = resize.resize(taken(large(suffix.lower()), f"a{suffix}"), MaxSize(64, None))
    assert (made.name, seen(made).format) == (name, form)


def test_a_wrong_suffix_is_corrected():
    made = resize.resize(taken(large(".png"), "a.jpg"), MaxSize(64, None))
    assert (made.name, seen(made).format) == ("a.png", "PNG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_png_of_any_mode_keeps_its_brightness_and_its_alpha(mode):
    dark_to_light = Image.linear_gradient("L").resize(LARGE)
    made = seen(
        resize.resize(taken(saved(dark_to_light.convert(mode), "PNG"), "a.png"), MaxSize(64, None))
    )
    assert made.mode == {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}.get(mode, "RGBA")
    column = [made.convert("L").getpixel((32, y)) for y in (2, 24, 45)]
    assert column == pytest.approx([12, 130, 245], abs=25)


def test_sixteen_bits_are_scaled_to_eight_and_not_clipped():
    light = Image.linear_gradient("L").resize(LARGE).convert("I").point(lambda v: v * 257)
    made = seen(
        resize.resize(taken(saved(light.convert("I;16"), "PNG"), "a.png"), MaxSize(64, None))
    )
    assert [made.getpixel((32, y)) for y in (2, 24, 45)] == pytest.approx([12, 130, 245], abs=5)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_transparent_parts_stay_transparent(suffix):
    image = Image.new("RGBA", LARGE, (255, 0, 0, 0))
    image.paste((0, 255, 0, 255), (0, 0, 320, 480))
    made = seen(resize.resize(taken(saved(image, suffix[1:]), f"a{suffix}"), MaxSize(64, None)))
    assert [made.getpixel((x, 24))[3] for x in (8, 56)] == [255, 0]


def test_an_animation_becomes_its_first_frame():
    frames = [Image.new("RGB", LARGE, colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    red, _, blue = seen(resize.resize(taken(data, "a.gif"), MaxSize(64, None))).getpixel((5, 5))
    assert (red, blue) == (pytest.approx(255, abs=2), 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_any_mode_becomes_one_that_browsers_show(mode, progressive):
    image = Image.linear_gradient("L").resize(LARGE).convert(mode)
    made = seen(
        resize.resize(taken(saved(image, "JPEG", progressive=progressive)), MaxSize(64, None))
    )
    assert made.mode == ("L" if mode == "L" else "RGB")
    assert made.convert("L").getpixel((32, 45)) == pytest.approx(245, abs=12)


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 48)), (3, (64, 48)), (6, (64, 85))])
def test_a_picture_is_turned_as_its_exif_orientation_says(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = seen(
        resize.resize(taken(saved(Image.new("RGB", LARGE), "JPEG", exif=exif)), MaxSize(64, None))
    )
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


@pytest.mark.parametrize(
    ("suffix", "size"),
    [
        *((suffix, (4124, 4123)) for suffix in (".jpg", ".png", ".gif")),
        *((suffix, (65535, 65535)) for suffix in (".jpg", ".png", ".gif")),
        (".png", (1, 17_000_000)),
    ],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(suffix, size, monkeypatch):
    decoded, claims = [], taken(bomb(suffix, *size), f"a{suffix}")
    for kind in (Image.Image, ImageFile.ImageFile):
        monkeypatch.setattr(kind, "load", lambda image: decoded.append(image))
    with pytest.raises(NotResizable):
        resize.resize(claims, MaxSize(64, None))
    assert decoded == []


def test_a_jpeg_of_too_many_scans_is_refused():
    tables, scan = large()[:-2].split(b"\xff\xda")
    usual = saved(Image.open(io.BytesIO(large())), "JPEG", progressive=True)
    assert seen(resize.resize(taken(usual), MaxSize(64, None))).size == (64, 48)
    endless = tables + (b"\xff\xda" + scan) * 65 + b"\xff\xd9"
    with pytest.raises(NotResizable):
        resize.resize(taken(endless), MaxSize(64, None))


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8\xff", picture()[:700], b"GIF89a"])
def test_data_that_cannot_be_decoded_is_refused(data):
    with pytest.raises(NotResizable):
        resize.resize(taken(data), MaxSize(64, None))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif"])
@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=20))
def test_a_damaged_picture_is_resized_or_refused(suffix, at, junk):
    data = bytearray(picture(suffix, size=(64, 64)))
    place = int(at * len(data))
    data[place : place + len(junk)] = junk
    try:
        made = resize.resize(taken(bytes(data), f"a{suffix}"), MaxSize(32, None))
    except NotResizable:
        return
    assert seen(made).width <= 32 or made.data == data


def test_lack_of_memory_is_not_reported_as_a_bad_picture(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", full)
    with pytest.raises(MemoryError):
        resize.resize(taken(large()), MaxSize(64, None))


@pytest.fixture
def decodings(monkeypatch):
    """The arguments of every call that decoded a picture."""
    made, really_resize = [], resize.resize
    monkeypatch.setattr(resize, "resize", lambda *args: made.append(args) or really_resize(*args))
    return made


def test_the_same_picture_at_the_same_size_is_made_once(decodings):
    resizer, whole = Resizer(), taken(large())
    first = resizer.resize(whole, MaxSize(64, None))
    assert resizer.resize(whole, MaxSize(64, None)) is first
    assert len(decodings) == 1
    for other in (taken(large(), number=2), whole):
        assert resizer.resize(other, MaxSize(65, None)).data != first.data
    assert len(decodings) == 3


def test_simultaneous_requests_for_one_picture_share_one_result(decodings):
    resizer, whole, made = Resizer(), taken(large()), []
    threads = [
        threading.Thread(target=lambda: made.append(resizer.resize(whole, MaxSize(64, None))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decodings) == 1
    assert [one is made[0] for one in made] == [True] * 8


def test_the_latest_results_are_kept_within_the_limit_of_bytes(decodings):
    size = resize.resize(taken(large()), MaxSize(64, None)).size
    resizer = Resizer(most_bytes=size * 3)
    pictures = [taken(large(), number=number) for number in range(5)]
    for one in pictures:
        resizer.resize(one, MaxSize(64, None))
        assert resizer.bytes <= size * 3
    decodings.clear()
    for one in reversed(pictures):
        resizer.resize(one, MaxSize(64, None))
    assert [args[0].inode for args in decodings] == [1, 0]


def test_unchanged_pictures_and_too_large_results_are_not_kept():
    resizer = Resizer(most_bytes=100)
    resizer.resize(taken(large()), MaxSize(640, None))
    resizer.resize(taken(large()), MaxSize(600, None))
    assert resizer.bytes == 0


def test_a_missing_pillow_is_reported(monkeypatch):
    monkeypatch.setattr(resize, "Image", None)
    with pytest.raises(NotInstalled):
        resize.resize(taken(picture()), MaxSize(64, None))

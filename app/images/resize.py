"""How is a picture made smaller? With Pillow, one at a time; the latest results are kept."""

import io
import threading
from collections import OrderedDict
from os.path import splitext
from typing import Any, NamedTuple

from ..storage.formats import CONTENT_TYPES, Picture

try:  # an extra of the service (pip install -e '.[images]')
    from PIL import Image, ImageOps
except ImportError:
    Image = None  # type: ignore[assignment]

# The least and the greatest width or height that a client can ask for, in pixels.
LEAST, MOST = 16, 2160
# A larger picture is not decoded: a file of a few kilobytes can claim to hold gigabytes of pixels.
# The worst kinds (a PNG with alpha, a progressive JPEG of four colours) were measured to take 12
# bytes a pixel to decode and scale: 200 MiB. Two 4K pictures side by side have 16.6 million.
MOST_PIXELS = 17_000_000
# What JPEG and GIF can express. Pillow needs memory for each row too: a PNG of 1 x 17,000,000
# pixels took 758 MiB.
MOST_SIDE = 65_535
# The decoder goes over the whole picture for each scan of a JPEG. Ten or so are usual; many tiny
# ones would keep it busy for minutes. The marker occurs nowhere within a scan (ITU-T T.81,
# B.1.1.5).
SCAN_MARKER, MOST_SCANS = b"\xff\xda", 64
CACHE_BYTES = 4 * 1024 * 1024
# The format of the result by that of the picture. A GIF becomes a PNG of its first frame: scaling
# mixes colours, and a GIF's palette has no room for the new ones.
RESULT_FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "PNG"}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}
QUALITY = 80
# EXIF 2.32, tag 0x0112: with these values the picture is shown turned by 90 degrees.
ORIENTATION, QUARTER_TURNS = 0x0112, range(5, 9)
# Stands for no limit, in pixels.
UNBOUNDED = 1 << 20
# Pillow halves the picture cheaply while it is larger than the result by more than this factor.
REDUCING_GAP = 2.0


class NotResizable(Exception):
    """The picture cannot be decoded, or only at too great a cost."""


class NotInstalled(Exception):
    """Pillow, which belongs to an extra of the service, is not installed."""


class MaxSize(NamedTuple):
    """The greatest width and height that a picture may have, in pixels; None is no limit."""

    width: int | None
    height: int | None

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height, with `UNBOUNDED` for None."""
        return self.width or UNBOUNDED, self.height or UNBOUNDED


Key = tuple[str, int, MaxSize]


class Resizer:
    """Makes pictures smaller and keeps the latest results up to ``most_bytes``. Thread-safe."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._results: OrderedDict[Key, Picture] = OrderedDict()
        self._lock = threading.Lock()
        # Held while a picture is decoded, so that many requests at once need the memory of one,
        # and requests for the same picture share one result.
        self._decoding = threading.Lock()

    @property
    def bytes(self) -> int:
        """The size of all results that are kept."""
        return sum(picture.size for picture in self._results.values())

    def resize(self, picture: Picture, most: MaxSize) -> Picture:
        """The same as the function `resize`, from the kept results if possible."""
        key = (picture.etag, picture.ctime_ns, most)
        if result := self._find(key):
            return result
        with self._decoding:
            return self._find(key) or self._make(key, picture, most)

    def _find(self, key: Key) -> Picture | None:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def _make(self, key: Key, picture: Picture, most: MaxSize) -> Picture:
        result = resize(picture, most)
        if result is not picture and result.size <= self._most_bytes:
            with self._lock:
                self._results[key] = result
                while self.bytes > self._most_bytes:
                    self._results.popitem(last=False)
        return result


def resize(picture: Picture, most: MaxSize) -> Picture:
    """The ``picture`` itself where it fits ``most``, else a smaller one of the same proportions.

    Raises `NotResizable` and `NotInstalled`.
    """
    if Image is None:
        raise NotInstalled
    try:
        with Image.open(io.BytesIO(picture.data or b""), formats=("JPEG", "PNG", "GIF")) as image:
            _refuse_bombs(image, picture)
            small = _shrink(image, most)
            if small is None:
                return picture
            result_format = RESULT_FORMATS[str(image.format)]
            return _save(picture, ImageOps.exif_transpose(small), result_format)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes a decoder raise almost anything
        raise NotResizable from error


def _refuse_bombs(image: Any, picture: Picture) -> None:
    """Raise `NotResizable` for what the header announces; nothing has been decoded yet."""
    width, height = image.size
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise NotResizable
    is_jpeg = RESULT_FORMATS[image.format] == "JPEG"
    if is_jpeg and bytes(picture.data or b"").count(SCAN_MARKER) > MOST_SCANS:
        raise NotResizable


def _shrink(image: Any, most: MaxSize) -> Any:
    """A smaller picture, not yet turned as EXIF says; None where the ``image`` fits."""
    width, height = most.pixels
    if image.getexif().get(ORIENTATION) in QUARTER_TURNS:
        width, height = height, width
    if image.width <= width and image.height <= height:
        return None
    small = image if image.mode in ("L", "RGB", "RGBA", "CMYK") else _without_palette(image)
    small.thumbnail((width, height), reducing_gap=REDUCING_GAP)
    return small.convert("RGB") if small.mode == "CMYK" else small


def _without_palette(image: Any) -> Any:
    """The ``image`` with 8 bits a channel and no palette, so that its colours can be mixed."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "I;16":  # `convert` would clip the values instead of dividing them
        image = image.point(lambda value: value / 256)
    return image.convert("L" if image.mode in ("1", "I;16") else "RGB")


def _save(picture: Picture, image: Any, result_format: str) -> Picture:
    """The ``picture`` with the ``image`` as its data, and a suffix that fits the format."""
    out = io.BytesIO()
    image.save(out, result_format, quality=QUALITY, icc_profile=None)
    data, (stem, suffix) = out.getvalue(), splitext(picture.name)
    if CONTENT_TYPES[suffix.lower()] != CONTENT_TYPES[SUFFIXES[result_format]]:
        suffix = SUFFIXES[result_format]
    return picture._replace(name=stem + suffix, size=len(data), data=data)

"""How is a picture made to fit a small screen? Decoded as little as possible, and only once."""

import io
import threading
from collections import OrderedDict
from os.path import splitext
from typing import Any, NamedTuple

from ..storage.formats import CONTENT_TYPES, Picture

try:  # an optional extra of the service
    from PIL import Image, ImageOps
except ImportError:
    Image = None  # type: ignore[assignment]

# What can be asked for, in pixels.
LEAST, MOST = 16, 2160
# A larger picture is not decoded: a few kilobytes can claim to be gigabytes. What the decoders and
# the scaling hold of the worst kinds (a PNG with alpha, a progressive JPEG of four colours) was
# measured to be 12 bytes a pixel: 200 MiB. Two pictures of 4K side by side are 16.6 million.
MOST_PIXELS = 17_000_000
# Each scan of a JPEG goes over the whole picture: some ten are usual, a few bytes each could keep
# the decoder busy for minutes. Within a scan these two bytes do not occur (ITU-T T.81, B.1.1.5).
SCAN, MOST_SCANS = b"\xff\xda", 64
CACHE_BYTES = 4 * 1024 * 1024
# What is made of which format. A GIF becomes the PNG of its first frame: between the colours of
# its palette there is nothing to mix.
MADE_OF = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "PNG"}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}
QUALITY = 80
# EXIF 2.32, tag 0x0112: from 5 on the picture is shown turned by a quarter.
ORIENTATION, QUARTER_TURNS = 0x0112, range(5, 9)
# As wide or high as may be.
UNBOUNDED = 1 << 20
# Scaled down by the decoder or by averaging until no more than this factor is left to filter.
REDUCING_GAP = 2.0


class NotResizable(Exception):
    """The picture cannot be decoded, or only at too great a cost."""


class Box(NamedTuple):
    """What a picture must fit in, in pixels; None is no limit."""

    width: int | None
    height: int | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with a number for both."""
        return self.width or UNBOUNDED, self.height or UNBOUNDED

    def tag(self, picture: Picture) -> str:
        """What names the picture in this box, as strongly as its etag the picture itself."""
        shrunk = f"-{self.width or 0}x{self.height or 0}" if any(self) else ""
        return picture.etag + shrunk


class NotInstalled(Exception):
    """Pillow, an extra of the service, is not installed."""


Key = tuple[str, int, Box]


class Resizer:
    """Makes pictures fit and remembers a few bytes' worth of them. Safe for threads."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._made: OrderedDict[Key, Picture] = OrderedDict()
        self._lock = threading.Lock()
        # One at a time: many who ask at once take no more memory than one, and who asks for the
        # same picture finds it made.
        self._decoding = threading.Lock()

    @property
    def bytes(self) -> int:
        """How many bytes are remembered."""
        return sum(picture.size for picture in self._made.values())

    def fit(self, picture: Picture, box: Box) -> Picture:
        """The picture as it is where it fits, else a smaller one of the same proportions.

        Raises `NotResizable` and `NotInstalled`.
        """
        key = (picture.etag, picture.ctime_ns, box)
        if made := self._find(key):
            return made
        with self._decoding:
            return self._make(key, picture, box)

    def _find(self, key: Key) -> Picture | None:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)

    def _make(self, key: Key, picture: Picture, box: Box) -> Picture:
        made = self._find(key) or fitted(picture, box)
        if made is not picture and made.size <= self._most_bytes:
            with self._lock:
                self._made[key] = made
                while self.bytes > self._most_bytes:
                    self._made.popitem(last=False)
        return made


def fitted(picture: Picture, box: Box) -> Picture:
    """As `Resizer.fit`, made anew."""
    if Image is None:
        raise NotInstalled
    try:
        with Image.open(io.BytesIO(picture.data or b""), formats=("JPEG", "PNG", "GIF")) as image:
            _refuse_bombs(image, picture)
            small = _shrink(image, box)
            if small is None:
                return picture
            return _saved(picture, ImageOps.exif_transpose(small), MADE_OF[str(image.format)])
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes a decoder raise almost anything
        raise NotResizable from error


def _refuse_bombs(image: Any, picture: Picture) -> None:
    """By what the header says; nothing has been decoded yet."""
    scans = (picture.data or b"").count(SCAN) if MADE_OF[image.format] == "JPEG" else 1
    if image.width * image.height > MOST_PIXELS or scans > MOST_SCANS:
        raise NotResizable


def _shrink(image: Any, box: Box) -> Any:
    """A picture that fits, not yet turned as EXIF says; None where the ``image`` does."""
    width, height = box.size
    if image.getexif().get(ORIENTATION) in QUARTER_TURNS:
        width, height = height, width
    if image.width <= width and image.height <= height:
        return None
    small = image if image.mode in ("L", "RGB", "RGBA", "CMYK") else _mixable(image)
    small.thumbnail((width, height), reducing_gap=REDUCING_GAP)
    return small.convert("RGB") if small.mode == "CMYK" else small


def _mixable(image: Any) -> Any:
    """The ``image`` without a palette, of 8 bits a channel."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "I;16":  # whose conversion would cut off instead of dividing
        image = image.point(lambda value: value / 256)
    return image.convert("L" if image.mode in ("1", "I;16") else "RGB")


def _saved(picture: Picture, image: Any, form: str) -> Picture:
    """The ``image`` in the ``picture``'s place, under a name that says what it is now."""
    out = io.BytesIO()
    image.save(out, form, quality=QUALITY, icc_profile=None)
    data, (stem, suffix) = out.getvalue(), splitext(picture.name)
    if CONTENT_TYPES[suffix.lower()] != CONTENT_TYPES[SUFFIXES[form]]:
        suffix = SUFFIXES[form]
    return picture._replace(name=stem + suffix, size=len(data), data=data)

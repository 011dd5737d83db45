"""How is a picture made smaller? With Pillow, one at a time; the latest results are kept."""

import io
import threading
from collections import OrderedDict
from os.path import splitext
from typing import Any, NamedTuple

from ..storage.checks import StoredPicture
from ..storage.formats import CONTENT_TYPES

try:  # an extra of the service (pip install -e '.[images]')
    from PIL import Image, ImageOps, PngImagePlugin
    from PIL.JpegImagePlugin import get_sampling
except ImportError:
    Image = None  # type: ignore[assignment]

# The least and the greatest width or height that a client can ask for, in pixels.
LEAST, MOST = 16, 2160
# A larger picture is not decoded: a file of a few kilobytes can claim to hold gigabytes of pixels.
# Two 4K pictures side by side have 16.6 million.
MOST_PIXELS = 17_000_000
# What JPEG and GIF can express. Pillow needs memory for each row too: a PNG of 1 x 17,000,000
# pixels took 758 MiB.
MOST_SIDE = 65_535
# A picture that would take more memory than this, by `memory_needed`, is not decoded either. Its
# file, which is in memory twice, adds up to 32 MiB.
MOST_MEMORY = 112 * 1024 * 1024
# Bytes that Pillow needs for each pixel, by mode, while it decodes a picture and gives it the mode
# that it is scaled in; 8 for others.
BYTES_PER_PIXEL = {"1": 2, "L": 1, "I;16": 4, "RGB": 4, "CMYK": 4}
# Coefficients that a JPEG has for each pixel, by `get_sampling`; else one for each colour.
SUBSAMPLED = {1: 2, 2: 1.5}
# The bytes that a text in a PNG may have after decompression.
MOST_TEXT = 1024 * 1024
# The decoder goes over the whole picture for each scan of a JPEG. Ten are usual; many tiny ones
# would take minutes. The marker occurs nowhere within a scan (ITU-T T.81, B.1.1.5).
SCAN_MARKER, MOST_SCANS = b"\xff\xda", 64
CACHE_BYTES = 4 * 1024 * 1024
# The format of the result by that of the picture. A GIF becomes a PNG of its first frame: scaling
# mixes colours, and a GIF's palette has no room for the new ones.
RESULT_FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "PNG"}
JPEG_SIGNATURE = b"\xff\xd8\xff"
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}
# The mode of the result, which browsers can show, by the mode that a picture was scaled in: RGBa
# is RGBA with its colours multiplied by alpha.
RESULT_MODES = {"RGBa": "RGBA", "CMYK": "RGB"}
QUALITY = 80
# EXIF 2.32, tag 0x0112: with these values the picture is shown turned by 90 degrees.
ORIENTATION, QUARTER_TURNS = 0x0112, range(5, 9)
# A size in pixels that means no limit.
UNBOUNDED = 1 << 20
# Pillow halves the picture cheaply while it is larger than the result by more than this factor.
REDUCING_GAP = 2.0


class NotResizable(Exception):
    """The picture cannot be decoded, or would take too much memory or time."""


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


Key = tuple[str, MaxSize]


class Resizer:
    """Makes pictures smaller and keeps the latest results up to ``most_bytes``. Thread-safe."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._results: OrderedDict[Key, StoredPicture] = OrderedDict()
        self._lock = threading.Lock()
        # Held while a picture is decoded, so that many requests at once need the memory of one,
        # and requests for the same picture share one result.
        self._decoding = threading.Lock()

    @property
    def bytes(self) -> int:
        """The size of all results that are kept."""
        return sum(picture.size for picture in self._results.values())

    def resize(self, picture: StoredPicture, most: MaxSize) -> StoredPicture:
        """The same as the function `resize`, from the kept results if possible."""
        key = (picture.etag, most)
        if result := self._find(key):
            return result
        with self._decoding:
            return self._find(key) or self._make(key, picture, most)

    def _find(self, key: Key) -> StoredPicture | None:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def _make(self, key: Key, picture: StoredPicture, most: MaxSize) -> StoredPicture:
        result = resize(picture, most)
        if result is not picture and result.size <= self._most_bytes:
            with self._lock:
                self._results[key] = result
                while self.bytes > self._most_bytes:
                    self._results.popitem(last=False)
        return result


def is_installed() -> bool:
    """Whether Pillow is there to resize pictures with."""
    return Image is not None


def resize(picture: StoredPicture, most: MaxSize) -> StoredPicture:
    """The ``picture`` itself where it fits ``most``, else a smaller one of the same proportions.

    Raises `NotResizable` and `NotInstalled`.
    """
    if Image is None:
        raise NotInstalled
    try:
        image, size, result_format = _decode(picture, most)
        if image is None:
            return picture
        image = image.resize(size, reducing_gap=REDUCING_GAP)
        if image.mode in RESULT_MODES:
            image = image.convert(RESULT_MODES[image.mode])
        ImageOps.exif_transpose(image, in_place=True)
        return _save(picture, image, result_format)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes a decoder raise almost anything
        raise NotResizable from error


def to_jpeg(picture: StoredPicture, most: MaxSize) -> bytes:
    """The ``picture`` as a JPEG that fits ``most``; raises what `resize` does."""
    data = resize(picture, most).data or b""
    if data.startswith(JPEG_SIGNATURE):
        return data
    try:
        image, _, _ = _open(picture._replace(data=data))
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=QUALITY)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes a decoder raise almost anything
        raise NotResizable from error
    return out.getvalue()


def encode_jpeg(size: tuple[int, int], pixels: bytes, palette: bytes) -> bytes:
    """A JPEG of ``pixels``, each an index into the ``palette`` of RGB colours. Needs Pillow."""
    image, out = Image.frombytes("P", size, pixels), io.BytesIO()
    image.putpalette(palette)
    image.convert("RGB").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def memory_needed(image: Any, size: tuple[int, int], scans: int) -> int:
    """About how many bytes it takes to decode the opened ``image`` and to scale it to ``size``.

    The decoder keeps the coefficients, of two bytes, of a JPEG of several ``scans``, each of which
    adds to them; a JPEG of one scan is decoded at a half, a quarter or an eighth of its size where
    that is enough (`draft`), and then has fewer pixels.
    """
    width, height = image.size
    divisor = 1
    if RESULT_FORMATS[image.format] == "JPEG":
        least = min(width // size[0], height // size[1])
        divisor = next((n for n in (8, 4, 2) if least >= n), 1)
    coefficients = 0
    if scans > 1:
        per_pixel = SUBSAMPLED.get(get_sampling(image), len(image.getbands()))
        coefficients = 2 * width * height * per_pixel
    pixels = width * height // divisor**2
    decoding = coefficients + pixels * BYTES_PER_PIXEL.get(image.mode, 8)
    # Pillow scales the width first, so that the height is still that of the picture.
    scaling = pixels + size[0] * (height // divisor + size[1])
    return int(max(decoding, scaling * (1 if image.mode in ("1", "L", "I;16") else 4)))


def _decode(picture: StoredPicture, most: MaxSize) -> tuple[Any, tuple[int, int], str]:
    """The picture with 8 bits a channel and no palette, so that its colours can be mixed, the size
    that it is to get, and the format of the result; None as the first where it fits ``most``.

    Here and in `resize` each step releases the image of the step before.
    """
    image, result_format, scans = _open(picture)
    size = _fit(image, most)
    if size == image.size:
        return None, size, result_format
    if memory_needed(image, size, scans) > MOST_MEMORY:
        raise NotResizable
    image.draft(None, size)
    if image.mode == "I;16":  # `convert` would clip the values instead of dividing them
        image = image.point(lambda value: value / 256)
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        image = image.convert("RGBa")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode in ("1", "I;16") else "RGB")
    return image, size, result_format


def _open(picture: StoredPicture) -> tuple[Any, str, int]:
    """The opened image, of which only the header was read, the format of the result, and the
    number of scans. Raises `NotResizable` where the header announces too much.
    """
    PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT
    data = picture.data or b""
    image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF"))
    result_format = RESULT_FORMATS[str(image.format)]
    scans = data.count(SCAN_MARKER) if result_format == "JPEG" else 1
    is_large = image.width * image.height > MOST_PIXELS or max(image.size) > MOST_SIDE
    # `_fit` decodes a PNG, so that nothing may depend on the size that it finds.
    if is_large or scans > MOST_SCANS or memory_needed(image, (1, 1), scans) > MOST_MEMORY:
        raise NotResizable
    return image, result_format, scans


def _fit(image: Any, most: MaxSize) -> tuple[int, int]:
    """The greatest size of these proportions within ``most``, and not larger than the image."""
    width, height = image.size
    most_width, most_height = most.pixels
    if image.getexif().get(ORIENTATION) in QUARTER_TURNS:
        most_width, most_height = most_height, most_width
    scale = min(1, most_width / width, most_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _save(picture: StoredPicture, image: Any, result_format: str) -> StoredPicture:
    """The ``picture`` with the ``image`` as its data, and a suffix that fits the format."""
    out = io.BytesIO()
    image.save(out, result_format, quality=QUALITY, icc_profile=None)
    data, (stem, suffix) = out.getvalue(), splitext(picture.name)
    if CONTENT_TYPES[suffix.lower()] != CONTENT_TYPES[SUFFIXES[result_format]]:
        suffix = SUFFIXES[result_format]
    return picture._replace(name=stem + suffix, size=len(data), data=data)

"""Is a file a whole picture? Decided by its bytes alone, never by its name or age."""

import re

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
}
# JPEG: SOI and the first byte of the next marker (ITU-T T.81, B.1.1.3). PNG: RFC 2083, 3.1.
# GIF: GIF89a specification, section 17.
JPEG, PNG, GIFS = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
# A marker of JPEG, before which fill bytes of 0xFF may stand, and which ones have a meaning here
# (ITU-T T.81, B.1.1.2 and table B.1): the end of the picture, the start of a scan, and those that
# no length follows: TEM, RST0 to RST7, SOI and EOI.
MARKER = re.compile(rb"\xff++([^\x00\xff])")
JPEG_END, SCAN = b"\xff\xd9", 0xDA
WITHOUT_LENGTH = (0x01, *range(0xD0, 0xDA))
# No camera puts more segments before the first scan: 16 MiB of XMP in segments of 64 KiB are 256.
MOST_SEGMENTS = 10_000
# Blocks of a GIF (GIF89a specification, sections 20, 23 to 27).
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B

# The kinds of a file by its bytes: no bytes, no picture, the beginning of a picture, or a picture
# from its signature to its end.
EMPTY, FOREIGN, HALF, WHOLE = "empty", "foreign", "half", "whole"


def kind_of(data: bytes) -> str:
    """`EMPTY`, `FOREIGN`, `HALF` or `WHOLE`; what trails behind a picture's end does not count."""
    if not data:
        return EMPTY
    for signature, is_whole in ((JPEG, _has_jpeg_end), (PNG, _has_png_end), *_GIFS):
        if data.startswith(signature):
            return WHOLE if is_whole(data) else HALF
        if signature.startswith(data):
            return HALF
    return FOREIGN


def _has_jpeg_end(data: bytes) -> bool:
    """Whether an end mark stands behind the beginning of the first scan.

    The segments before it are skipped by their lengths: an EXIF thumbnail has its own end mark.
    Where something else than a segment stands there, an end mark behind it counts, too.
    """
    position = 2
    for _ in range(MOST_SEGMENTS):
        found = MARKER.match(data, position)
        if found is None:
            break
        marker, position = found[1][0], found.end()
        if marker not in WITHOUT_LENGTH:
            position += max(2, int.from_bytes(data[position : position + 2]))
        if marker == SCAN:
            break
    return data.rfind(JPEG_END, position) >= 0


def _has_png_end(data: bytes) -> bool:
    """Whether the chunks, by their lengths, lead to a complete IEND chunk."""
    position = len(PNG)
    while (end := position + 12 + int.from_bytes(data[position : position + 4])) <= len(data):
        kind = data[position + 4 : position + 8]
        if kind == b"IEND" or not kind.isalpha():  # zeros: room that an upload is to fill
            return kind == b"IEND"
        position = end
    return False


def _has_gif_end(data: bytes) -> bool:
    """Whether the blocks, by their lengths, lead to the trailer."""
    position = 13 + _color_table(data, 10)
    while position < len(data):
        block = data[position]
        if block == IMAGE:
            position += 11 + _color_table(data, position + 9)
        elif block == EXTENSION:
            position += 2
        else:
            return block == TRAILER
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return False


def _color_table(data: bytes, position: int) -> int:
    """The length in bytes of the colour table that the flags at ``position`` tell of."""
    flags = data[position] if position < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


_GIFS = tuple((signature, _has_gif_end) for signature in GIFS)

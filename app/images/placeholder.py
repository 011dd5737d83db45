"""What is shown where there is no picture? A placeholder with the camera's name and the reason.

It is an SVG document, a PNG file that is drawn without a library (W3C, Portable Network Graphics,
third edition, sections 5 and 11), or a JPEG file, for which Pillow encodes the same drawing.
"""

import hashlib
import pkgutil
import struct
import textwrap
import zlib
from collections.abc import Iterator
from html import escape
from typing import NamedTuple
from unicodedata import combining, normalize

from .. import clock
from ..storage.safe_open import FolderNotFound
from ..storage.snapshots import NoSnapshot, PictureNotFound, SnapshotTooOld
from . import resize

# Its full size in pixels, in the shape of most cameras' pictures.
WIDTH, HEIGHT = 640, 360
TITLE = "NO PICTURE"
REASONS: dict[type[Exception], str] = {
    FolderNotFound: "The camera's folder is missing.",
    NoSnapshot: "The camera has not uploaded a picture yet.",
    PictureNotFound: "The picture is no longer in the camera's folder.",
}
# The JPEG files that are sent where Pillow is not installed, in `placeholders/`: the beginning of
# their names, by reason, and their widths in pixels. They do not say how old a picture is.
READY_MADE = {
    REASONS[FolderNotFound]: "folder_not_found",
    REASONS[NoSnapshot]: "no_snapshot",
    REASONS[PictureNotFound]: "picture_not_found",
}
TOO_OLD = "snapshot_too_old"
READY_MADE_WIDTHS = (WIDTH, 320, 160, 64, 16)
BACKGROUND, TEXT, ACCENT = range(3)
PALETTE = ((24, 28, 34), (240, 240, 240), (255, 176, 32))
# A text is wrapped into at most this many lines.
MOST_LINES = 2
# Characters that XML cannot hold (XML 1.0, section 2.2). A name holds no control characters.
NOT_XML = str.maketrans({"\ufffe": "\ufffd", "\uffff": "\ufffd"})
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depth 8, colour type 3 (each byte is an index into the palette), and no interlacing.
PNG_FORM = (8, 3, 0, 0, 0)
# A letter's width and height, and the gap between two of them, in pixels.
LETTER_WIDTH, LETTER_HEIGHT, GAP = 5, 7, 1
# Printable ASCII, drawn by hand: two hexadecimal digits for each row of a letter from the top,
# whose five lowest bits are its pixels from the left.
FIRST = " "
HEXADECIMAL = """
00000000000000 04040404040004 0A0A0A00000000 0A0A1F0A1F0A0A 040F140E051E04 18190204081303
0C12140815120D 04040400000000 02040808080402 08040202020408 0004150E150400 0004041F040400
000000000C0408 0000001F000000 00000000000C0C 00010204081000 0E11131519110E 040C040404040E
0E11010204081F 1F02040201110E 02060A121F0202 1F101E0101110E 0608101E11110E 1F010204080808
0E11110E11110E 0E11110F01020C 000C0C000C0C00 000C0C000C0408 02040810080402 00001F001F0000
08040201020408 0E110102040004 0E11010D15150E 0E1111111F1111 1E11111E11111E 0E11101010110E
1C12111111121C 1F10101E10101F 1F10101E101010 0E11101711110F 1111111F111111 0E04040404040E
0702020202120C 11121418141211 1010101010101F 111B1515111111 11111915131111 0E11111111110E
1E11111E101010 0E11111115120D 1E11111E141211 0F10100E01011E 1F040404040404 1111111111110E
11111111110A04 1111111515150A 11110A040A1111 1111110A040404 1F01020408101F 0E08080808080E
00100804020100 0E02020202020E 040A1100000000 0000000000001F 08040200000000 00000E010F110F
1010161911111E 00000E1010110E 01010D1311110F 00000E111F100E 0609081C080808 000F11110F010E
10101619111111 04000C0404040E 0200060202120C 10101214181412 0C04040404040E 00001A15151111
00001619111111 00000E1111110E 00001E111E1010 00000D130F0101 00001619101010 00000E100E011E
08081C08080906 0000111111130D 00001111110A04 0000111115150A 0000110A040A11 000011110F010E
00001F0204081F 02040408040402 04040404040404 08040402040408 00000815020000
"""
GLYPHS = {chr(ord(FIRST) + i): bytes.fromhex(rows) for i, rows in enumerate(HEXADECIMAL.split())}
# An empty rectangle.
UNKNOWN = bytes.fromhex("1F11111111111F")

Colour = tuple[int, int, int]


class Canvas:
    """Pixels that are indices into a palette; what is drawn beyond an edge is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._rows = [bytearray(width) for _ in range(height)]

    def fill(self, x: int, y: int, width: int, height: int, index: int) -> None:
        left, right = max(0, x), min(self.width, x + width)
        if left < right:
            for row in self._rows[max(0, y) : max(0, y + height)]:
                row[left:right] = bytes([index]) * (right - left)

    def write(self, x: int, y: int, text: str, scale: int, index: int) -> None:
        """Draw one line of text from its top left corner, each pixel a square of ``scale``."""
        for character in text:
            for down, row in enumerate(GLYPHS.get(character, UNKNOWN)):
                for across in range(LETTER_WIDTH):
                    if row >> (LETTER_WIDTH - 1 - across) & 1:
                        left, top = x + across * scale, y + down * scale
                        self.fill(left, top, scale, scale, index)
            x += _advance(scale)

    def jpeg(self, palette: tuple[Colour, ...]) -> bytes:
        size, pixels = (self.width, self.height), b"".join(self._rows)
        return resize.encode_jpeg(size, pixels, _channels(palette))

    def png(self, palette: tuple[Colour, ...]) -> bytes:
        header = struct.pack(">II5B", self.width, self.height, *PNG_FORM)
        # Filter 0 before each row: its bytes are not transformed.
        pixels = b"".join(b"\0" + row for row in self._rows)
        return (
            PNG_SIGNATURE
            + _chunk(b"IHDR", header)
            + _chunk(b"PLTE", _channels(palette))
            + _chunk(b"IDAT", zlib.compress(pixels))
            + _chunk(b"IEND", b"")
        )


class Line(NamedTuple):
    """A line of text: ``scale`` enlarges the letters, ``top`` is in pixels at full size."""

    text: str
    scale: int
    top: int
    colour: int


class Placeholder(NamedTuple):
    """A placeholder that says why there is no picture; ``size``: width and height in pixels."""

    name: str
    reason: str
    size: tuple[int, int]

    def svg(self) -> bytes:
        width, height = self.size
        colours = ["#" + bytes(colour).hex() for colour in PALETTE]
        lines = "".join(
            f'<text x="50%" y="{line.top + line.scale * 7}" font-size="{line.scale * 9}" '
            f'fill="{colours[line.colour]}">{_xml(line.text)}</text>'
            for line in self.lines()
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_xml(self.reason)}">'
            f'<rect width="100%" height="100%" fill="{colours[BACKGROUND]}" '
            f'stroke="{colours[ACCENT]}" stroke-width="16"/>'
            f'<g font-family="monospace" text-anchor="middle">{lines}</g></svg>\n'
        ).encode()

    def jpeg(self) -> bytes:
        """Without Pillow: the largest ready-made file that fits, without the camera's name."""
        if resize.is_installed():
            return self._drawn().jpeg(PALETTE)
        stem = READY_MADE.get(self.reason, TOO_OLD)
        width = next(width for width in READY_MADE_WIDTHS if width <= self.size[0])
        return pkgutil.get_data(__package__, f"placeholders/{stem}_{width}.jpg") or b""

    def png(self) -> bytes:
        return self._drawn().png(PALETTE)

    def _drawn(self) -> Canvas:
        width, height = self.size
        canvas, frame = Canvas(width, height), max(1, width // 80)
        canvas.fill(0, 0, width, height, ACCENT)
        canvas.fill(frame, frame, width - 2 * frame, height - 2 * frame, BACKGROUND)
        for line in self.lines():
            scale = max(1, line.scale * width // WIDTH)
            text = _strip_accents(line.text)
            left = (width - len(text) * _advance(scale)) // 2
            canvas.write(max(frame, left), line.top * height // HEIGHT, text, scale, line.colour)
        return canvas

    def lines(self) -> Iterator[Line]:
        """The title, the name and the reason, each wrapped to the width."""
        top = 60
        for text, scale, colour in (
            (TITLE, 5, ACCENT),
            (self.name, 4, TEXT),
            (self.reason, 3, TEXT),
        ):
            columns = (WIDTH - 40) // _advance(scale)
            for part in textwrap.wrap(text, columns, max_lines=MOST_LINES, placeholder="..."):
                yield Line(part, scale, top, colour)
                top += _line_height(scale)
            top += 20


def reason(missing: Exception) -> str:
    """The sentence for the exception ``missing``."""
    if isinstance(missing, SnapshotTooOld):
        return f"The newest picture is {clock.duration(missing.age)} old."
    return REASONS[type(missing)]


def size(most: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a placeholder that fits into ``most``, at most the full size."""
    width = min(WIDTH, most[0], most[1] * WIDTH // HEIGHT)
    return width, max(1, width * HEIGHT // WIDTH)


def tag(body: bytes) -> str:
    """The ETag of these bytes; a picture's ETag consists of hexadecimal digits and ``-``."""
    return f"placeholder-{hashlib.sha256(body).hexdigest()[:16]}"


def _channels(palette: tuple[Colour, ...]) -> bytes:
    return bytes(channel for colour in palette for channel in colour)


def _xml(text: str) -> str:
    return escape(text.translate(NOT_XML))


def _advance(scale: int) -> int:
    """The distance from one letter to the next, in pixels."""
    return (LETTER_WIDTH + GAP) * scale


def _line_height(scale: int) -> int:
    """The distance from one line to the next, in pixels."""
    return (LETTER_HEIGHT + LETTER_HEIGHT // 2) * scale


def _strip_accents(text: str) -> str:
    """``text`` with its letters reduced to their base letters, most of which can be drawn."""
    return "".join(c for c in normalize("NFKD", text) if not combining(c))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

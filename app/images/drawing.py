"""How is a small picture drawn without a library? Rectangles and letters, written as PNG.

The format: W3C, Portable Network Graphics (third edition), sections 5 and 11.
"""

import struct
import zlib

from .glyphs import GLYPHS, HEIGHT, UNKNOWN, WIDTH

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depth 8, colour type 3 (each byte is an index into the palette), and no interlacing.
FORM = (8, 3, 0, 0, 0)
# Between two letters, in pixels of their drawing.
GAP = 1

Colour = tuple[int, int, int]


class Canvas:
    """Pixels that are indices into a palette; what lies beyond an edge is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._rows = [bytearray(width) for _ in range(height)]

    def fill(self, x: int, y: int, width: int, height: int, index: int) -> None:
        """A rectangle of one colour."""
        left, right = max(0, x), min(self.width, x + width)
        if left < right:
            for row in self._rows[max(0, y) : max(0, y + height)]:
                row[left:right] = bytes([index]) * (right - left)

    def write(self, x: int, y: int, text: str, scale: int, index: int) -> None:
        """One line of text from its top left corner, each of its pixels a square of ``scale``."""
        for character in text:
            for down, row in enumerate(GLYPHS.get(character, UNKNOWN)):
                for across in range(WIDTH):
                    if row >> (WIDTH - 1 - across) & 1:
                        left, top = x + across * scale, y + down * scale
                        self.fill(left, top, scale, scale, index)
            x += advance(scale)

    def png(self, palette: tuple[Colour, ...]) -> bytes:
        """The picture as a file."""
        header = struct.pack(">II5B", self.width, self.height, *FORM)
        colours = bytes(channel for colour in palette for channel in colour)
        # Filter 0 before each row: its bytes stand as they are.
        pixels = b"".join(b"\0" + row for row in self._rows)
        return (
            SIGNATURE
            + _chunk(b"IHDR", header)
            + _chunk(b"PLTE", colours)
            + _chunk(b"IDAT", zlib.compress(pixels))
            + _chunk(b"IEND", b"")
        )


def advance(scale: int) -> int:
    """From one letter to the next, in pixels."""
    return (WIDTH + GAP) * scale


def line_height(scale: int) -> int:
    """From one line to the next, in pixels."""
    return (HEIGHT + HEIGHT // 2) * scale


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

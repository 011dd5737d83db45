"""What stands in where there is no picture? A card with the camera's name and why."""

import hashlib
import textwrap
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from ..storage.safe_open import FolderNotFound
from ..storage.snapshots import NoSnapshot, PictureNotFound, SnapshotTooOld
from .drawing import Canvas, advance, line_height
from .glyphs import plain

# In pixels: the shape of most cameras' pictures.
WIDTH, HEIGHT = 640, 360
MARK = "NO PICTURE"
REASONS: dict[type[Exception], str] = {
    FolderNotFound: "The camera's folder is missing.",
    NoSnapshot: "The camera has not uploaded one yet.",
    PictureNotFound: "It is gone from the camera's folder.",
}
BACKGROUND, TEXT, ACCENT = range(3)
PALETTE = ((24, 28, 34), (240, 240, 240), (255, 176, 32))
# How many lines a text has at the most.
LINES = 2
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
# Characters that XML cannot hold (XML 1.0, section 2.2); control characters are in no name.
NOT_XML = str.maketrans({"\ufffe": "\ufffd", "\uffff": "\ufffd"})


class Line(NamedTuple):
    """A line of the card: ``size`` in letters' widths, and its top in pixels at full size."""

    text: str
    size: int
    top: int
    colour: int


class Card(NamedTuple):
    """The camera's ``name``, the ``reason`` in words, width and height in pixels."""

    name: str
    reason: str
    size: tuple[int, int]

    def svg(self) -> bytes:
        """The card as text, for whoever can render it."""
        width, height = self.size
        colours = ["#" + bytes(colour).hex() for colour in PALETTE]
        lines = "".join(
            f'<text x="50%" y="{line.top + line.size * 7}" font-size="{line.size * 9}" '
            f'fill="{colours[line.colour]}">{_xml(line.text)}</text>'
            for line in self._lines()
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_xml(self.reason)}">'
            f'<rect width="100%" height="100%" fill="{colours[BACKGROUND]}" '
            f'stroke="{colours[ACCENT]}" stroke-width="16"/>'
            f'<g font-family="monospace" text-anchor="middle">{lines}</g></svg>\n'
        ).encode()

    def png(self) -> bytes:
        """The card as pixels."""
        width, height = self.size
        canvas, frame = Canvas(width, height), max(1, width // 80)
        canvas.fill(0, 0, width, height, ACCENT)
        canvas.fill(frame, frame, width - 2 * frame, height - 2 * frame, BACKGROUND)
        for line in self._lines():
            scale = max(1, line.size * width // WIDTH)
            text = plain(line.text)
            left = (width - len(text) * advance(scale)) // 2
            canvas.write(max(frame, left), line.top * height // HEIGHT, text, scale, line.colour)
        return canvas.png(PALETTE)

    def _lines(self) -> Iterator[Line]:
        top = 60
        for text, size, colour in (
            (MARK, 5, ACCENT),
            (self.name, 4, TEXT),
            (self.reason, 3, TEXT),
        ):
            columns = (WIDTH - 40) // advance(size)
            for part in textwrap.wrap(text, columns, max_lines=LINES, placeholder="..."):
                yield Line(part, size, top, colour)
                top += line_height(size)
            top += 20


def reason(missing: Exception) -> str:
    """Why there is no picture, in words."""
    if isinstance(missing, SnapshotTooOld):
        return f"The newest one is {duration(missing.age)} old."
    return REASONS[type(missing)]


def duration(seconds: int) -> str:
    """In the largest unit that fits: ``1 minute``, ``36 hours``."""
    unit, length = next((u for u in UNITS if seconds >= 2 * u[1]), UNITS[-1])
    count = seconds // length
    return f"{count} {unit}{'' if count == 1 else 's'}"


def size(most: tuple[int, int]) -> tuple[int, int]:
    """The card's width and height within ``most``, never larger than it is by itself."""
    width = min(WIDTH, most[0], most[1] * WIDTH // HEIGHT)
    return width, max(1, width * HEIGHT // WIDTH)


def tag(body: bytes) -> str:
    """Names these bytes; a picture's tag, of hexadecimal digits, never looks like it."""
    return f"placeholder-{hashlib.sha256(body).hexdigest()[:16]}"


def _xml(text: str) -> str:
    return escape(text.translate(NOT_XML))

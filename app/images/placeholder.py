"""What is shown where there is no picture? A card with the camera's name and the reason."""

import hashlib
import textwrap
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from .. import clock
from ..storage.safe_open import FolderNotFound
from ..storage.snapshots import NoSnapshot, PictureNotFound, SnapshotTooOld
from .drawing import Canvas, advance, line_height, strip_accents

# The card's size in pixels, in the shape of most cameras' pictures.
WIDTH, HEIGHT = 640, 360
TITLE = "NO PICTURE"
REASONS: dict[type[Exception], str] = {
    FolderNotFound: "The camera's folder is missing.",
    NoSnapshot: "The camera has not uploaded a picture yet.",
    PictureNotFound: "The picture is no longer in the camera's folder.",
}
BACKGROUND, TEXT, ACCENT = range(3)
PALETTE = ((24, 28, 34), (240, 240, 240), (255, 176, 32))
# A text is wrapped into at most so many lines.
MOST_LINES = 2
# Characters that XML cannot hold (XML 1.0, section 2.2). A name holds no control characters.
NOT_XML = str.maketrans({"\ufffe": "\ufffd", "\uffff": "\ufffd"})


class Line(NamedTuple):
    """A line of the card: ``scale`` enlarges the letters, ``top`` is in pixels at full size."""

    text: str
    scale: int
    top: int
    colour: int


class Card(NamedTuple):
    """A card that says why a camera shows nothing; ``size``: width and height in pixels."""

    name: str
    reason: str
    size: tuple[int, int]

    def svg(self) -> bytes:
        """The card as an SVG document."""
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

    def png(self) -> bytes:
        """The card as a PNG file."""
        width, height = self.size
        canvas, frame = Canvas(width, height), max(1, width // 80)
        canvas.fill(0, 0, width, height, ACCENT)
        canvas.fill(frame, frame, width - 2 * frame, height - 2 * frame, BACKGROUND)
        for line in self.lines():
            scale = max(1, line.scale * width // WIDTH)
            text = strip_accents(line.text)
            left = (width - len(text) * advance(scale)) // 2
            canvas.write(max(frame, left), line.top * height // HEIGHT, text, scale, line.colour)
        return canvas.png(PALETTE)

    def lines(self) -> Iterator[Line]:
        """The title, the name and the reason, each wrapped to the width of the card."""
        top = 60
        for text, scale, colour in (
            (TITLE, 5, ACCENT),
            (self.name, 4, TEXT),
            (self.reason, 3, TEXT),
        ):
            columns = (WIDTH - 40) // advance(scale)
            for part in textwrap.wrap(text, columns, max_lines=MOST_LINES, placeholder="..."):
                yield Line(part, scale, top, colour)
                top += line_height(scale)
            top += 20


def reason(missing: Exception) -> str:
    """The sentence on the card for the exception ``missing``."""
    if isinstance(missing, SnapshotTooOld):
        return f"The newest picture is {clock.duration(missing.age)} old."
    return REASONS[type(missing)]


def size(most: tuple[int, int]) -> tuple[int, int]:
    """The card's width and height, at most ``most`` and at most its own."""
    width = min(WIDTH, most[0], most[1] * WIDTH // HEIGHT)
    return width, max(1, width * HEIGHT // WIDTH)


def tag(body: bytes) -> str:
    """The ETag of a card's bytes; a picture's ETag consists of hexadecimal digits and ``-``."""
    return f"placeholder-{hashlib.sha256(body).hexdigest()[:16]}"


def _xml(text: str) -> str:
    return escape(text.translate(NOT_XML))

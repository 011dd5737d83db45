"""Writes the placeholders for a service without Pillow: python -m tests.placeholders."""

from collections.abc import Iterator
from pathlib import Path

from app.images import placeholder
from app.images.placeholder import READY_MADE, READY_MADE_WIDTHS, TOO_OLD, Placeholder

FOLDER = Path(placeholder.__file__).with_name("placeholders")


def ready_made() -> Iterator[tuple[Path, Placeholder]]:
    """Every file, and what it shows."""
    for reason, stem in {**READY_MADE, "The newest picture is too old.": TOO_OLD}.items():
        for width in READY_MADE_WIDTHS:
            shown = Placeholder("", reason, placeholder.size((width, width)))
            yield FOLDER / f"{stem}_{width}.jpg", shown


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, shown in ready_made():
        file.write_bytes(shown.jpeg())

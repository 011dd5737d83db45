"""How far is a command that takes long? A bar on stderr, for whoever looks on."""

import io
import sys
from typing import Any

import click


def bar(length: int) -> Any:
    """Of so many steps, as a context manager; into a file or a pipe nothing of it is written."""
    file = sys.stderr if is_looked_on() else io.StringIO()
    return click.progressbar(length=length, file=file)


def is_looked_on() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr.isatty()

"""What must never be written down? A token, wherever it stands."""

import re

# How `tokens` makes them, and the same with what a URL may escape.
TOKEN = re.compile(r"nvr(?:_|%5[Ff])(?:[A-Za-z0-9_-]|%2[Dd]|%5[Ff]){43,}")
HIDDEN = "nvr_(hidden)"


def without_tokens(text: str) -> str:
    """``text`` with every token in it replaced; call it before ``text`` is cut."""
    return TOKEN.sub(HIDDEN, text)

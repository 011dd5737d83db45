"""How do names on the disk read, whose bytes may be in any encoding and normalisation?

Linux takes a name for bytes; Python keeps those that are not UTF-8 as lone surrogates
(``surrogateescape``, PEP 383), which no JSON text holds.
"""

import contextlib
import os
from unicodedata import normalize


def as_text(name: str) -> str:
    """The name as UTF-8 if it is valid, else as GB18030 (which contains GBK) where that decodes
    and more than half of its bytes are not ASCII, else as Latin-1.
    """
    data = os.fsencode(name)
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode()
    if 2 * sum(byte > 0x7F for byte in data) > len(data):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("gb18030")
    return data.decode("latin-1")


def reading(name: str) -> str:
    """The same for all names that read alike, whatever their encoding and normalisation are."""
    return normalize("NFC", as_text(name))


def folders_that_read(text: str, folder: int) -> list[str]:
    """The names of the folders in the open ``folder`` that read like ``text``, sorted.

    Of a ``text`` in ASCII none is looked for: no other bytes read like it.
    """
    if text.isascii():
        return []
    wanted, found = normalize("NFC", text), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            is_alike = not entry.name.isascii() and reading(entry.name) == wanted
            if is_alike and entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found)

"""How is a file name turned into text, whatever its encoding and normalisation are?

For Linux a name is bytes. Python decodes those that are not UTF-8 to lone surrogates
(``surrogateescape``, PEP 383), which JSON cannot contain.
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


def normalised(name: str) -> str:
    """The normalised text of a name: the same for all names that read alike."""
    return normalize("NFC", as_text(name))


def folders_that_read(text: str, folder: int) -> list[str]:
    """The names of the folders in the open ``folder`` that read like ``text``, sorted.

    For a ``text`` in ASCII the result is empty: no other bytes read like it.
    """
    if text.isascii():
        return []
    wanted, found = normalize("NFC", text), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            is_alike = not entry.name.isascii() and normalised(entry.name) == wanted
            if is_alike and entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found)

"""Is this the database that was here before? A number in it must equal one in a file beside it.

Both change when the service starts and stops, with each run of retention, and when a person names
a limit of pictures, keeps a picture or releases it, so that an older copy of the database has
another number than the file. The file has the present number and, while it changes, the next one:
the process may end at any moment.
"""

import logging
import secrets

from .. import clock
from ..db import database, files, writer
from ..models import RetentionFact

log = logging.getLogger(__name__)

NUMBER = "number"
# Stands in the file for a database that has no number yet.
NO_NUMBER = "-"


def is_other() -> bool:
    """Whether the database was restored, or another file was put in its place."""
    seen = None
    while seen != (found := (_stored(), _beside())):  # else it is changing
        if _match(*found):
            return False
        seen = found
    return True


def renew() -> None:
    """Change the number, unless the database is another one. Raises `OSError`."""
    writer.run(_renew_if_same)
    drop_old_numbers()


def renew_in_change() -> None:
    """Do the same inside a change; call `drop_old_numbers` after it.

    An error of the file is only logged.
    """
    try:
        _renew_if_same()
    except OSError:
        log.exception("the number beside the database could not be changed")


def resume() -> None:
    """Let the database count as the one that was here before. Raises `OSError`."""
    writer.run(_begin)
    drop_old_numbers()


def resume_in_change() -> None:
    """Do the same as `resume` inside a change; call `drop_old_numbers` after it.

    Raises `OSError` where it is another database and the file cannot be written.
    """
    try:
        _begin()
    except OSError:
        if not _match(_stored(), _beside()):
            raise
        log.exception("the number beside the database could not be changed")


def drop_old_numbers() -> None:
    """Leave only the present number in the file; until that succeeds, an older one counts too."""
    try:
        writer.run(_write_present)
    except OSError:
        log.exception("the number beside the database could not be written")


def _renew_if_same() -> None:
    if _match(_stored(), _beside()):
        _begin()


def _begin() -> None:
    """Add a new number to the file, then change the one in the database."""
    stored, beside = _stored(), _beside()
    known = [stored or NO_NUMBER] if _match(stored, beside) else beside or []
    number = secrets.token_hex(16)
    _write([*known, number])
    RetentionFact.note(NUMBER, number, clock.rfc3339(clock.now()))


def _write_present() -> None:
    stored, beside = _stored(), _beside()
    if stored and beside and stored in beside and len(beside) > 1:
        _write([stored])


def _match(stored: str | None, beside: list[str] | None) -> bool:
    """Whether the numbers are the same; a new database has none, and no file."""
    return stored is None if beside is None else (stored or NO_NUMBER) in beside


def _stored() -> str | None:
    known = RetentionFact.find(name=NUMBER)
    return None if known is None else str(RetentionFact.decode(known))


def _beside() -> list[str] | None:
    """The numbers in the file; None where it does not exist, none where it cannot be read."""
    text = files.text_of(_path())
    return None if text is None else text.split()


def _write(numbers: list[str]) -> None:
    files.replace_text(_path(), f"{' '.join(numbers)}\n", like=database.path)


def _path() -> str:
    return f"{database.path}{files.NUMBER_SUFFIX}"

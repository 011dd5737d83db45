"""What is wrong with what lies in a camera's folder, and what should a person do about it?

One row for each trouble: its word, and a sentence that ends in something to do, or None.
"""

from collections.abc import Callable
from functools import partial

from .. import clock
from ..models import Row
from .candidate_checks import BEING_WRITTEN
from .facts import Facts
from .folder_advice import service_user
from .skipped_files import PASSED_OVER, PassedOver
from .survey import STALE_SECONDS

# A camera's clock may be ahead by so much, in seconds.
AHEAD_SECONDS = 60


def no_picture(facts: Facts) -> str | None:
    """Nothing was uploaded, or nothing that can be shown."""
    survey = facts.survey
    if survey is None or survey.pictures or not survey.complete:
        return None
    if survey.others:
        kinds = ", ".join(f"{n} {s or 'without suffix'}" for s, n in survey.others.most_common(5))
        return (
            f"The folder holds no picture, but other files ({kinds}). Let the camera upload "
            "pictures whose names end in .jpg, .jpeg, .png or .gif; others are not shown."
        )
    if survey.temporary or survey.passed_over.total():
        return "The folder holds no picture that can be shown yet. The other problems say why."
    return (
        "Nothing is in the folder yet. Check in the camera that FTP upload is switched on, with "
        "this box's address, the right user and password and the right folder, and let it upload "
        "a test picture; the FTP server's log shows whether it comes through."
    )


def passed_over(row: PassedOver, facts: Facts) -> str | None:
    """The sentence of ``row``, where there is any such file."""
    count = facts.survey.passed_over[row.kind] if facts.survey else 0
    if not count:
        return None
    return row.sentence.format(n=count, user=service_user(), bytes=facts.most_bytes)


def foreign_files(facts: Facts) -> str | None:
    """The suffix promises a picture and the first bytes are none."""
    foreign = facts.trials.foreign if facts.trials else []
    if not foreign:
        return None
    return (
        "Files that are named like pictures but do not begin as JPEG, PNG or GIF do: "
        f"{len(foreign)} of the newest, for example {foreign[0].path}. Set the camera to one of "
        "these formats, and to FTP's binary mode."
    )


def unfinished_uploads(facts: Facts) -> str | None:
    """Uploads that nobody goes on with."""
    survey, trials = facts.survey, facts.trials
    if survey is None or trials is None:
        return None
    halves = [u.file for u in trials.unfinished if u.because != BEING_WRITTEN]
    until = (facts.now.timestamp() - STALE_SECONDS) * 1e9
    stale = [file for file in [*survey.temporary, *halves] if file.mtime_ns < until]
    if not stale:
        return None
    return (
        f"Uploads that were never finished: {len(stale)}, for example {stale[0].path}. The "
        "connection breaks off: check the camera's network, the free space and the FTP server's "
        "time-outs; what is left over can be deleted."
    )


def clock_ahead(facts: Facts) -> str | None:
    """A time in the future hides every picture that comes before it."""
    newest = facts.trials.newest if facts.trials else None
    ahead = newest.mtime_ns / 1e9 - facts.now.timestamp() if newest else 0
    if ahead < AHEAD_SECONDS:
        return None
    return (
        f"The newest picture's time lies {int(ahead)} seconds in the future, so newer ones stay "
        "hidden behind it until then. Set the clocks of the camera and of this box (by NTP), and "
        "delete the picture."
    )


def silent(facts: Facts) -> str | None:
    """It was seen, and then no more."""
    if not facts.silent_since or not facts.offline_after:
        return None
    seconds = (facts.now - clock.parse(facts.silent_since)).total_seconds()
    if seconds < facts.offline_after:
        return None
    return (
        f"The camera has uploaded nothing for {_span(seconds)}. Check its power, its network and "
        "its FTP settings, whether it uploads on motion only, and whether the disk is full."
    )


def shared_folder(facts: Facts) -> str | None:
    """Two cameras, one folder: each shows what the other sees."""
    if not facts.sharing:
        return None
    return (
        f"The folder is also the one of {_names(facts.sharing)}: each shows whatever comes last. "
        "Give every camera a folder of its own."
    )


def nested_folder(facts: Facts) -> str | None:
    """Sub-folders are looked through, also those of other cameras."""
    if not facts.nested:
        return None
    return (
        f"The folder of {_names(facts.nested)} lies inside this one, so its pictures show here "
        "too. Give this camera a folder beside it."
    )


def polled(facts: Facts) -> str | None:
    """Right, but slower."""
    if not facts.polling:
        return None
    return f"The folder is read again and again instead of watched: {facts.polling}."


def _names(cameras: list[Row]) -> str:
    return ", ".join(f"“{camera['name']}”" for camera in cameras)


def _span(seconds: float) -> str:
    units = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, size = next((u for u in units if seconds >= 2 * u[1]), units[-1])
    return f"{int(seconds // size)} {name}"


TROUBLES: tuple[tuple[str, Callable[[Facts], str | None]], ...] = (
    ("no_picture", no_picture),
    *((row.code, partial(passed_over, row)) for row in PASSED_OVER),
    ("foreign_files", foreign_files),
    ("unfinished_uploads", unfinished_uploads),
    ("clock_ahead", clock_ahead),
    ("silent", silent),
    ("shared_folder", shared_folder),
    ("nested_folder", nested_folder),
    ("polling", polled),
)

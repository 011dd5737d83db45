"""What do the monitor and the event loop say of themselves?"""

from typing import NamedTuple


class Pulse(NamedTuple):
    """What the monitor says of itself.

    ``still``: seconds since its last round began, None before the first; ``leads``: whether it is
    this process that monitors; ``faulty``: whether the last round failed; ``failing``: how many
    cameras it fails to look after; ``failures``: of all kinds, since the start.
    """

    still: float | None = None
    leads: bool = False
    faulty: bool = False
    failing: int = 0
    failures: int = 0


class ServerPulse(NamedTuple):
    """What the event loop says of itself.

    ``answers``: whether no request waits in vain; ``failures``: how often the loop failed since
    the start; ``seconds_since_failure``: since the last time.
    """

    answers: bool = True
    failures: int = 0
    seconds_since_failure: float = float("inf")

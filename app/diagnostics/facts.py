"""What is known of a camera that a sentence about its troubles may speak of?"""

from datetime import datetime
from typing import NamedTuple

from ..models import Row
from .candidate_checks import Trials
from .survey import Survey


class Facts(NamedTuple):
    """What is known of a camera that a sentence may speak of.

    ``offline_after`` in seconds, 0 for never; ``most_bytes`` of a picture; ``sharing`` and
    ``nested``: the cameras of the same folder, and of folders inside it; ``polling``: why the
    folder is read instead of watched; ``silent_since``: the last sign of the camera.
    """

    camera: Row
    now: datetime
    offline_after: int
    most_bytes: int
    sharing: list[Row]
    nested: list[Row]
    survey: Survey | None = None
    trials: Trials | None = None
    polling: str | None = None
    silent_since: str | None = None

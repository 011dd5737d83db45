"""What is a row of the table, and of which group?"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the table: what, in which unit, how much is good (None: no goal), and how.

    The goal is the most that is good, or, ``at_least``, the least. What cannot be measured on
    this machine is None.
    """

    name: str
    unit: str
    goal: float | None
    measure: Callable[[Any], float | None]
    at_least: bool = False

    def meets(self, value: float) -> bool:
        """Whether ``value`` is good enough."""
        return self.goal is None or (value >= self.goal if self.at_least else value <= self.goal)


@dataclass(frozen=True, slots=True)
class Group:
    """Measurements on one running service, and a paragraph about their method."""

    stage: Callable[[], AbstractContextManager[Any]]
    measurements: Sequence[Measurement]
    method: str

"""What is a row of the table, and a group of rows?"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the table: its name, unit, goal (None: no goal) and the function that measures it.

    The value is to be at most the goal, or at least the goal if ``at_least``. ``measure`` returns
    None where this machine cannot measure it.
    """

    name: str
    unit: str
    goal: float | None
    measure: Callable[[Any], float | None]
    at_least: bool = False

    def meets(self, value: float) -> bool:
        """Whether ``value`` meets the goal."""
        return self.goal is None or (value >= self.goal if self.at_least else value <= self.goal)


@dataclass(frozen=True, slots=True)
class Group:
    """Measurements on one running service, and a paragraph about the method."""

    stage: Callable[[], AbstractContextManager[Any]]
    measurements: Sequence[Measurement]
    method: str

"""Which filters does each list take? Every combination of them, each with several values."""

from collections.abc import Iterator
from itertools import product
from urllib.parse import urlencode

from benchmarks.stock import IDLE, OTHER, OWNER

# Three values of each: one that nearly all rows have, one that only the oldest have, one of none.
BEFORE_ALL, EARLY, LATE, AFTER_ALL = (
    f"{day}T00:00:00Z" for day in ("2025-01-01", "2025-06-16", "2025-10-08", "2027-01-01")
)
PERIOD = {"start_date": (BEFORE_ALL, LATE, AFTER_ALL), "end_date": (AFTER_ALL, EARLY, BEFORE_ALL)}
FILTERS = {
    "detections": {
        "camera_id": (OWNER, OTHER, IDLE),
        "event_id": (100_000, 1, 999_999_999),
        "object_type": ("person", "bear", "unicorn"),
        # The rare rows have 0.97; 0.94999 lies within a bucket that holds many rows.
        "min_confidence": ("0.3", "0.94999", "0.99"),
        **PERIOD,
    },
    "events": {
        "camera_id": (OWNER, OTHER, IDLE),
        "risk_level": ("low", "critical"),
        "reviewed": ("false", "true"),
        "object_type": ("person", "bear", "unicorn"),
        **PERIOD,
    },
    "audit": {
        "action": ("event_updated", "camera_updated", "nothing"),
        "resource_type": ("event", "camera", "nothing"),
        "resource_id": ("often", "rare", "nothing"),
        "actor": ("anonymous", "admin", "nobody"),
        **PERIOD,
    },
}


def combinations(name: str, most_values: int = 3) -> Iterator[str]:
    """Paths of the list ``name``, each with a query string to which more can be added."""
    filters = FILTERS[name]
    for values in product(*((None, *known[:most_values]) for known in filters.values())):
        given = {key: value for key, value in zip(filters, values, strict=True) if value}
        yield f"/api/{name}?{urlencode(given | {'limit': 50})}"

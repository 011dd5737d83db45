"""What exists? Cameras, what detectors saw, the events it adds up to, and who changed what.

All times are RFC 3339 text in UTC with six digits of a second (`clock.rfc3339`). Reads answer
plain dicts in the contract's order instead of model objects: they go to the wire as they are.
"""

from collections.abc import Iterable

from .audit import AuditEntry
from .base import NotFound, Record, Refused, Row, fetch, rows
from .cameras import STATUSES, Camera
from .records import BANDS, RISK_LEVELS, Detection, Event, band, types_of, types_text
from .secrets import Secret
from .table_versions import Revision
from .tokens import Token

# How the service runs, and not what it knows of cameras.
INTERNAL: tuple[type[Record], ...] = (Revision, Secret, Token)
MODELS: Iterable[type[Record]] = (Camera, Event, Detection, AuditEntry, *INTERNAL)

__all__ = [
    "BANDS",
    "INTERNAL",
    "MODELS",
    "RISK_LEVELS",
    "STATUSES",
    "AuditEntry",
    "Camera",
    "Detection",
    "Event",
    "NotFound",
    "Record",
    "Refused",
    "Revision",
    "Row",
    "Secret",
    "Token",
    "band",
    "fetch",
    "rows",
    "types_of",
    "types_text",
]

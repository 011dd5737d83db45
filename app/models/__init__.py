"""What exists? Cameras, what detectors saw, the events it adds up to, and who changed what.

All times are RFC 3339 text in UTC with six digits of a second (`clock.rfc3339`). Reads answer
plain dicts in the contract's order instead of model objects: they go to the wire as they are.
"""

from collections.abc import Iterable

from app.models.audit import AuditEntry
from app.models.base import NotFound, Record, Refused, Row, fetch, rows
from app.models.cameras import STATUSES, Camera
from app.models.records import BANDS, RISK_LEVELS, Detection, Event, band, types_of, types_text
from app.models.secrets import Secret
from app.models.tokens import Token

MODELS: Iterable[type[Record]] = (Camera, Event, Detection, AuditEntry, Secret, Token)

__all__ = [
    "BANDS",
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
    "Row",
    "Secret",
    "Token",
    "band",
    "fetch",
    "rows",
    "types_of",
    "types_text",
]

"""What exists? Cameras, what detectors saw, the events it adds up to, and who changed what.

All times are RFC 3339 text in UTC with six digits of a second (`clock.rfc3339`). Reads answer
plain dicts in the contract's order instead of model objects: they go to the wire as they are.
"""

from collections.abc import Iterable

from app.models.audit import AuditEntry
from app.models.base import NotFound, Record, Refused, Row, fetch, rows
from app.models.cameras import STATUSES, Camera
from app.models.records import BANDS, RISK_LEVELS, Detection, Event, band, types_of, types_text
from app.models.revisions import Revision
from app.models.secrets import Secret
from app.models.tokens import Token

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

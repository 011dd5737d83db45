"""Who changed what? Every change writes one entry, in the transaction of the change itself."""

import json
from typing import NamedTuple

from .. import clock
from ..logs import without_tokens
from ..models import AuditEntry, Row


class Caller(NamedTuple):
    """Who asks for a change: `anonymous`, a token's name or `monitor`, and from where."""

    actor: str
    ip_address: str | None = None
    user_agent: str | None = None


def record(action: str, by: Caller, resource_type: str, resource: Row, details: Row) -> None:
    """Note that ``by`` did ``action`` to ``resource``, whose ``id`` and ``name`` are kept.

    A token that stands in one of the values is not.
    """
    name = resource.get("name")
    AuditEntry.add(
        {
            "timestamp": clock.rfc3339(clock.now()),
            "action": action,
            "resource_type": resource_type,
            "resource_id": str(resource["id"]),
            "resource_name": without_tokens(name) if name else name,
            "details": without_tokens(json.dumps(details, ensure_ascii=False)),
            **by._asdict(),
        }
    )


def differences(old: Row, new: Row) -> Row:
    """The fields of ``new`` that differ from ``old``: field → ``{"old": …, "new": …}``."""
    return {
        field: {"old": old[field], "new": value}
        for field, value in new.items()
        if old[field] != value
    }

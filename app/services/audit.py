"""Who changed what? Every change writes one audit entry, in the transaction of the change."""

import json
from typing import NamedTuple

from .. import clock
from ..logs import without_tokens
from ..models import AuditEntry, Row


class Caller(NamedTuple):
    """Who makes a change: `anonymous`, a token's name, `monitor` or `cli`; and from where."""

    actor: str
    ip_address: str | None = None
    user_agent: str | None = None


def record(action: str, by: Caller, resource_type: str, resource: Row, details: Row) -> None:
    """Write an entry: ``by`` did ``action`` to the ``resource`` with this ``id`` and ``name``.

    Call it inside the change. Tokens in the name and the details are masked.
    """
    name = resource.get("name")
    AuditEntry.insert_row(
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

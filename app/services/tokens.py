"""How are access tokens created, found and revoked? Only hashes of their secrets are stored."""

import hashlib
import hmac
import re
import secrets
import threading
from datetime import datetime, timedelta

from .. import clock
from ..clock import rfc3339
from ..db import writer
from ..logs import without_tokens
from ..models import Row, Token
from . import audit
from .audit import Caller

ROLES = ("read", "write")
SECRET_BYTES = 32
SHAPE = re.compile(r"nvr_[A-Za-z0-9_-]{43}")
NAME_CHARACTERS = 100
# The audit log uses these names for callers without a token.
RESERVED = ("anonymous", "monitor", "cli")
# How often the last use of a token is written at most: SD cards wear.
USAGE_INTERVAL = timedelta(hours=1)


class NoToken(Exception):
    """The request needs a token and has none, or an unknown one."""


class NotAllowed(Exception):
    """The token's role does not allow the request."""


class BadName(ValueError):
    """No token can have this name; the text says why."""


class UnknownName(LookupError):
    """There is no token of this name; the text says so."""


class TokenUsage:
    """The last uses of tokens that are not written yet. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[int, datetime] = {}
        self._lock = threading.Lock()

    def note(self, token: Row, now: datetime) -> None:
        """Note that the token with this row is used ``now``."""
        last = token["last_used_at"]
        if last is None or last < rfc3339(now - USAGE_INTERVAL):
            with self._lock:
                self._waiting[token["id"]] = now

    def forget(self) -> None:
        """Discard all uses that are not written yet."""
        with self._lock:
            self._waiting.clear()

    def write(self) -> None:
        """Write all uses; if that fails, they are kept."""
        with self._lock:
            written = dict(self._waiting)
        if not written:
            return

        def note_all() -> None:
            for token_id, now in written.items():
                Token.note_use(token_id, rfc3339(now), rfc3339(now - USAGE_INTERVAL))

        writer.run(note_all)
        with self._lock:
            for token_id in written:
                del self._waiting[token_id]


# One for the process, like the database.
usage = TokenUsage()


def create(name: str, role: str, by: Caller) -> tuple[Row, str]:
    """Create a token; return its row, and its secret, which is not stored. Raises `BadName`."""
    _check_name(name)
    secret = f"nvr_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = {"name": name, "role": role, "created_at": rfc3339(clock.now())}

    def add() -> None:
        if Token.find(name=name):
            raise BadName("another token has this name: revoke it, or choose another name")
        token_id = Token.insert_row({**row, "hash": _digest(secret)})
        audit.record("token_created", by, "token", {"id": token_id, **row}, {"role": role})

    writer.run(add)
    return {**row, "last_used_at": None}, secret


def revoke(name: str, by: Caller) -> Row:
    """Delete the token of this ``name`` and return its row. Raises `UnknownName`."""

    def remove() -> Row:
        token = Token.find(name=name)
        if token is None:
            raise UnknownName("there is no token of this name")
        Token.remove(token["id"])
        audit.record("token_revoked", by, "token", token, {"role": token["role"]})
        return token

    return writer.run(remove)


def find(secret: str) -> Row | None:
    """The token of this secret, or None.

    The time of the search in the index reveals nothing, because nobody can choose a secret by its
    hash. The hashes are compared in constant time all the same.
    """
    if not SHAPE.fullmatch(secret):
        return None
    digest = _digest(secret)
    token = Token.find(hash=digest)
    return token if token and hmac.compare_digest(token["hash"], digest) else None


def _digest(secret: str) -> str:
    """SHA-256 without salt: it is enough from 112 bits of entropy on (NIST SP 800-63B, section
    5.1.2.2), and a secret has 256.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise BadName(f"give 1 to {NAME_CHARACTERS} printable characters, none at the ends blank")
    if name.casefold() in RESERVED:
        raise BadName("the audit log uses this name for callers without a token")
    if without_tokens(name) != name:
        raise BadName("this is a token: choose a name that may be shown")

"""Who may ask? Bearers of tokens, which are shown once, kept as hashes and revoked at once."""

import hashlib
import hmac
import re
import secrets

from .. import clock
from ..db import writer
from ..logs import without_tokens
from ..models import Row, Token
from . import audit
from .audit import Caller

ROLES = ("read", "write")
SECRET_BYTES = 32
SHAPE = re.compile(r"nvr_[A-Za-z0-9_-]{43}")
NAME_CHARACTERS = 100
# Whom the audit log calls so without a token.
RESERVED = ("anonymous", "monitor", "cli")


class NoToken(Exception):
    """What is asked for needs a token, and none was given or it is not known."""


class NotAllowed(Exception):
    """The token is known, and its role is not enough."""


class BadName(ValueError):
    """A name that no token can have; the text says why."""


class UnknownName(LookupError):
    """There is no token of this name; the text says so."""


def create(name: str, role: str, by: Caller) -> tuple[Row, str]:
    """A new token's row and its secret, which nobody can ask for again; raises `BadName`."""
    _refuse_name(name)
    secret = f"nvr_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = {"name": name, "role": role, "created_at": clock.rfc3339(clock.now())}

    def add() -> None:
        if _named(name):
            raise BadName("another token has this name: revoke it, or choose another name")
        token_id = int(Token.insert(row, hash=_digest(secret)).execute())
        audit.record("token_created", by, "token", {"id": token_id, **row}, {"role": role})

    writer.run(add)
    return {**row, "last_used_at": None}, secret


def revoke(name: str, by: Caller) -> Row:
    """The row of the token that is no more; raises `UnknownName`."""

    def remove() -> Row:
        for token in _named(name):
            Token.delete().where(Token.id == token["id"]).execute()
            audit.record("token_revoked", by, "token", token, {"role": token["role"]})
            return token
        raise UnknownName("there is no token of this name")

    return writer.run(remove)


def find(secret: str) -> Row | None:
    """The token of this secret as it is stored now, or None. Reads only.

    The index finds it by its hash, and how long that takes tells nothing of a secret: nobody can
    choose a secret by its hash. What is found is compared in constant time all the same.
    """
    if not SHAPE.fullmatch(secret):
        return None
    digest = _digest(secret)
    for token in Token.of_hash(digest):
        if hmac.compare_digest(token["hash"], digest):
            return token
    return None


def _digest(secret: str) -> str:
    """SHA-256, without salt and stretching: those are for what people choose.

    A secret of at least 112 bits of entropy needs a one-way function only (NIST SP 800-63B,
    section 5.1.2.2); this one has 256.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise BadName(f"give 1 to {NAME_CHARACTERS} printable characters without outer blanks")
    if name.casefold() in RESERVED:
        raise BadName("the audit log calls somebody else so")
    if without_tokens(name) != name:
        raise BadName("this is a token: give it a name that may be seen")


def _named(name: str) -> list[Row]:
    return [token for token in Token.listing() if token["name"] == name]

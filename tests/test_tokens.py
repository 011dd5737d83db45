"""Are tokens shown once, found only by their whole secret, and useless once revoked?"""

import hashlib
import hmac
import re

import pytest

from app import clock
from app.db import database
from app.models import Token
from app.services import tokens
from app.services.audit import Caller
from tests import effort
from tests.effort import plans
from tests.rows import entries_of

pytestmark = pytest.mark.usefixtures("app")

BY = Caller("cli")
BAD_NAMES = [
    "",
    " ",
    "x" * 101,
    "a\n",
    "a\tb",
    "a\x00",
    " a",
    "a ",
    "a\u202eb",
    "\udcff",
    "\u2028",
]
TAKEN = ["anonymous", "monitor", "cli", "Anonymous", "MONITOR"]


@pytest.fixture
def secret():
    """The secret of a token called phone, which may read."""
    return tokens.create("phone", "read", BY)[1]


def stored():
    """The rows of the table."""
    return database.execute_sql("SELECT * FROM token").fetchall()


def test_a_token_is_32_random_bytes_and_only_its_hash_is_stored(secret):
    assert re.fullmatch(r"nvr_[A-Za-z0-9_-]{43}", secret)
    assert tokens.create("tablet", "write", BY)[1] != secret
    assert secret not in str(stored())
    assert hashlib.sha256(secret.encode()).hexdigest() in str(stored())


def test_a_token_is_found_by_its_whole_secret_only(secret):
    found = tokens.find(secret)
    assert (found["name"], found["role"]) == ("phone", "read")
    (digest,) = (row[3] for row in stored())
    wrong = [secret[:-1], secret + "A", secret + "\n", secret.lower(), secret[4:], digest, "", "%"]
    wrong += [f"nvr_{'A' * 43}", f" {secret}", f"nvr_{digest[:43]}", "\udcff" * 47, "ü" * 47]
    assert [tokens.find(other) for other in wrong] == [None] * len(wrong)


def test_hashes_are_compared_in_constant_time(secret, monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert tokens.find(secret) is None
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert compared == [(digest, digest)]


def test_a_token_is_looked_up_in_an_index_by_one_query(secret):
    (plan,) = plans(lambda: tokens.find(secret)).values()
    assert [line[:6] for line in plan] == ["SEARCH"]
    assert plans(lambda: tokens.find("no token")) == {}


def test_a_revoked_token_is_unknown_at_once_and_others_are_not(secret):
    other = tokens.create("tablet", "write", BY)[1]
    tokens.revoke("phone", BY)
    assert tokens.find(secret) is None
    assert tokens.find(other)["name"] == "tablet"
    with pytest.raises(tokens.UnknownName):
        tokens.revoke("phone", BY)


@pytest.mark.parametrize("name", [*BAD_NAMES, *TAKEN, f"nvr_{'A' * 43}"], ids=ascii)
def test_a_name_that_no_token_can_have_stores_nothing(name):
    with pytest.raises(tokens.BadName):
        tokens.create(name, "read", BY)
    assert stored() == []


@pytest.mark.parametrize("name", ["x", "x" * 100, "Tür ✓ 門", "home assistant", "a'; --"])
def test_any_other_printable_name_is_kept(name):
    tokens.create(name, "read", BY)
    assert [token["name"] for token in Token.listing()] == [name]
    tokens.revoke(name, BY)
    assert Token.listing() == []


def test_a_name_can_be_used_again_after_its_token_is_revoked(secret):
    with pytest.raises(tokens.BadName, match="another token"):
        tokens.create("phone", "write", BY)
    tokens.revoke("phone", BY)
    assert tokens.find(tokens.create("phone", "write", BY)[1])["role"] == "write"
    assert tokens.find(secret) is None


def test_the_audit_log_holds_creation_and_revocation_but_no_secret(secret):
    (made,) = stored()
    tokens.revoke("phone", BY)
    entries = entries_of(str(made[0]))
    assert [entry["action"] for entry in entries] == ["token_created", "token_revoked"]
    for entry in entries:
        assert (entry["actor"], entry["resource_type"]) == ("cli", "token")
        assert (entry["resource_name"], entry["details"]) == ("phone", {"role": "read"})
        assert secret not in str(entry)
        assert made[3] not in str(entry)


def test_a_use_is_written_beside_the_requests_at_most_once_an_hour(secret):
    start = clock.parse("2026-11-23T10:00:00.000000Z")

    def used_after(minutes):
        now = start + tokens.USAGE_INTERVAL * minutes / 60
        before = stored()
        tokens.usage.note(tokens.find(secret), now)
        assert stored() == before
        tokens.usage.write()
        return Token.listing()[0]["last_used_at"][11:19]

    assert Token.listing()[0]["last_used_at"] is None
    moments = [used_after(minutes) for minutes in (0, 1, 59, 60, 61, 90, 121, 122)]
    assert moments == ["10:00:00"] * 4 + ["11:01:00"] * 3 + ["12:02:00"]


def test_without_a_new_use_nothing_is_written(secret):
    changes = effort.changes()
    assert plans(tokens.usage.write) == {}
    tokens.usage.note(tokens.find(secret), clock.now())
    tokens.usage.write()
    tokens.usage.write()
    assert effort.changes() == changes + 1


def test_a_use_that_could_not_be_written_is_written_later(secret):
    tokens.usage.note(tokens.find(secret), clock.now())
    connection = effort.writer_connection()
    connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Exception, match="readonly"):
        tokens.usage.write()
    connection.execute("PRAGMA query_only = 0")
    tokens.usage.write()
    assert Token.listing()[0]["last_used_at"]


def test_a_use_within_an_hour_of_the_last_is_not_kept(secret):
    tokens.usage.note(tokens.find(secret), clock.now())
    tokens.usage.write()
    tokens.usage.note(tokens.find(secret), clock.now() + tokens.USAGE_INTERVAL / 2)
    assert plans(tokens.usage.write) == {}


def test_two_processes_write_a_use_once(secret):
    one, other, token = tokens.TokenUsage(), tokens.TokenUsage(), tokens.find(secret)
    one.note(token, clock.now())
    other.note(token, clock.now() + tokens.USAGE_INTERVAL / 2)
    one.write()
    written = Token.listing()
    other.write()
    assert Token.listing() == written

"""Do the operator's commands say what they do, and do it?"""

import json
import re

import pytest

from app.access import tokens
from app.models import Detection


@pytest.fixture
def run(app):
    """A command's result: exit code, output, and what went to stderr."""
    return lambda *words: app.test_cli_runner().invoke(args=words)


@pytest.fixture
def detections(camera):
    for day in range(1, 10):
        Detection.insert(
            camera_id=camera["id"],
            detected_at=f"2020-01-0{day}T00:00:00.000000Z",
            object_type="cat",
            confidence=1,
        ).execute()


def test_prune_without_a_limit_says_what_to_set(run, detections):
    result = run("prune")
    assert result.exit_code == 0
    assert "set NVR_RETENTION_DAYS" in result.stderr
    assert result.stdout == "removed 0 detections, 0 events, 0 audit entries\n"


def test_prune_removes_what_its_dry_run_promised(app, run, detections):
    app.config["NVR_RETENTION_ROWS"] = 4
    promised = run("prune", "--dry-run")
    assert promised.stdout == "would remove 5 detections, 0 events, 0 audit entries\n"
    assert Detection.select().count() == 9
    assert json.loads(run("prune", "--json").stdout) == {
        "dry_run": False,
        "detections": 5,
        "events": 0,
        "audit_entries": 0,
    }
    assert Detection.select().count() == 4


def test_a_token_is_made_listed_and_revoked(run):
    made = run("tokens", "create", "phone", "--role", "read")
    assert made.exit_code == 0
    assert re.fullmatch(r"nvr_[\w-]{43}\n", made.stdout)
    assert "this once" in made.stderr
    listed = run("tokens", "list")
    assert re.fullmatch(r"read   made \S+Z  never used  phone\n", listed.stdout)
    gone = run("tokens", "revoke", "phone")
    assert (gone.exit_code, gone.stdout) == (0, "revoked phone\n")
    assert run("tokens", "list").stdout == ""
    assert made.stdout.strip() not in listed.output + gone.output


def test_tokens_answer_as_json_too(run):
    made = json.loads(run("tokens", "create", "Tür", "--role", "write", "--json").stdout)
    assert list(made) == ["name", "role", "created_at", "last_used_at", "token"]
    assert tokens.find(made.pop("token"))["name"] == "Tür"
    listed = json.loads(run("tokens", "list", "--json").stdout)
    assert listed == {"tokens": [made], "count": 1}
    assert json.loads(run("tokens", "revoke", "Tür", "--json").stdout) == {"revoked": made}
    assert json.loads(run("tokens", "list", "--json").stdout) == {"tokens": [], "count": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "phone", "--role", "read"], "another token has this name"),
        (["create", "monitor", "--role", "read"], "calls somebody else so"),
        (["create", "\x1b[2J", "--role", "read"], "printable characters"),
        (["create", "x"], "--role"),
        (["create", "x", "--role", "admin"], "'admin' is not one of 'read', 'write'"),
        (["revoke", "nobody"], "there is no token of this name"),
    ],
)
def test_what_cannot_be_done_with_tokens_is_said_and_changes_nothing(run, words, said):
    run("tokens", "create", "phone", "--role", "read")
    before = run("tokens", "list").stdout
    result = run("tokens", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert run("tokens", "list").stdout == before

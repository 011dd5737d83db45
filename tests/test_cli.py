"""Do the operator's commands say what they do, and do it?"""

import json

import pytest

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

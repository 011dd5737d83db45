"""Does whoever waits for a command see how far it is, and nobody else?"""

import json
import sys

import pytest

from app.cli import progress
from app.db import backup as backup_files
from app.diagnostics import doctor
from app.models import Row
from app.services import cameras as camera_service
from tests.rows import add_many

ROSTER: Row = {"cameras": [{"name": "Garden", "folder_path": "garden"}]}


@pytest.fixture
def run(app, client):
    return lambda *words, **more: app.test_cli_runner().invoke(args=words, **more)


@pytest.fixture
def commands(run, camera, tmp_path):
    """What takes longer than a second where there is much to do, each with what it is typed."""
    add_many(camera["id"], detections=3, events=1)
    return {
        "import": lambda: run("cameras", "import", "-", input=json.dumps(ROSTER)),
        "backup": lambda: run("backup", str(tmp_path / "kept.db")),
        "doctor": lambda: run("doctor"),
        "rm": lambda: run("cameras", "rm", camera["id"], "--yes"),
    }


def test_on_a_terminal_each_goes_up_to_the_whole(commands, monkeypatch, subtests):
    monkeypatch.setattr(progress, "is_looked_on", lambda: True)
    monkeypatch.setattr("click._termui_impl.isatty", lambda _: True)
    for name, command in commands.items():
        with subtests.test(name):
            assert "100%" in command().stderr


def test_elsewhere_nothing_of_it_is_written(commands, subtests):
    for name, command in commands.items():
        with subtests.test(name):
            assert command().stderr == ""


def test_a_terminal_is_told_from_a_file(monkeypatch):
    for is_terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)  # noqa: B023
        assert progress.is_looked_on() is is_terminal


def test_a_backup_tells_how_far_its_copying_is(app, camera, tmp_path, monkeypatch):
    monkeypatch.setattr(backup_files, "PROGRESS_INSTRUCTIONS", 1000)
    add_many(camera["id"], detections=20_000, events=10)
    told = []
    path = app.config["NVR_DATABASE_URL"]
    backup_files.backup(path, str(tmp_path / "kept.db"), told.append)
    assert sum(told) == 100
    assert min(told) >= 0
    assert len([step for step in told if step]) > 3


def test_the_doctor_counts_its_checks(app):
    path = app.config["NVR_DATABASE_URL"]
    found = list(
        doctor.check_box(app.config["NVR_FOSCAM_BASE_PATH"], path, 0, camera_service.clock.now())
    )
    assert len(found) == doctor.BOX_CHECKS

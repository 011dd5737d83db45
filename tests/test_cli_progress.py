"""Is the progress of a long command shown on a terminal, and nowhere else?"""

import json
import os
import pty
from contextlib import suppress

import pytest
from flask.cli import ScriptInfo

from app.db import backup as backup_files
from app.diagnostics import doctor
from app.services import cameras as camera_service
from app.services.clock_guard import ClockGuard
from tests.rows import add_many


@pytest.fixture
def run_on_terminal(app, monkeypatch):
    """Runs a command with a terminal as stderr, and returns what it wrote there."""

    def run(words):
        master, slave = pty.openpty()
        with os.fdopen(master, "rb", buffering=0) as screen:
            with os.fdopen(slave, "w") as stderr, monkeypatch.context() as patch:
                patch.setattr("sys.stderr", stderr)
                with pytest.raises(SystemExit):
                    app.cli.main(words, obj=ScriptInfo(create_app=lambda: app))
            written = b""
            with suppress(OSError):  # EIO: nothing is left of what was written
                while piece := screen.read(4096):
                    written += piece
        return written.decode()

    return run


@pytest.fixture
def long_commands(camera, base, tmp_path):
    """The words of each command that takes more than a second where there is much to do."""
    add_many(camera["id"], detections=3, events=1)
    (base / "garden").mkdir()
    (base / "front/1.jpg").write_bytes(b"\xff\xd8\xff")
    file = tmp_path / "cameras.json"
    file.write_text(json.dumps({"cameras": [{"name": "Garden", "folder_path": "garden"}]}))
    return [
        ["cameras", "import", str(file)],
        ["backup", str(tmp_path / "kept.db")],
        ["doctor"],
        ["pictures", "export", camera["id"], str(tmp_path / "copies")],
        ["cameras", "rm", camera["id"], "--yes"],
    ]


def test_a_terminal_shows_the_progress_up_to_100_percent(long_commands, run_on_terminal, subtests):
    for words in long_commands:
        with subtests.test(words[0]):
            assert "100%" in run_on_terminal(words)


def test_a_file_or_a_pipe_gets_no_progress(app, long_commands, subtests):
    for words in long_commands:
        with subtests.test(words[0]):
            assert app.test_cli_runner().invoke(args=words).stderr == ""


def test_a_backup_reports_the_progress_of_its_copying(app, camera, tmp_path, monkeypatch):
    monkeypatch.setattr(backup_files, "PROGRESS_INSTRUCTIONS", 1000)
    add_many(camera["id"], detections=20_000, events=10)
    steps = []
    path = app.config["NVR_DATABASE_URL"]
    backup_files.backup(path, str(tmp_path / "kept.db"), steps.append)
    assert sum(steps) == 100
    assert min(steps) >= 0
    assert len([step for step in steps if step]) > 3


def test_the_doctor_knows_how_many_checks_it_makes(app):
    path = app.config["NVR_DATABASE_URL"]
    found = list(
        doctor.check_box(
            app.config["NVR_FOSCAM_BASE_PATH"], path, 0, camera_service.clock.now(), ClockGuard()
        )
    )
    assert len(found) == doctor.BOX_CHECKS

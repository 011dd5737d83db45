"""Does a watched folder give the same answer as a walk, whatever happens to the files?"""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from app.storage import folders, safe_open
from app.storage.folders import Folders
from app.storage.newest_files import Candidate
from app.storage.scan import walk
from tests import file_operations
from tests.file_operations import REFUSED, Uploads

MOST_BYTES = 250
OPERATIONS = 10_000
PROCESSES = 4
# The cameras that share the folder: one without a pattern, and two with one of their own.
PATTERNS = (None, "[a-c]*", "*.JPG")


def ask(
    known: Folders, base: Path, now: datetime, file_pattern: str | None = None
) -> tuple[list[Candidate], list[Candidate], bool]:
    """What the index and a fresh walk answer, both nothing where the folder may not be entered;
    and whether the index answered from events.
    """
    try:
        folder = safe_open.open_folder(str(base), "root")
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return [], [], False
    try:
        state = known.query(folder, now, file_pattern)
        walked = walk(folder, state.clock, MOST_BYTES, file_pattern)
        told = state.newest + state.clips
        return told, walked.newest + walked.clips, state.polling is None
    finally:
        os.close(folder)


def differences(base: Path, seed: int, operations: int) -> tuple[str, int]:
    """The first answer that is not a walk's, if there is one; how many came from a tree."""
    root, outside = base / "root", base / "outside"
    root.mkdir(parents=True)
    outside.mkdir()
    uploads, known = Uploads(root, outside, seed, time.time()), Folders(MOST_BYTES)
    history, from_tree, monotonic_ns = [], 0, time.monotonic_ns

    def later_ns() -> int:
        return monotonic_ns() + uploads.passed * 10**9

    times = mock.patch("time.monotonic_ns", later_ns)
    try:
        times.start()
        while len(history) < operations:
            history += [name for name in uploads.some() if not name.endswith(REFUSED)]
            now = datetime.now(UTC) + timedelta(seconds=uploads.clock_ahead)
            told, found, is_watched = ask(known, base, now, PATTERNS[len(history) % 3])
            if [c[:4] for c in told] != [c[:4] for c in found]:
                return f"seed {seed} after {len(history)}: {history[-9:]}", from_tree
            if stuck := [c.path for c in told if not c.idle and not uploads.may_grow(c.path)]:
                return f"seed {seed} after {len(history)}: nobody writes {stuck}", from_tree
            from_tree += bool(told) and is_watched
    finally:
        times.stop()
        uploads.end()
        known.retain(())
    return "", from_tree


def differences_of(seed: int) -> tuple[str, int]:
    """The same in a process of its own, which tries at once what could not be watched."""
    folders.RETRY_SECONDS = 0
    with tempfile.TemporaryDirectory() as base:
        return differences(Path(base), seed, OPERATIONS)


@pytest.mark.parametrize("seed", range(6))
def test_the_index_agrees_with_a_walk_after_every_operation(tmp_path, monkeypatch, at_once, seed):
    monkeypatch.setattr(file_operations, "OVERFLOW_EVERY", 10**9)
    difference, from_tree = differences(tmp_path, seed, 2000)
    assert difference == ""
    assert from_tree > 100


@pytest.mark.slow
@pytest.mark.slowest
def test_the_index_agrees_with_a_walk_in_half_a_million_operations(processes):
    """Most time is spent in the kernel, so more processes than processors are faster."""
    with processes.Pool(PROCESSES) as pool:
        results = pool.map(differences_of, range(100, 150), chunksize=1)
    assert [difference for difference, _ in results if difference] == []
    assert sum(from_tree for _, from_tree in results) > 30_000

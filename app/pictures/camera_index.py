"""How does the index of one camera follow its folder?"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .. import clock
from ..clock import SECOND_US
from ..db import database
from ..models import Row
from ..models.picture_folders import TOTALS, KeptPicture
from ..models.pictures import Picture
from ..storage import safe_open
from ..storage.changes import Changes
from ..storage.clips import OpenClip
from ..storage.folder_entry import NOT_YET, FolderKey, folder_key
from ..storage.folders import Folders
from ..storage.mount_threads import Answer, is_asked_directly
from .comparison import Comparison
from .files import Finder, has_stable_inodes
from .lookups import Lookups, Opened
from .marks import Marks
from .overlay import Batch, Corrections

# The work of a step and the pause after it, in which requests are answered, in seconds.
STEP_SECONDS, PAUSE_SECONDS = 0.002, 0.004
# The longest turn of a camera that has much to compare, in seconds.
TURN_SECONDS = 0.05
# Every file is looked at again after so many seconds: one that was overwritten in its place while
# the service was down did not change its folder.
LOOK_AGAIN_SECONDS = 20 * 3600


class CameraIndex:
    """The pictures of one camera: the table's rows, and what changed since they were written."""

    def __init__(
        self,
        folders: Folders,
        base: str,
        folder_path: str,
        finder: Finder,
        is_plausible: Callable[[], bool],
    ) -> None:
        self._folders, self._base, self._folder_path = folders, base, folder_path
        self._folder_lock = threading.Lock()
        self.lookups = Lookups(finder)
        self.comparison = Comparison(self.lookups)
        self._marks = Marks(self.lookups, base, is_plausible)
        self._is_new = True
        # When the last comparison of every file began, also before a restart; and whether every
        # file must be checked in any case.
        self._compared_us, self.must_check_all = 0, False
        # The folder that was read last: another folder may replace it, and it may return.
        self._key: FolderKey | None = None

    @property
    def found_by(self) -> tuple[str, str | None]:
        """The folder and pattern for which this index was made."""
        return self._folder_path, self.lookups.finder.file_pattern

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The camera's folder, open in the block. To be called by `Folders.ask`.

        Raises `safe_open.OutsideBase`, `FolderNotFound` and `StorageNotAnswering`.
        """
        with _own_connection():
            folder = safe_open.open_folder(self._base, self._folder_path)
            try:
                with self._folder_lock:
                    pattern = self.lookups.finder.file_pattern
                    times = self._folders.clock(folder, clock.now(), pattern)
                    self.lookups.opened = Opened(folder, times, has_stable_inodes(folder))
                    self._adopt()
                    yield
            finally:
                os.close(folder)

    def check_all_again(self) -> None:
        """Check every file again: changes that were not written may be lost.

        A folder does not show that one of its files was overwritten in place.
        """
        self._compared_us, self.must_check_all = 0, True

    def follow_in_steps(self) -> bool:
        """Follow the folder for a while, in small steps; return whether nothing is left."""
        until = time.monotonic() + TURN_SECONDS
        while True:
            try:
                with self.opened():
                    self.catch_up(is_asked=False)
                    is_done = self.compare(STEP_SECONDS)
                    if is_done:
                        self._marks.follow()
                        self.lookups.restore_hidden_files()
            except safe_open.FolderNotFound:
                with _own_connection(), self._folder_lock:
                    self._marks.follow(has_folder=False)
                raise
            if is_done or time.monotonic() >= until:
                return is_done
            clock.pause(PAUSE_SECONDS)

    def ask(self, function: Callable[[], Answer]) -> Answer:
        """The result of a function that reads the camera's folder: see `Folders.ask`."""
        return self._folders.ask(function, self._base, self._folder_path)

    def ask_in_background(self, function: Callable[[], Answer]) -> Answer:
        """The result of such a function, for work in the background: it delays no request."""
        return self._folders.threads.ask(function, self._base, self._folder_path)

    def clip(self, file: int, status: os.stat_result) -> OpenClip:
        """The clip of an open file of the camera's folder."""
        return OpenClip(file, status, self._folders.threads, self._base, self._folder_path)

    def catch_up(self, is_asked: bool) -> None:
        """Check the files that have changed since the last call, inside `opened`.

        ``is_asked``: by a request, which must find everything that changed before it.
        """
        folder, pattern = self.lookups.opened.folder, self.lookups.finder.file_pattern
        reason, _ = self._folders.remembered(folder, pattern)
        if is_asked and reason in (None, NOT_YET):
            reason = self._folders.query(folder, clock.now(), pattern).polling
        elif reason == NOT_YET:
            return  # the monitor is about to read it
        if reason is not None:
            self.comparison.begin_if_due(is_asked)
        if not self.comparison.is_busy and self._is_long_ago(clock.to_us(clock.now())):
            self.comparison.begin(is_full=True)
        self._note(self._folders.take_changes(folder, self.lookups.finder.camera_id, pattern))
        self.lookups.compare_waiting()

    def compare(self, seconds: float) -> bool:
        """Continue a comparison for ``seconds``, inside `opened`; return whether it is done."""
        until = time.monotonic() + seconds
        while not self.comparison.step():
            if time.monotonic() >= until:
                return False
        compared_us = self.comparison.compared_us
        if compared_us and self._is_long_ago(compared_us):
            self._compared_us, self.must_check_all = compared_us, False
            self.lookups.overlay.put_compared(compared_us)
        return True

    def _is_long_ago(self, at_us: int) -> bool:
        """Whether every file is to be checked again; also where the clock was set back by much."""
        return abs(at_us - self._compared_us) >= LOOK_AGAIN_SECONDS * SECOND_US

    @contextmanager
    def state(self) -> Iterator[tuple[Row, Corrections]]:
        """The camera's row in the table, and the unwritten changes that apply to the rows that are
        read in the block, which is a transaction.
        """
        overlay = self.lookups.overlay
        with database.atomic():
            with overlay.lock:  # meanwhile no flush drops changes
                row = self.row()
                self._adopt_version(row)
                corrections = overlay.corrections()
            yield row, corrections

    def row(self) -> Row:
        """The camera's row in the table, zeros where this folder and pattern have none."""
        row = Picture.camera_of(self.lookups.finder.camera_id)
        if row and (row["folder_path"], row["file_pattern"]) == self.found_by:
            return row
        return dict.fromkeys(("id", "version", "compared_us", *TOTALS), 0)

    def drop_written(self, batch: Batch, row: Row) -> None:
        """Drop the changes of the batch, which were written when the camera's row was ``row``.

        Where the rows had changed before, `state` finds out which changes are left.
        """
        lookups = self.lookups
        with lookups.overlay.lock:
            lookups.number = lookups.number or row["id"]
            if (lookups.number, batch.version) == (row["id"], row["version"]):
                lookups.overlay.drop_written(batch, row["version"] + 1)

    def prepare_flush(self) -> None:
        """Add the facts of changed folders to the overlay, so that a restart need not read them.

        The facts are read before the last changes are checked, so that no row is older than them.
        """
        lookups, pattern = self.lookups, self.lookups.finder.file_pattern
        reason, _ = self._folders.remembered(lookups.opened.folder, pattern)
        if reason is not None or self.comparison.is_busy:
            return
        folders, lookups.changed_folders = lookups.changed_folders, {}
        facts = {path: lookups.folder_facts(path) for path in folders}
        self.catch_up(is_asked=True)
        if self.comparison.is_busy or lookups.waiting:
            lookups.changed_folders |= folders
            return
        for path, known in facts.items():
            if known and any(known) and path not in lookups.rewritten:
                lookups.overlay.put_folder_facts(path, known)

    def _adopt(self) -> None:
        """Adopt the current table, which may be empty or written by another process."""
        lookups = self.lookups
        lookups.has_marks = KeptPicture.find(camera_id=lookups.finder.camera_id) is not None
        row = self.row()
        if self._is_new or lookups.number not in (0, row["id"]):
            self.comparison.estimate(row["pictures"] + row["clips"])
            lookups.number = row["id"]
            lookups.overlay.clear(row["version"])
            self._compared_us = 0 if self.must_check_all else row["compared_us"]
            self.comparison.begin(is_full=not row["id"])
        elif (row["id"], row["version"]) != (lookups.number, lookups.overlay.version):
            with self.state():
                pass

    def _adopt_version(self, row: Row) -> None:
        """Apply the unwritten changes to the rows of the table, if it has changed."""
        lookups, overlay = self.lookups, self.lookups.overlay
        is_same = (row["id"], row["version"]) == (lookups.number, overlay.version)
        if is_same or lookups.number not in (0, row["id"]):
            return
        lookups.number = row["id"]
        changes = overlay.all_changes().items()
        overlay.rebase(
            row["version"], {path: lookups.stored(path, each) for path, each in changes}
        )

    def _note(self, changes: Changes) -> None:
        """Queue the changed files for a check, and the changed folders for a comparison."""
        self.lookups.note(changes)
        key = folder_key(self.lookups.opened.folder)
        if (changes.lost or key != self._key) and not self._is_new:
            self.comparison.begin(is_full=True)
        self._key, self._is_new = key, False
        for folder in changes.folders:
            self.comparison.add(folder)


@contextmanager
def _own_connection() -> Iterator[None]:
    """Close the database connection after the block if this thread belongs to a mount."""
    try:
        yield
    finally:
        if not is_asked_directly():
            database.close()

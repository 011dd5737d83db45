"""Where does a camera's folder differ from the index? Compared in small steps.

Folders that are unchanged since the last comparison are not read again, except in a full
comparison. Only names are taken from a listing; each file's status is read at the moment of its
step, so that no result is older than an earlier one.
"""

import os
import time
from collections.abc import Iterator

from .. import clock
from ..models.picture_folders import PictureFolder
from ..models.pictures import NAMES_AT_ONCE, Picture
from ..storage.removal import is_left_hidden
from ..storage.scan import MAX_DEPTH, ask_entry, entries, is_housekeeping, may_enter
from .lookups import Lookups
from .overlay import FolderFacts

# The most names of one folder that are kept in memory; with more, each row is checked again.
MOST_NAMES = 20_000
FOLDERS_AT_ONCE = 50
# How often polled folders are compared, in seconds, and for which share of the time at most.
POLL_SECONDS, POLL_SHARE = 0.9, 50
# A polled folder whose comparison takes less than `SHORT_SECONDS` is compared before each
# response. Until that is measured, it is estimated with `FILE_SECONDS` for each file.
SHORT_SECONDS, FILE_SECONDS = 0.05, 20e-6


class Comparison:
    """The comparison of one camera's folder, step by step.

    ``seconds``: how long the last full comparison took, and the last one of changed folders;
    ``files``: how many files were checked; ``compared_us``: when the last full comparison began,
    in microseconds since the epoch, 0 until it has ended.
    """

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._parts: list[Iterator[None]] = []
        self._is_full, self._took = False, 0.0
        self.seconds = {True: 0.0, False: 0.0}
        # When a polled folder is compared again, by the monotonic clock: fully, or its changes.
        self._due_at = {True: 0.0, False: 0.0}
        self.files, self.compared_us, self._began_us = 0, 0, 0

    @property
    def is_busy(self) -> bool:
        """Whether a comparison is in progress."""
        return bool(self._parts)

    def begin(self, is_full: bool) -> None:
        """Begin a new comparison of everything; ``is_full``: including unchanged folders."""
        self._is_full = is_full or (self.is_busy and self._is_full)
        self._took, self._parts = 0.0, [self._compare("", self._is_full)]
        self.compared_us, self._began_us = 0, clock.to_us(clock.now())

    def begin_if_due(self, is_asked: bool) -> None:
        """Begin to compare a polled folder if that is due; the longer it takes, the less often.

        ``is_asked``: by a request.
        """
        if self.is_busy:
            return
        now = time.monotonic()
        is_full = now >= self._due_at[True] or (is_asked and self.seconds[True] < SHORT_SECONDS)
        if is_full or now >= self._due_at[False]:
            self.begin(is_full)
            self._due_at[is_full] = now + max(POLL_SECONDS, self.seconds[is_full] * POLL_SHARE)

    def estimate(self, files: int) -> None:
        """Estimate how long a full comparison of so many files takes, until that is measured."""
        self.seconds = {True: files * FILE_SECONDS, False: 0.0}
        self._due_at[True] = time.monotonic() + self.seconds[True] * POLL_SHARE

    def add(self, folder: str) -> None:
        """Compare everything below a folder that was added, moved or removed."""
        self._parts.append(self._compare(folder, is_full=True))

    def step(self) -> bool:
        """Do the next step, of one or two milliseconds; return whether nothing is left."""
        if self._parts:
            began, is_whole = time.monotonic(), len(self._parts) == 1
            try:
                is_over = next(self._parts[-1], self) is self
            except BaseException:  # raised again: a part that was broken off has not ended
                self.begin(is_full=self._is_full)
                raise
            self._took += time.monotonic() - began
            if is_over:
                self._parts.pop()
                if is_whole:
                    self.compared_us = self._began_us if self._is_full else self.compared_us
                    self.seconds[self._is_full], self._is_full = self._took, False
        return not self._parts

    def _compare(self, top: str, is_full: bool) -> Iterator[None]:
        """Compare every folder from ``top`` down: existing ones and those in the table."""
        yield from self._read_tree(top, is_full)
        after: str | None = None
        while known := self._known_below(top, after):
            for path in known:
                yield from self._check(path) if is_full else self._read_tree(path, is_full)
            after = known[-1]
            yield
        for path in self._lookups.overlay.folders_below(top):
            yield from self._check(path)

    def _known_below(self, top: str, after: str | None) -> list[str]:
        number = self._lookups.number
        return PictureFolder.below(number, top, after, FOLDERS_AT_ONCE) if number else []

    def _check(self, path: str) -> Iterator[None]:
        """Remove the folder from the index if it does not exist any more."""
        folder = self._reach(path)
        if folder is None:
            yield from self._remove(path)
        else:
            os.close(folder)

    def _read_tree(self, top: str, is_full: bool) -> Iterator[None]:
        """Read the folder and, below it, the folders that are not in the table, or all."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            folder = self._reach(path)
            if folder is None:
                yield from self._remove(path)
                continue
            try:
                facts = self._lookups.facts_of_open_folder(folder, path)
                if is_full or not any(facts) or facts != self._known(path):
                    yield from self._read(folder, path, waiting, is_full)
                    self._lookups.overlay.put_folder_facts(path, facts)
            finally:
                os.close(folder)

    def _read(self, folder: int, path: str, waiting: list[str], is_full: bool) -> Iterator[None]:
        """Check every file in one folder, and add the sub-folders to read to ``waiting``."""
        is_upload, seen, names = self._lookups.finder.is_upload, set[str](), list[str]()
        for entry in entries(folder):
            name = entry.name
            if is_upload(name) and ask_entry(entry.is_file):
                names.append(name)
            elif is_left_hidden(name):
                self._lookups.left_hidden[path] = None
            elif not is_housekeeping(name) and ask_entry(entry.is_dir):
                below = f"{path}/{name}" if path else name
                if below.count("/") < MAX_DEPTH and (is_full or self._known(below) is None):
                    waiting.append(below)
            if len(names) == NAMES_AT_ONCE:
                self._compare_files(path, names)
                seen.update(names if len(seen) <= MOST_NAMES else ())
                names = []
                yield
        self._compare_files(path, names)
        yield
        yield from self._look_for_gone(path, {*seen, *names} if len(seen) <= MOST_NAMES else set())

    def _look_for_gone(self, path: str, seen: set[str]) -> Iterator[None]:
        """Check the files of a folder that have a row and were not ``seen``."""
        waiting = self._lookups.overlay.changes_in(path)
        self._compare_files(path, [name for name in waiting if name not in seen])
        number, after = self._lookups.number, ""
        while names := Picture.names_in(number, path, after, NAMES_AT_ONCE):
            self._compare_files(path, [name for name in names if name not in seen])
            after = names[-1]
            yield

    def _remove(self, path: str) -> Iterator[None]:
        """Remove the folder and its files from the index."""
        yield from self._look_for_gone(path, set())
        if self._known(path) is not None:
            self._lookups.overlay.put_folder_facts(path, None)

    def _compare_files(self, path: str, names: list[str]) -> None:
        if names:
            self.files += len(names)
            self._lookups.compare_files(path, names)

    def _reach(self, path: str) -> int | None:
        """A descriptor of the folder; None where it must not be read."""
        if any(map(is_housekeeping, path.split("/") if path else ())):
            return None
        folder = self._lookups.reach(path)
        if folder is not None and not may_enter(folder):
            os.close(folder)
            return None
        return folder

    def _known(self, path: str) -> FolderFacts | None:
        """The stored facts of a folder; None where there are none."""
        waiting, number = self._lookups.overlay.folder_facts(path), self._lookups.number
        row = PictureFolder.at(number, path) if number and waiting is None else None
        return FolderFacts(row["inode"], row["mtime_ns"], row["ctime_ns"]) if row else waiting

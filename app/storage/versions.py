"""Which candidate is the newest whole picture, the last version of overwritten files included?"""

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from .checks import WRITING_SECONDS, FileCheck, FileChecks, StoredPicture
from .formats import HALF, WHOLE
from .newest_files import Candidate
from .storage_clock import StorageClock

MOST_BYTES = 64 * 1024 * 1024
# A camera that closes this many versions in a row without an end mark never writes one.
MOST_WITHOUT_END = 3


class Version(NamedTuple):
    """A picture with its bytes; ``candidate``: the file's state then; ``seen_at``: when the file
    last held it, by the monotonic clock.
    """

    candidate: Candidate
    picture: StoredPicture
    seen_at: float


class Ending(NamedTuple):
    """A version that was closed without an end mark; ``in_a_row``: how many were so far."""

    candidate: Candidate
    picture: StoredPicture
    checksum: int
    in_a_row: int


@dataclass(slots=True)
class _Kept:
    """What is remembered of the newest file of a folder."""

    version: Version | None = None
    ending: Ending | None = None

    @property
    def size(self) -> int:
        return self.version.picture.size if self.version else 0


class Versions:
    """The newest version of each folder, at most `MOST_BYTES` together. Safe for threads.

    ``folder``: whatever names the camera's folder.
    """

    def __init__(self, checks: FileChecks) -> None:
        self.checks = checks
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(
        self, folder: Hashable, candidate: Candidate, picture: StoredPicture, keep: bool
    ) -> None:
        """Note that the newest whole picture is this one; ``keep``: remember its bytes."""
        with self._lock:
            kept = self._kept.get(folder, _Kept())
            ending, version = kept.ending, None
            known = kept.version.picture if kept.version else None
            if known and (known.file, known.facts) == (picture.file, picture.facts):
                picture = known
            if picture is known or (keep and picture.data is not None):
                version = Version(candidate, picture, time.monotonic())
            if ending and ending.candidate.path == candidate.path:
                ending = None
            self._set(folder, version, ending)

    def is_new_ending(
        self, folder: Hashable, candidate: Candidate, picture: StoredPicture, check: FileCheck
    ) -> bool:
        """Whether a version was closed without an end mark: then call `put_ending`."""
        ending, completed = self._kept.get(folder, _Kept()).ending, candidate.completed
        if check.kind != HALF or not candidate.idle:
            return False
        if check.is_being_written if completed is None else not completed.times:
            return False
        if ending is None or ending.picture.facts != picture.facts:
            return True
        return ending.candidate[3:] != candidate[3:]

    def put_ending(self, folder: Hashable, candidate: Candidate, picture: StoredPicture) -> None:
        """Note that this version, which comes with its bytes, was closed without an end mark."""
        with self._lock:
            kept = self._kept.get(folder, _Kept())
            in_a_row = _in_a_row(kept.ending, candidate, picture)
            checksum, version = zlib.crc32(picture.data or b""), kept.version
            if in_a_row >= MOST_WITHOUT_END:
                version = Version(candidate, picture, time.monotonic())
            ending = Ending(candidate, picture._replace(data=None), checksum, in_a_row)
            self._set(folder, version, ending)

    def recall(
        self, folder: Hashable, candidate: Candidate, now_there: StoredPicture | None
    ) -> StoredPicture | None:
        """The version to be served instead of the incomplete picture that is ``now_there``.

        None if it is another file, and if a later version was completed that no request has read,
        or may have been, because the folder is not watched.
        """
        with self._lock:
            kept = self._kept.get(folder, _Kept())
            version = kept.version
            if version is None or now_there is None or version.candidate.path != candidate.path:
                return None
            # It was closed without an end, or closed since it was read while being written.
            is_over = candidate.idle or not version.candidate.idle
            if is_over and candidate.follows(version.candidate):
                version = version._replace(candidate=candidate._replace(idle=True))
                kept.version = version
        before, after = version.candidate.completed, candidate.completed
        if before is None or after is None:
            is_last = time.monotonic() - version.seen_at <= WRITING_SECONDS
        else:
            is_last = before == after
        return version.picture if is_last and now_there.file == version.picture.file else None

    def newest(self, folder: Hashable) -> Candidate | None:
        """The candidate that the folder's version was read from."""
        version = self._kept.get(folder, _Kept()).version
        return version.candidate if version else None

    def forget(self, folder: Hashable) -> None:
        """Note that the version's file is gone."""
        with self._lock:
            self._set(folder, None, None)

    def _set(self, folder: Hashable, version: Version | None, ending: Ending | None) -> None:
        self._bytes -= self._kept.pop(folder, _Kept()).size
        if version or ending:
            self._kept[folder] = _Kept(version, ending)
            self._bytes += self._kept[folder].size
        while self._bytes > MOST_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].size


def _in_a_row(last: Ending | None, candidate: Candidate, picture: StoredPicture) -> int:
    """How many versions in a row were closed without an end mark, this one included.

    An upload that was resumed begins with the bytes of the one that was cut off.
    """
    if last is None or last.candidate.path != candidate.path:
        return 1
    if candidate.completed is not None and not candidate.follows(last.candidate):
        return 1
    before, data = last.picture, picture.data or b""
    is_resumed = picture.file == before.file and picture.size > before.size
    if is_resumed and zlib.crc32(data[: before.size]) == last.checksum:
        return last.in_a_row
    return last.in_a_row + 1


class CheckedFile(NamedTuple):
    """What was found in a candidate's file; ``picture``: its facts, None where it is gone."""

    candidate: Candidate
    check: FileCheck
    picture: StoredPicture | None


class Search:
    """Searches for the newest whole picture below the descriptor ``folder``.

    ``checked``: the files that were read so far; ``is_not_modified``: as of `SnapshotRequest`,
    None if the picture is not served: then its bytes are kept only if its file is overwritten.
    """

    def __init__(
        self,
        versions: Versions,
        folder: int,
        key: Hashable,
        clock: StorageClock,
        is_not_modified: Callable[[StoredPicture], bool] | None = None,
    ) -> None:
        self._versions, self._folder, self._key = versions, folder, key
        self._clock, self._is_not_modified = clock, is_not_modified
        self.checked: list[CheckedFile] = []

    @property
    def is_disturbed(self) -> bool:
        """Whether a file that was read is gone since the folder was listed, or being written."""
        return any(file.picture is None or file.check.is_being_written for file in self.checked)

    def newest_whole(self, candidates: list[Candidate]) -> StoredPicture | None:
        """The newest whole one of the candidates, None where none is whole.

        A file that has no end while it is overwritten counts with its last whole version.
        """
        whole = next(filter(None, map(self._whole, candidates)), None)
        version = self._last_version(candidates, whole)
        if version or whole is None or whole.picture is None:
            return version
        keep = self._is_not_modified is not None or whole.check.is_rewritten
        self._versions.put(self._key, whole.candidate, whole.picture, keep)
        return whole.picture

    def _whole(self, candidate: Candidate) -> CheckedFile | None:
        file = self._check_file(candidate)
        return file if file.check.kind == WHOLE else None

    def _check_file(self, candidate: Candidate) -> CheckedFile:
        is_newest = not self.checked

        def is_needed(picture: StoredPicture, check: FileCheck) -> bool:
            if check.kind == WHOLE:
                return self._is_not_modified is not None and not self._is_not_modified(picture)
            return is_newest and self._versions.is_new_ending(self._key, candidate, picture, check)

        found = self._versions.checks.examine(self._folder, candidate.path, self._clock, is_needed)
        picture, check = found
        if picture and picture.data and check.kind == HALF and is_needed(picture, check):
            self._versions.put_ending(self._key, candidate, picture)
        self.checked.append(CheckedFile(candidate, check, picture))
        return self.checked[-1]

    def _last_version(
        self, candidates: list[Candidate], whole: CheckedFile | None
    ) -> StoredPicture | None:
        """The remembered version of a file that has no end now, if no newer picture is whole."""
        version = self._versions.newest(self._key)
        if version is None or (whole and whole.candidate[:4] >= version[:4]):
            return None
        candidate = next((other for other in candidates if other.path == version.path), None)
        if candidate is None:
            self._versions.forget(self._key)
            return None
        file = next((file for file in self.checked if file.candidate == candidate), None)
        file = file or self._check_file(candidate)
        if file.check.kind == WHOLE:
            return None
        return self._versions.recall(self._key, candidate, file.picture)

"""What has changed below a folder since the last query? The kernel's queue of events is applied.

Events only say where something changed; the current state is looked up. A folder is identified by
its watch descriptor, which is unique. Where the events are incomplete, `WatchLost` is raised and
the folder must be walked.
"""

import errno
import os
import stat
import sys

from inotify_simple import Event, flags

from . import safe_open, watches
from .changes import Changes, Upload
from .folder_tree import Entry, FolderNode, FolderTree, Uploads, path_of
from .newest_files import KEPT, Candidate
from .scan import (
    MAX_DEPTH,
    files,
    is_candidate,
    is_clip,
    is_housekeeping,
    is_readable,
    may_enter,
    upload_filter,
)
from .storage_clock import StorageClock
from .watches import Watches, WatchLost

GONE = flags.DELETE | flags.MOVED_FROM
COMPLETED = flags.CLOSE_WRITE | flags.MOVED_TO


class WatchedTree:
    """A camera's folder with everything below it, watched. Not safe for threads by itself."""

    def __init__(
        self,
        inotify: Watches,
        folder: int,
        clock: StorageClock,
        most_bytes: int,
        file_pattern: str | None = None,
    ) -> None:
        """Watch and read the descriptor ``folder``; raises `WatchLost` if it cannot be watched."""
        self._is_upload = upload_filter(file_pattern)
        self._pictures, self._clips = Uploads(most_bytes), Uploads(sys.maxsize)
        # The last upload that was seen to be completed.
        self.upload: Upload | None = None
        # The camera's own folder, open during a query, and the clock at that moment.
        self._folder, self._clock = folder, clock
        self._tree = FolderTree()
        # The files that changed since `take_changes`.
        self._changed: dict[Entry, None] = {}
        # Whether some folder lies so deep that a move could bring it within `MAX_DEPTH`.
        self._is_deep = False
        self._watches, self._queue = inotify, inotify.open_queue()
        try:
            if not may_enter(folder):
                raise WatchLost(watches.CLOSED)
            self._tree.set_root(self._watches.add(self._queue, folder))
            self._read(folder, self._tree.root)
            self._release()
        except BaseException:  # raised again: the watches must not leak
            self.close()
            raise

    def close(self) -> None:
        self._watches.close_queue(self._queue, self._tree.clear())

    def is_completed(self, name: str) -> bool:
        """Whether a waiting event reports that a file of this name was completed."""
        return any(event.name == name and event.mask & COMPLETED for event in self._queue.events)

    def newest(self, folder: int, clock: StorageClock) -> tuple[list[Candidate], list[Candidate]]:
        """The newest pictures and the newest clips, as a walk over ``folder`` would find them now.

        Raises `WatchLost`.
        """
        self._folder, self._clock = folder, clock
        self._catch_up()
        return self._ranked(self._pictures), self._ranked(self._clips)

    def take_changes(self) -> Changes | None:
        """The changes since the last call; None if there are none."""
        if not (self._changed or self._tree.changed_places):
            return None
        files, folders = (
            {path_of(entry): None for entry in entries if self._tree.contains(entry)}
            for entries in (self._changed, self._tree.changed_places)
        )
        self._changed, self._tree.changed_places = {}, {}
        writing = (*self._pictures.writers.written_at, *self._clips.writers.written_at)
        return Changes(files, folders, frozenset(map(path_of, writing)))

    def _ranked(self, uploads: Uploads) -> list[Candidate]:
        for file in uploads.ranking.take_due(self._clock.now_ns):
            if self._tree.contains(file):
                self._check_file(file, completed=False)
        for _ in range(KEPT):
            if not uploads.ranking.is_current(self._clock.now_ns):
                raise WatchLost(watches.FORGOTTEN)
            if uploads.newest is None or uploads.writers.written_at:
                uploads.writers.forget_stalled()
                uploads.newest = uploads.ranking.answer(uploads.writers.state_of)
            newest = uploads.newest
            if not newest or self._is_unchanged(newest[0]):
                break
            self._check_file(self._tree.entry(newest[0].path), completed=False)
        return newest

    def _of_kind(self, name: str) -> Uploads:
        return self._clips if is_clip(name) else self._pictures

    def _is_unchanged(self, candidate: Candidate) -> bool:
        """Whether the file is as the events say: link(2) elsewhere raises no event here."""
        try:
            status = os.stat(candidate.path, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return status.st_nlink == 1 and self._clock.place(status) == candidate[:3]

    def _catch_up(self) -> None:
        """Apply the queued events: folders first, then each changed file once."""
        events, changed = self._watches.take(self._queue), dict[Entry, bool]()
        if not events:
            return
        for event in events:
            self._note(event, changed)
        for place in self._tree.places_to_check():
            self._check_folder(*place)
        self._release()
        for file, completed in changed.items():
            if self._tree.contains(file):
                self._check_file(file, completed)

    def _note(self, event: Event, changed: dict[Entry, bool]) -> None:
        node, mask, name = self._tree.find(event.wd), event.mask, event.name
        if node is None:
            return  # a folder that left, or was deleted
        if mask & (flags.IGNORED | flags.UNMOUNT):
            if node is self._tree.root or mask & flags.UNMOUNT:
                raise WatchLost(watches.REPLACED)
            self._tree.forget(node)
        elif not name:
            if node is self._tree.root and not may_enter(self._folder):
                raise WatchLost(watches.CLOSED)
        elif mask & flags.ISDIR:
            if not is_housekeeping(name):
                same, gone = bool(mask & flags.ATTRIB), bool(mask & flags.DELETE)
                self._tree.note_change((node, name), same, gone)
        elif self._is_upload(name) and not name.startswith("."):
            file, writers = (node, name), self._of_kind(name).writers
            changed[file] = bool(mask & COMPLETED) or changed.get(file, False)
            if mask & flags.MODIFY:
                writers.put(file)
            elif mask & COMPLETED:
                writers.complete(file)
            elif mask & GONE:
                writers.drop(file)

    def _check_folder(self, parent: FolderNode, name: str) -> None:
        """Read the folder at this place, unless it has only moved there."""
        self._pictures.newest = self._clips.newest = None
        components = [*parent.components(), name]
        folder = self._open(components)
        if folder is None:
            self._tree.detach_at(parent, name)
            return
        try:
            node = self._enter(folder, parent, name) if len(components) <= MAX_DEPTH else None
            if node:
                self._read(folder, node)
        finally:
            os.close(folder)

    def _read(self, folder: int, node: FolderNode) -> None:
        """Watch, and only then list, every folder from here down."""
        depth = len(node.components())
        found = files(folder, node, self._enter, self._is_upload, depth=depth)
        for place, name, status, readable in found:
            self._rank((place, name), status, readable)

    def _enter(self, folder: int, parent: FolderNode, name: str) -> FolderNode | None:
        """Watch the folder that was found at this place; None where it need not be listed."""
        if not may_enter(folder):
            self._tree.detach_at(parent, name)
            return None
        wd = self._watches.add(self._queue, folder)
        node = self._tree.find(wd)
        if node is None:
            self._is_deep |= len(parent.components()) >= MAX_DEPTH // 2
            return self._tree.add(wd, parent, name)
        if (node.parent, node.name) != (parent, name):
            self._move(node, folder, parent, name)
        return None

    def _move(self, node: FolderNode, folder: int, parent: FolderNode, name: str) -> None:
        """Handle a known folder that was found at another place than before."""
        if self._is_still_there(node, folder):
            raise WatchLost(watches.MOUNTED_TWICE)
        if self._is_deep or node in parent.ancestors():
            raise WatchLost(watches.MOVED)
        self._tree.attach(node, parent, name)
        for uploads in (self._pictures, self._clips):
            uploads.ranking.forget_ties()

    def _is_still_there(self, node: FolderNode, folder: int) -> bool:
        """Whether the place that the tree has for the node leads to this open folder."""
        if node is self._tree.root:
            return True
        there = self._open(node.components()) if self._tree.contains((node, "")) else None
        if there is None:
            return False
        try:
            return os.path.samestat(os.fstat(there), os.fstat(folder))
        finally:
            os.close(there)

    def _open(self, components: list[str]) -> int | None:
        """A descriptor of the folder there, None where there is none that may be listed."""
        try:
            return safe_open.open_below(self._folder, components)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            return None

    def _release(self) -> None:
        """Stop watching the folders that were detached and not found at another place."""
        if self._tree.detached:
            self._watches.remove(self._queue, self._tree.release())
            for uploads in (self._pictures, self._clips):
                uploads.newest = None
                uploads.ranking.keep_where(self._tree.contains)
                uploads.writers.keep_where(self._tree.contains)

    def _check_file(self, file: Entry, completed: bool) -> None:
        uploads, path = self._of_kind(file[1]), path_of(file)
        self._changed[file] = None
        try:
            status = os.stat(path, dir_fd=self._folder, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise WatchLost(watches.TOO_LONG) from None
            if uploads.ranking.drop(file):
                uploads.newest = None
            return
        uploads.newest = None
        ranked = self._rank(file, status, is_readable(self._folder, path, status))
        if ranked and completed:
            self.upload = Upload(self._clock.box_ns, path, status.st_mtime_ns)
        elif self.upload and self.upload.path == path:  # a camera sets the time after the upload
            self.upload = self.upload._replace(mtime_ns=status.st_mtime_ns)

    def _rank(self, file: Entry, status: os.stat_result, readable: bool) -> bool:
        """Whether it may be a picture or clip; raises `WatchLost` where it could change unseen."""
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise WatchLost(watches.HARD_LINKS)  # whatever its size is now
        uploads = self._of_kind(file[1])
        if not is_candidate(status, uploads.most_bytes) or not readable:
            uploads.ranking.drop(file)
            return False
        uploads.ranking.put(file, *self._clock.place(status))
        return status.st_size > 0

"""Which folders does the kernel watch, and which camera's folder does each event belong to?

One inotify instance serves all cameras, because Linux grants a user 128 instances and other
programs need some of them too. inotify(7) queues an event before the system call that caused it
returns, so reading the queue at each query makes its result exact.
"""

import contextlib
import errno
import threading
from dataclasses import dataclass, field

from inotify_simple import Event, INotify, flags

# A folder that is deleted ends its watch with IGNORED, so DELETE_SELF would say nothing new.
WATCHED = (
    *(flags.CREATE, flags.MODIFY, flags.CLOSE_WRITE, flags.ATTRIB, flags.DELETE),
    *(flags.MOVED_FROM, flags.MOVED_TO, flags.ONLYDIR, flags.EXCL_UNLINK),
)
MASK = sum(WATCHED)
# The most events that wait in memory, for all cameras together: about 20 MiB.
MAX_WAITING = 100_000
# How many watches are removed while the lock is held: about 5 ms.
REMOVED_AT_ONCE = 1000

# Why a folder is not watched.
OVERFLOW = "too many changes came at once; the folder is read anew"
NO_WATCHES = "the kernel has no inotify watch left"
NO_INSTANCES = "the kernel has no inotify instance left"
NO_INOTIFY = "this system has no inotify"
NOT_LOCAL = (
    "the folder, or a part of it, lies on {} (mounted at {}), where changes may come without an "
    "event"
)
FORGOTTEN = "more of the newest pictures are gone than are remembered; the folder is read anew"
REPLACED = "the folder was deleted, or something mounted or unmounted; it is read anew"
MOVED = "folders were moved while they were read, or far below others; the folder is read anew"
CLOSED = "the service may not look up files in the folder"
HARD_LINKS = "a file has a second name (hard link), and a change through that one goes unnoticed"
MOUNTED_TWICE = "a folder is mounted at two places in it, and events name only one of them"
TOO_LONG = "the path of a file is too long to be followed"
# What to do about it, where something can be done.
REMEDIES = {
    NO_WATCHES: "raise fs.inotify.max_user_watches with sysctl",
    NO_INSTANCES: "raise fs.inotify.max_user_instances with sysctl",
    NO_INOTIFY: "new pictures are found by reading the folder",
    CLOSED: "give it the right to enter (chmod o+x)",
    HARD_LINKS: "delete one of the two names",
    MOUNTED_TWICE: "unmount one",
    TOO_LONG: "use fewer or shorter sub-folders",
}


def with_remedy(reason: str) -> str:
    """Why a folder is not watched and what to do about it, as one part of a sentence."""
    return f"{reason}: {REMEDIES[reason]}" if reason in REMEDIES else reason


class WatchLost(Exception):
    """The events no longer tell what is in the folder; the text is the reason."""


@dataclass(slots=True, eq=False)
class EventQueue:
    """The waiting events of one camera's folder; ``lost``: why they are incomplete, None while
    they are complete.
    """

    events: list[Event] = field(default_factory=list)
    lost: str | None = None

    def put(self, event: Event) -> int:
        """Append the event unless it repeats the last one; how many were appended."""
        if self.lost or (self.events and self.events[-1] == event):
            return 0
        self.events.append(event)
        return 1


class Watches:
    """The watches of all cameras in one inotify instance. Safe for threads.

    The instance is opened for the first queue and closed with the last one.
    """

    def __init__(self) -> None:
        self._inotify: INotify | None = None
        self._queues: set[EventQueue] = set()
        # The queues that get the events of each watch descriptor: the kernel gives a folder the
        # same descriptor again, and cameras' folders may lie inside each other.
        self._receivers: dict[int, tuple[EventQueue, ...]] = {}
        self._waiting = 0
        self._lock = threading.Lock()

    def open_queue(self) -> EventQueue:
        """A queue for the events of one camera's folder; raises `WatchLost`."""
        with self._lock:
            if self._inotify is None:
                self._inotify = _open_inotify()
            queue = EventQueue()
            self._queues.add(queue)
        return queue

    def close_queue(self, queue: EventQueue, descriptors: list[int]) -> None:
        self.remove(queue, descriptors)
        with self._lock:
            if queue in self._queues:
                self._clear(queue)
                self._queues.remove(queue)
                if not self._queues:
                    self._close()

    def add(self, queue: EventQueue, folder: int) -> int:
        """Watch the folder of the open file descriptor; return its watch descriptor.

        A folder that is watched already keeps its watch descriptor. Raises `WatchLost`.
        """
        with self._lock:
            if queue.lost or self._inotify is None:
                raise WatchLost(queue.lost or OVERFLOW)
            try:
                wd = int(self._inotify.add_watch(f"/proc/self/fd/{folder}", MASK))
            except OSError as error:
                text = NO_WATCHES if error.errno == errno.ENOSPC else NO_INOTIFY
                raise WatchLost(text) from None
            receivers = self._receivers.get(wd, ())
            if queue not in receivers:
                self._receivers[wd] = (*receivers, queue)
        return wd

    def remove(self, queue: EventQueue, descriptors: list[int]) -> None:
        """Send the queue no more events of these watch descriptors.

        The kernel answers each removal with an event, so the kernel's queue is read in between.
        """
        for start in range(0, len(descriptors), REMOVED_AT_ONCE):
            with self._lock:
                if queue not in self._queues:
                    return
                for wd in descriptors[start : start + REMOVED_AT_ONCE]:
                    self._remove(queue, wd)
                self._dispatch()

    def take(self, queue: EventQueue) -> list[Event]:
        """The queue's events up to this moment, each of them once; raises `WatchLost`."""
        with self._lock:
            self._dispatch()
            if queue.lost:
                raise WatchLost(queue.lost)
            events = queue.events
            if events:
                self._waiting -= len(events)
                queue.events = []
        return events

    def drain(self) -> None:
        """Read the kernel's queue, which is bounded, so that it does not overflow."""
        with self._lock:
            self._dispatch()

    def _dispatch(self) -> None:
        """Move every event from the kernel's queue to the queues of the folders it belongs to."""
        if self._inotify is None:
            return
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                self._lose_all()
                return
            for queue in self._receivers.get(event.wd, ()):
                self._waiting += queue.put(event)
            if event.mask & flags.IGNORED:
                self._receivers.pop(event.wd, None)
        if self._waiting > MAX_WAITING:
            longest = max(self._queues, key=lambda queue: len(queue.events))
            self._clear(longest)
            longest.lost = OVERFLOW

    def _lose_all(self) -> None:
        """Close the instance, because it is unknown to which folders the lost events belonged."""
        for queue in self._queues:
            self._clear(queue)
            queue.lost = OVERFLOW
        self._queues.clear()
        self._close()

    def _close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        self._receivers.clear()

    def _clear(self, queue: EventQueue) -> None:
        self._waiting -= len(queue.events)
        queue.events = []

    def _remove(self, queue: EventQueue, wd: int) -> None:
        receivers = self._receivers.get(wd, ())
        others = tuple(other for other in receivers if other is not queue)
        if others:
            self._receivers[wd] = others
        elif receivers and self._inotify is not None:
            del self._receivers[wd]
            with contextlib.suppress(OSError):  # the folder is gone, and its watch with it
                self._inotify.rm_watch(wd)


def _open_inotify() -> INotify:
    try:
        return INotify(nonblocking=True)
    except OSError as error:
        out = error.errno in (errno.EMFILE, errno.ENFILE)
        raise WatchLost(NO_INSTANCES if out else NO_INOTIFY) from None

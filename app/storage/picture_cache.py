"""Which pictures were sent last? Their bytes are read once and held for who asks next.

What a wall shows is asked for by each who looks at it, and a picture stays the newest for seconds
to hours. To read 2 MiB again took more than half of the time of sending them.
"""

import threading
from collections import OrderedDict
from datetime import datetime
from weakref import WeakValueDictionary

from ..config import MIB
from .formats import Picture

# Of all pictures together; a larger one is shared while it is on its way to somebody.
HELD_BYTES = 4 * MIB
# A file that was written no longer ago than so many seconds may be written again without its times
# telling: FAT counts in steps of two (FAT specification, DIR_WrtTime).
TELLING_SECONDS = 4

Facts = tuple[int, int, int, int, int]


class Recent:
    """The bytes by the facts of their file: one that is written or replaced since has others.

    Safe for threads.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Facts, memoryview] = WeakValueDictionary()
        # Of these the ones that are held though nobody is being sent them, the oldest first.
        self._held: OrderedDict[Facts, memoryview] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def find(self, picture: Picture) -> memoryview | None:
        """The bytes of just this file as it is now, if they were read before."""
        return self._known.get(_facts(picture))

    def share(self, picture: Picture, data: bytes, now: datetime) -> memoryview:
        """``data``, which was read of ``picture``, for others to find."""
        view = memoryview(data)
        written = max(picture.mtime_ns, picture.ctime_ns) / 1e9
        if now.timestamp() - written > TELLING_SECONDS:
            with self._lock:
                view = self._known.setdefault(_facts(picture), view)
                self._hold(_facts(picture), view)
        return view

    def _hold(self, facts: Facts, view: memoryview) -> None:
        if len(view) > HELD_BYTES or facts in self._held:
            return
        self._held[facts] = view
        self._held_bytes += len(view)
        while self._held_bytes > HELD_BYTES:
            self._held_bytes -= len(self._held.popitem(last=False)[1])


# Of this process, as files are.
recent = Recent()


def _facts(picture: Picture) -> Facts:
    return (picture.device, picture.inode, picture.size, picture.mtime_ns, picture.ctime_ns)

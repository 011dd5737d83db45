"""How is storage asked without keeping those waiting who ask about something else?"""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from . import safe_open
from .filesystems import Mount, MountTable, mounts
from .mount_threads import HANGING_SECONDS, Answer, MountThreads

# How often, and for how many seconds each time, one waits for one of the threads that the folder
# may occupy. Several short waits: a process that gets no CPU for a while does not end them all.
SLOT_WAITS, SLOT_SECONDS = 10, 0.025
# How long the links that lead to the base path are believed, and how many folders are remembered.
BASE_SECONDS, REMEMBERED = 1.0, 10_000


class FolderBusy(Exception):
    """Other questions about the same folder take long and occupy as many threads as they may."""


class ConcurrencyLimit:
    """Lets at most ``most`` threads be occupied by the same key at a time. Safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._occupied: Counter[str] = Counter()
        # Keys for whose slots a thread has waited in vain since one of them was given back.
        self._slow: set[str] = set()
        self._ended = threading.Condition()

    @contextlib.contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """A slot of the key for the block. Raises `FolderBusy`.

        A thread that waits for a slot is occupied too, so it waits a short time only.
        """
        with self._ended:
            if not self._wait(key):
                raise FolderBusy
            self._occupied[key] += 1
        try:
            yield
        finally:
            with self._ended:
                self._occupied[key] -= 1
                if not self._occupied[key]:
                    del self._occupied[key]
                self._slow.discard(key)
                self._ended.notify_all()

    def _wait(self, key: str) -> bool:
        """Whether a slot is free, now or soon."""
        for _ in range(0 if key in self._slow else SLOT_WAITS):
            if self._ended.wait_for(lambda: self._occupied[key] < self._most, SLOT_SECONDS):
                return True
        self._slow.add(key)
        return False


class StorageThreads:
    """Which threads ask about which folder? Those that look at local disks ask by themselves.

    ``patience``: how many may wait long for mounts that do not answer. Safe for threads.
    """

    def __init__(self, patience: int = 1) -> None:
        self._patience = threading.Semaphore(patience)
        self._lock = threading.Lock()
        self._table: MountTable | None = None
        # Where each base path really lies, looked up at a moment of the monotonic clock.
        self._bases: dict[str, tuple[str, float]] = {}
        self._found: dict[tuple[str, str | None], MountThreads | None] = {}
        self._threads: dict[tuple[Mount, ...], MountThreads] = {}

    def ask(
        self,
        function: Callable[[], Answer],
        base: str,
        folder_path: str | None = None,
        seconds: float = HANGING_SECONDS,
    ) -> Answer:
        """What the function, which asks about the camera's folder, or just the base, returns.

        Raises what it does, and `StorageNotAnswering` after ``seconds`` at the latest.
        """
        threads = self.find(base, folder_path)
        return threads.ask(function, seconds) if threads else function()

    def find(self, base: str, folder_path: str | None = None) -> MountThreads | None:
        """The threads that ask about the folder; None where everybody may do so."""
        table, now = mounts.table(), time.monotonic()
        if table is not self._table or now > self._bases.get(base, ("", 0.0))[1]:
            with self._lock:
                self._refresh(table, base, now + BASE_SECONDS)
        with contextlib.suppress(KeyError):
            return self._found[base, folder_path]
        with self._lock:
            asked = _doubtful(table, self._bases[base][0], base, folder_path)
            threads = self._threads_for(asked) if asked else None
            self._found[base, folder_path] = threads
        return threads

    def not_answering(self) -> list[Mount]:
        """The mounts that hang, or say that they cannot answer."""
        with self._lock:
            all_threads = list(self._threads.values())
        silent = [t for t in all_threads if t.has_failed or t.silence() >= HANGING_SECONDS]
        return sorted({mount for threads in silent for mount in threads.mounts})

    def _refresh(self, table: MountTable, base: str, until: float) -> None:
        real = table.without_links(base)
        if table is not self._table or real != self._bases.get(base, ("", 0.0))[0]:
            self._found.clear()
        self._table, self._bases[base] = table, (real, until)
        for asked in [each for each in self._threads if not set(each) <= set(table.mounts)]:
            self._threads.pop(asked).close()

    def _threads_for(self, asked: tuple[Mount, ...]) -> MountThreads:
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        if asked not in self._threads:
            self._threads[asked] = MountThreads(asked, self._patience)
        return self._threads[asked]


def _doubtful(
    table: MountTable, real: str, base: str, folder_path: str | None
) -> tuple[Mount, ...]:
    """The mounts that may not answer when the folder is opened and everything below it read.

    ``real``: where the base really lies. Of a folder outside only the base is opened.
    """
    components: list[str] | None = None
    if folder_path is not None:
        path = safe_open.normalise(base, folder_path)
        components = safe_open.below(path, base)
        if components is None:
            components = safe_open.below(path, real)
    folder = os.path.join(real, *(components or []))
    way = [mount for mount in table.way(folder) if not mount.is_local]
    inside = () if components is None else table.around(folder)[1:]
    return (*way[-1:], *(mount for mount in inside if not mount.is_local))

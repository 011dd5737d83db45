"""How is storage read that may never answer? By threads of its mount, with a time limit."""

import contextlib
import contextvars
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from . import safe_open
from .filesystems import Mount, MountTable, mounts
from .safe_open import StorageNotAnswering

# How many threads read the same mounts. A folder that hangs may keep two by requests, and one each
# by the monitor, the index and the deletion of pictures; the last is for the other folders.
MOUNT_THREADS, REQUEST_THREADS = 6, 2
# In seconds: when mounts count as hanging, and when only a few callers may go on waiting.
HANGING_SECONDS, SILENT_SECONDS = 4.0, 0.25
# How often, and for how many seconds each time, a request waits for one of the threads that the
# folder may occupy. Several short waits, so that a process without CPU time does not miss all.
SLOT_WAITS, SLOT_SECONDS = 10, 0.025
# How long the resolved base path is cached, and for how many folders the threads are cached.
BASE_SECONDS, REMEMBERED = 1.0, 10_000

Answer = TypeVar("Answer")
# ``report``: the function that a thread of a mount calls when it makes progress.
_here = threading.local()


class FolderBusy(Exception):
    """Other requests for the same folder take long and occupy as many threads as they may."""


class ConcurrencyLimit:
    """At most ``most`` threads at a time may be occupied by the same key. Safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._occupied: Counter[str] = Counter()
        # Keys for which a thread has waited in vain since one of their slots was released.
        self._slow: set[str] = set()
        self._ended = threading.Condition()

    @contextlib.contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """A slot of the key for the block; raises `FolderBusy` after a short time without one."""
        with self._ended:
            self._wait(key)
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

    def _wait(self, key: str) -> None:
        """Wait until a slot is free."""
        for _ in range(0 if key in self._slow else SLOT_WAITS):
            if self._ended.wait_for(lambda: self._occupied[key] < self._most, SLOT_SECONDS):
                return
        self._slow.add(key)
        raise FolderBusy


@dataclass(slots=True, eq=False)
class Task(Generic[Answer]):
    """An operation on storage; ``heard_at``: its last progress, by the monotonic clock."""

    function: Callable[[], Answer]
    future: Future[Answer] = field(default_factory=Future)
    heard_at: float = field(default_factory=time.monotonic)


class MountThreads:
    """The threads that read the same mounts; ``patience``: of callers that wait long for any."""

    def __init__(self, asked: tuple[Mount, ...], patience: threading.Semaphore) -> None:
        self.mounts, self._patience = asked, patience
        # Whether the last operation failed because storage does not answer.
        self.has_failed = False
        self._slots = ConcurrencyLimit(REQUEST_THREADS)
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        # How many tasks have no answer yet, and when some answer came last.
        self._waiting, self._heard_at = 0, 0.0
        for _ in range(MOUNT_THREADS):
            threading.Thread(target=self._work, name="storage", daemon=True).start()

    def begin(self, function: Callable[[], Answer], folder: str = "") -> Task[Answer]:
        """Let a thread call the function; `FolderBusy` if ``folder`` occupies half of them."""
        held = contextlib.ExitStack()
        if folder:
            held.enter_context(self._slots.slot(folder))
        # With Flask's context of the request, whose conditions the function checks.
        task = Task(partial(contextvars.copy_context().run, function))
        with self._lock:
            if not self._waiting:
                self._heard_at = task.heard_at
            self._waiting += 1
        task.future.add_done_callback(self._note_end)
        # A function that never returns keeps its thread, so it keeps its slot.
        task.future.add_done_callback(lambda _: held.close())
        self._tasks.put(task)
        return task

    def ask(
        self, function: Callable[[], Answer], seconds: float = HANGING_SECONDS, folder: str = ""
    ) -> Answer:
        """As `begin`; the result of the function, or what it raises.

        Raises `StorageNotAnswering` after ``seconds`` without an answer; at once while they hang.
        """
        if self.silence() >= HANGING_SECONDS:
            raise StorageNotAnswering
        task, is_patient = self.begin(function, folder), False
        try:
            while not wait([task.future], SILENT_SECONDS).done:
                silence = self.silence(task)
                if silence >= SILENT_SECONDS and not is_patient:
                    is_patient = self._patience.acquire(blocking=False)
                    seconds = seconds if is_patient else 0.0
                if silence >= seconds:
                    raise StorageNotAnswering
        finally:
            task.future.cancel()
            if is_patient:
                self._patience.release()
        return task.future.result()

    def silence(self, task: Task[Any] | None = None) -> float:
        """For how many seconds the mounts, or the thread of this task, have not answered."""
        if task and task.future.running():
            return time.monotonic() - task.heard_at
        return time.monotonic() - self._heard_at if self._waiting else 0.0

    def close(self) -> None:
        """End every thread after its current task."""
        for _ in range(MOUNT_THREADS):
            self._tasks.put(None)

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        task = self._tasks.get()
        if task and task.future.set_running_or_notify_cancel():
            task.heard_at = time.monotonic()
            _here.report = partial(self._note_progress, task)
            try:
                answer = task.function()
                self.has_failed = False
                task.future.set_result(answer)
            except BaseException as error:  # raised again in the thread that asked
                self.has_failed = isinstance(error, StorageNotAnswering)
                task.future.set_exception(error)
            del _here.report
        return task is not None

    def _note_progress(self, task: Task[Any]) -> None:
        task.heard_at = self._heard_at = time.monotonic()

    def _note_end(self, future: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1
            if not future.cancelled():
                self._heard_at = time.monotonic()


class StorageThreads:
    """Which threads read which folder? Folders on local disks are read by the calling thread.

    ``patience``: how many callers may wait long for mounts that do not answer. Thread-safe.
    """

    def __init__(self, patience: int = 1) -> None:
        self._patience = threading.Semaphore(patience)
        self._lock = threading.Lock()
        self._table: MountTable | None = None
        # Each base path without links, and until when (monotonic clock) it is valid.
        self._bases: dict[str, tuple[str, float]] = {}
        self._threads: dict[tuple[Mount, ...], MountThreads] = {}

    def ask(
        self,
        function: Callable[[], Answer],
        base: str,
        folder_path: str | None = None,
        seconds: float = HANGING_SECONDS,
    ) -> Answer:
        """Like `MountThreads.ask`, for a camera's folder or only the base."""
        threads = self.find(base, folder_path)
        return threads.ask(function, seconds) if threads else function()

    def find(self, base: str, folder_path: str | None = None) -> MountThreads | None:
        """The threads that read the folder; None where the calling thread may."""
        table, now = mounts.table(), time.monotonic()
        if table is not self._table or now > self._bases.get(base, ("", 0.0))[1]:
            with self._lock:
                self._bases[base] = table.without_links(base), now + BASE_SECONDS
                if table is not self._table:
                    self._table = table
                    _doubtful.cache_clear()
                mounted = set(table.mounts)
                for gone in [each for each in self._threads if not mounted.issuperset(each)]:
                    self._threads.pop(gone).close()
        asked = _doubtful(table, self._bases[base][0], base, folder_path)
        if not asked:
            return None
        with self._lock:
            if asked not in self._threads:
                self._threads[asked] = MountThreads(asked, self._patience)
            return self._threads[asked]

    def not_answering(self) -> list[Mount]:
        """The mounts that hang, or whose last operation failed because they do not answer."""
        with self._lock:
            known = list(self._threads.values())
        silent = [t for t in known if t.has_failed or t.silence() >= HANGING_SECONDS]
        return sorted({mount for threads in silent for mount in threads.mounts})


@lru_cache(REMEMBERED)
def _doubtful(table: MountTable, real: str, base: str, path: str | None) -> tuple[Mount, ...]:
    """The mounts that may not answer; of a folder outside the base only the base is opened."""
    components = None
    if path is not None:
        components = safe_open.below(safe_open.normalise(base, path), base, real)
    return table.doubtful(os.path.join(real, *(components or [])), components is not None)


def note_progress() -> None:
    """Note that storage answers, during an operation that may take long."""
    if report := getattr(_here, "report", None):
        report()


def is_asked_directly() -> bool:
    """Whether this thread is none of the threads of a mount."""
    return getattr(_here, "report", None) is None

"""How is a mount asked that may never answer? In threads of its own, and for a limited time."""

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from .filesystems import Mount
from .safe_open import StorageNotAnswering

# How many threads ask about the same mounts.
MOUNT_THREADS = 4
# A mount that has not answered for so long, in seconds, hangs.
HANGING_SECONDS = 4.0
# After so many seconds without an answer only a few may go on waiting.
SILENT_SECONDS = 0.25

Answer = TypeVar("Answer")
# Whom this thread tells of its progress: `note_progress`.
_here = threading.local()


class Task(Generic[Answer]):
    """A question to storage; ``heard_at``: when it made progress, by the monotonic clock."""

    def __init__(self, function: Callable[[], Answer]) -> None:
        self.future: Future[Answer] = Future()
        self.heard_at = time.monotonic()
        self._function = function
        # What Flask knows of the request, for conditions that are checked on the way.
        self._context = contextvars.copy_context()

    def run(self) -> None:
        """Call the function and keep what it returns or raises."""
        try:
            self.future.set_result(self._context.run(self._function))
        except BaseException as error:  # raised again in the thread that asked
            self.future.set_exception(error)


class MountThreads:
    """The threads that ask about the same mounts, until `close`. Safe for threads.

    ``patience``: for those who wait longer than `SILENT_SECONDS`, of all mounts together.
    """

    def __init__(self, asked: tuple[Mount, ...], patience: threading.Semaphore) -> None:
        self.mounts = asked
        # Whether the last answer was an error by which storage says that it does not answer.
        self.has_failed = False
        self._patience = patience
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        # How many tasks have no answer yet, and when some answer came last.
        self._waiting, self._heard_at = 0, 0.0
        for _ in range(MOUNT_THREADS):
            threading.Thread(target=self._work, name="storage", daemon=True).start()

    def begin(self, function: Callable[[], Answer]) -> Task[Answer]:
        """Have the function called by one of the threads."""
        task = Task(function)
        with self._lock:
            if not self._waiting:
                self._heard_at = task.heard_at
            self._waiting += 1
        task.future.add_done_callback(self._note_end)
        self._tasks.put(task)
        return task

    def ask(self, function: Callable[[], Answer], seconds: float = HANGING_SECONDS) -> Answer:
        """What the function returns; raises what it does.

        Raises `StorageNotAnswering` after ``seconds`` without an answer, and at once while the
        mounts are known to hang.
        """
        if self.silence() >= HANGING_SECONDS:
            raise StorageNotAnswering
        task, is_patient = self.begin(function), False
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

    def note_answer(self, task: Task[Any]) -> None:
        """Note that the mounts have answered just now."""
        task.heard_at = self._heard_at = time.monotonic()

    def close(self) -> None:
        """End every thread after the task that it is at."""
        for _ in range(MOUNT_THREADS):
            self._tasks.put(None)

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        task = self._tasks.get()
        if task and task.future.set_running_or_notify_cancel():
            task.heard_at = time.monotonic()
            _here.progress = partial(self.note_answer, task)
            task.run()
            _here.progress = _do_nothing
            self.has_failed = isinstance(task.future.exception(), StorageNotAnswering)
        return task is not None

    def _note_end(self, future: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1
            if not future.cancelled():
                self._heard_at = time.monotonic()


def note_progress() -> None:
    """Say that storage answers, in the middle of a question that may take long."""
    getattr(_here, "progress", _do_nothing)()


def is_asked_directly() -> bool:
    """Whether this thread is none of those that ask about a mount."""
    return getattr(_here, "progress", _do_nothing) is _do_nothing


def _do_nothing() -> None:
    pass

"""Who answers a request that only reads? The thread that has read it: none is handed over.

Of several threads one leads: it waits for what clients send, reads their requests and answers
them one after the other. Where an answer takes long, say because a disk sleeps or a client takes
its time, the next thread takes over the lead, and the first one ends what it is at. Where all of
them are at something the main thread leads, which answers nothing, so that clients are let in,
read and dismissed whatever the others wait for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

# How long an answer may take until another thread takes over the lead.
PATIENCE_SECONDS = 0.005
# Who leads where no reader does.
MAIN = -1


class Readers:
    """``count`` threads; ``turn`` waits for what clients send and adds their requests as tasks.

    ``wake`` ends its waiting. The main thread leads until `start`.
    """

    def __init__(
        self, count: int, turn: Callable[[], None], wake: Callable[[], None] = lambda: None
    ) -> None:
        self._turn, self._wake = turn, wake
        self._tasks: deque[Any] = deque()
        self._leader = MAIN
        # Who has nothing to do, and since when each of the others is at an answer (monotonic;
        # 0 where it is at none).
        self._free: list[int] = []
        self._begun = [0.0] * count
        # Each is woken by its own condition, all of them of one lock: to wake one wakes no other.
        self._lock = threading.RLock()
        self._calls = [threading.Condition(self._lock) for _ in range(count)]
        self._may_lead = self._is_over = False
        # The thread that leads, once it has begun to.
        self._turns_in = 0
        self._threads = [
            threading.Thread(target=self._run, args=(me,), name=f"reader {me}", daemon=True)
            for me in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def are_led(self) -> bool:
        """Whether one of them leads; otherwise the main thread has to."""
        return self._leader != MAIN

    @property
    def waiting(self) -> bool:
        """Whether a request waits for one of them."""
        return bool(self._tasks)

    @property
    def are_busy(self) -> bool:
        """Whether a request waits, or the one that leads is at an answer."""
        return bool(self._tasks or (self.are_led and self._begun[self._leader]))

    def start(self) -> None:
        """Have one of them lead."""
        with self._lock:
            self._may_lead = True
            self._appoint()

    def add_task(self, channel: Any) -> None:
        """Have the channel's next request answered after those that wait already."""
        self._tasks.append(channel)
        if self._turns_in == threading.get_ident():
            return  # it answers what it has read when it has read all there is
        with self._lock:
            if self.are_led:
                self._wake()
            else:
                self._call_all()

    def relieve(self, now: float) -> None:
        """Have another one lead where the leader has been at an answer for too long."""
        with self._lock:
            begun = self._begun[self._leader] if self.are_led else 0.0
            if begun and now - begun >= PATIENCE_SECONDS:
                self._appoint()

    def step_down(self) -> None:
        """Leave the lead to the main thread for good, and answer what it reads."""
        with self._lock:
            self._may_lead, self._leader = False, MAIN
            self._call_all()
        self._wake()

    def shutdown(self, seconds: float) -> None:
        """Let each end what it is at, within ``seconds``; what waits still is cancelled."""
        deadline = time.monotonic() + seconds
        self._is_over = True
        self.step_down()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        while (channel := self._pop()) is not None:
            channel.cancel()

    def _appoint(self) -> None:
        """One that is free leads, the main thread where nobody is."""
        self._leader = self._free.pop() if self._free else MAIN
        if self.are_led:
            self._calls[self._leader].notify()

    def _call_all(self) -> None:
        for call in self._calls:
            call.notify()

    def _run(self, me: int) -> None:
        while self._leader == me or self._stand_by(me):
            if not self._answer(me) and self._leader == me:
                self._turns_in = threading.get_ident()
                self._turn()

    def _stand_by(self, me: int) -> bool:
        """Until there is something to do for ``me``; False at the end."""
        with self._lock:
            if self._may_lead and self._leader == MAIN:
                self._leader = me
                self._wake()
                return True
            self._free.append(me)
            self._calls[me].wait_for(lambda: self._leader == me or self._is_left_to_all())
            if me in self._free:
                self._free.remove(me)
            return not self._is_over or bool(self._tasks)

    def _is_left_to_all(self) -> bool:
        """Whether the main thread has read a request, or they need not wait for one any more."""
        return self._leader == MAIN and (bool(self._tasks) or self._is_over)

    def _pop(self) -> Any:
        try:
            return self._tasks.popleft()
        except IndexError:
            return None

    def _answer(self, me: int) -> bool:
        """Answer the request that waits for the longest; whether there was one."""
        # Before it is taken, so that at no time it neither waits nor is at an answer.
        self._begun[me] = time.monotonic()
        channel = self._pop()
        if channel is not None:
            try:
                channel.service()
            except Exception:
                # The thread has to live on; waitress has answered what can be answered.
                log.exception("a request was not answered")
        self._begun[me] = 0.0
        return channel is not None

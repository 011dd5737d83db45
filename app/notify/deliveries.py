"""How do the messages of the outbox reach their receivers? The process that leads delivers them.

While a message can be tried, its receiver has a thread of its own, so that a receiver that hangs
delays no other. During the pause between two attempts it has no thread.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from .. import clock
from ..db import database, writer
from ..models import DELIVERED, DELIVERY_DAYS, GIVEN_UP, Delivery, Notification, Row
from .webhook import Outcome

log = logging.getLogger(__name__)

# The pause between two attempts, in seconds. The next tick, up to a second later, ends it.
LEAST_PAUSE, MOST_PAUSE = 1.0, 58.0
# After failing with one message for this long, the next ones are tried too.
PATIENCE = timedelta(minutes=10)
# After so many failures in a row the receiver is taken to refuse every message, not just one.
MOST_PROBES = 3
GIVE_UP_AFTER = timedelta(hours=24)
# The outcome of a message that should have been deleted already, as after a restore.
TOO_OLD = Outcome(error=f"it is older than {DELIVERY_DAYS} days", is_final=True)
# How many attempts run at the same time. Receivers that failed last may have only a part of them,
# so that those which hang leave threads to the others. Each needs a file descriptor.
MOST_THREADS, MOST_FAILING = 256, 128

# Sends a message to the receiver of a rule. Its arguments: the rule, and the row of `Delivery`.
Send = Callable[[Row, Row], Outcome]


@dataclass(slots=True)
class Receiver:
    """The state of a rule's receiver since the process started. Times are monotonic.

    ``failures``: how many attempts failed in a row; ``due_at``: when the oldest message is tried
    again.

    Once a message has failed for `PATIENCE`, those after it are probed during its pauses.
    ``passed_id``: the next probe is the first message after this id, None while nothing is probed;
    ``probes``: how many probes failed in a row; ``probed_id``: the last probe before probing was
    given up.

    ``unrecorded``: the id of a message that was sent, and the outcome that could not be stored, as
    while the disk is full; it is not sent again until that is stored.
    """

    failures: int = 0
    due_at: float = 0.0
    passed_id: int | None = None
    probes: int = 0
    probed_id: int = 0
    unrecorded: tuple[int, Outcome] | None = None

    def is_ready(self, is_new: bool = True) -> bool:
        """Whether a message may be tried now.

        ``is_new``: whether a message may have been written since the last attempt.
        """
        return time.monotonic() >= self.due_at or (is_new and self.passed_id is not None)

    def note_success(self) -> None:
        """Note that the oldest message is done; the next one is tried at once."""
        self.failures, self.due_at, self.passed_id, self.probed_id = 0, 0.0, None, 0

    def note_failure(self, message_id: int = 0, tried_for: timedelta = timedelta()) -> None:
        """Note that the oldest message failed; it is tried again after a pause.

        ``tried_for``: how long ago it was tried first.
        """
        self.due_at = time.monotonic() + pause(self.failures)
        self.failures += 1
        if tried_for >= PATIENCE:
            self.passed_id, self.probes = max(message_id, self.probed_id), 0

    def note_probe(self, message_id: int, is_done: bool) -> None:
        """Note that a message was tried during the pause of the oldest one."""
        self.passed_id, self.probes = message_id, 0 if is_done else self.probes + 1
        if self.probes >= MOST_PROBES:
            self.passed_id, self.probed_id = None, message_id


def pause(failures: int) -> float:
    """The seconds until the next attempt, random so that not all receivers are tried at once."""
    longest = min(MOST_PAUSE, 2.0 * 2 ** min(failures, 10))
    return secrets.SystemRandom().uniform(max(LEAST_PAUSE, longest / 2), longest)


class Deliveries:
    """Delivers the messages that wait.

    ``leads`` returns whether this process delivers; ``jobs`` are called by the process that
    delivers, at most once a second.
    """

    def __init__(
        self, send: Send, leads: Callable[[], bool], jobs: Iterable[Callable[[], None]] = ()
    ) -> None:
        self.send, self._leads, self._jobs = send, leads, tuple(jobs)
        self._receivers: dict[int, Receiver] = {}
        # The rules to whose receivers a thread delivers now.
        self._busy: set[int] = set()
        # Those of the rules in `_busy` for which a message was committed meanwhile.
        self._woken: set[int] = set()
        self._lock = threading.Lock()
        self._started = clock.read()
        self._is_running = False

    def start(self) -> None:
        """Deliver from now on. Workers of another WSGI server do not call this."""
        self._is_running = True

    def close(self) -> None:
        """Begin no further attempt."""
        self._is_running = False

    def tick(self) -> None:
        """Begin the attempts that are due, and run the jobs; call it every second."""
        self._begin_ready(is_new=False)
        if self._is_running and self._leads():
            for job in self._jobs:
                job()

    def wake(self) -> None:
        """Begin the attempts that may be made at once; call it when messages were committed."""
        self._begin_ready(is_new=True)

    def _begin_ready(self, is_new: bool) -> None:
        if not self._is_running or not self._leads():
            return
        waited_for = Delivery.rules_waited_for()
        with self._lock:
            for rule_id in self._receivers.keys() - set(waited_for) - self._busy:
                del self._receivers[rule_id]
            waiting = [(self._receivers.setdefault(each, Receiver()), each) for each in waited_for]
            # Receivers that did not fail come first, then those that have waited longest.
            for receiver, rule_id in sorted(waiting, key=lambda pair: pair[0].due_at):
                if rule_id in self._busy:
                    self._woken.add(rule_id)
                elif receiver.is_ready(is_new) and self._has_thread_for(receiver):
                    self._begin(rule_id, receiver)

    def _has_thread_for(self, receiver: Receiver) -> bool:
        """Whether another attempt may run."""
        failing = sum(self._receivers[each].failures > 0 for each in self._busy)
        is_free = not receiver.failures or failing < MOST_FAILING
        return is_free and len(self._busy) < MOST_THREADS

    def _begin(self, rule_id: int, receiver: Receiver) -> None:
        name, args = f"deliveries of {rule_id}", (rule_id, receiver)
        thread = threading.Thread(target=self._work, args=args, name=name, daemon=True)
        with suppress(RuntimeError):  # the system grants no thread: the next tick tries again
            thread.start()
            self._busy.add(rule_id)

    def _work(self, rule_id: int, receiver: Receiver) -> None:
        """Deliver to one receiver until nothing waits or a pause begins."""
        try:
            while self._is_running:
                if not self._deliver_next(rule_id, receiver) and self._is_done(rule_id):
                    break
        except Exception:  # as when the disk is full: the message is sent again after a pause
            log.exception("the messages of notification %s cannot be delivered", rule_id)
            receiver.note_failure()
            receiver.passed_id = None
            with self._lock:
                self._busy.discard(rule_id)
        finally:
            database.close()

    def _is_done(self, rule_id: int) -> bool:
        """Whether the thread may end: no message was committed since its last look."""
        with self._lock:
            if rule_id in self._woken:
                self._woken.discard(rule_id)
                return False
            self._busy.discard(rule_id)
            return True

    def _deliver_next(self, rule_id: int, receiver: Receiver) -> bool:
        """Try one message; return whether another may be tried at once."""
        rule = Notification.find(id=rule_id)
        if rule is None or not rule["enabled"]:
            return False
        is_oldest = time.monotonic() >= receiver.due_at
        after_id = 0 if is_oldest else receiver.passed_id
        row = None if after_id is None else Delivery.next_waiting(rule_id, after_id)
        if row is None:
            receiver.probed_id = 0
            return False
        if receiver.unrecorded is None or receiver.unrecorded[0] != row["id"]:
            is_old = self._age(row["created_at"]) >= timedelta(days=DELIVERY_DAYS)
            receiver.unrecorded = row["id"], TOO_OLD if is_old else self.send(rule, row)
        outcome = receiver.unrecorded[1]
        tried_for = self._age(row["first_tried_at"] or clock.rfc3339(clock.now()))
        self._record(row["id"], outcome, tried_for)
        receiver.unrecorded = None
        if not is_oldest:
            receiver.note_probe(row["id"], outcome.is_done)
        elif outcome.is_done:
            receiver.note_success()
        else:
            receiver.note_failure(row["id"], tried_for)
        return receiver.is_ready()

    def _record(self, row_id: int, outcome: Outcome, tried_for: timedelta) -> None:
        now = clock.rfc3339(clock.now())
        ended = None
        if outcome.ok:
            ended = DELIVERED
        elif outcome.is_final or tried_for >= GIVE_UP_AFTER:
            ended = GIVEN_UP
        if ended:
            writer.run(lambda: Delivery.end(row_id, ended, outcome.error, now))
        else:
            writer.run(lambda: Delivery.note_failure(row_id, outcome.error or "", now))

    def _age(self, first: str) -> timedelta:
        """How long ago this was, also where the clock was set since: by the clock as it is, or as
        it was when this process started, whichever is less.
        """
        reading, then = clock.read(), clock.parse(first)
        ages = [now - then for now in (reading.now, self._started.at(reading.uptime))]
        return min((age for age in ages if age >= timedelta()), default=timedelta())

"""How is a test message sent to the receiver of a rule? At once, whatever the rule's filters."""

import threading

from .. import clock
from ..models import Notification, Row
from . import messages, signing
from .deliveries import Send
from .webhook import Outcome, run_within

# The limit for the whole test, the lookup of the host's name included. The API promises 15 s.
SECONDS = 13.0
# How many tests run at once: each occupies one of the threads that answer requests.
MOST_AT_ONCE = 4
_free = threading.BoundedSemaphore(MOST_AT_ONCE)


def send_trial(rule_id: int, send: Send) -> Row:
    """Send a test message and return ``ok``, ``status`` and ``error``; raises `NotFound`."""
    rule = Notification.one(rule_id)
    if not _free.acquire(blocking=False):
        return _shown(Outcome(error="other tests are running; try again in a few seconds"))
    body = messages.trial_body(clock.rfc3339(clock.now()))
    message = {"kind": messages.TEST, "message_id": signing.make_message_id(), "body": body}

    def work() -> Outcome:
        try:
            return send(rule, message)
        finally:
            _free.release()

    try:
        return _shown(run_within(SECONDS, work, f"trial of {rule_id}"))
    except TimeoutError:
        return _shown(Outcome(error=f"no answer within {SECONDS:.0f} seconds"))


def _shown(outcome: Outcome) -> Row:
    return {"ok": outcome.ok, "status": outcome.status, "error": outcome.error}

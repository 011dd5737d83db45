"""Is each message delivered at least once, in order, without delaying others?"""

import sqlite3
import threading
import time
from collections import defaultdict
from datetime import timedelta

import pytest

from app import clock
from app.db import writer
from app.models import DELIVERY_DAYS, WAITING, Delivery
from app.notify import deliveries
from app.notify.deliveries import Deliveries
from app.notify.webhook import Outcome
from tests.receivers import receiving, status
from tests.test_outbox import add_rule, detect

FAILED, FINAL, DONE = Outcome(error="failed"), Outcome(404, "404", True), Outcome(200)


class Sent:
    """Keeps the messages that are sent by rule; ``outcome`` decides what becomes of each."""

    def __init__(self):
        self.by_rule = defaultdict(list)
        self.urls = []
        self.outcome = lambda rule, number: DONE

    def __call__(self, rule, row):
        self.by_rule[rule["id"]].append(row["id"])
        self.urls.append(rule["url"])
        return self.outcome(rule["id"], row["id"])


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def delivering(client, sent, monkeypatch):
    """Deliveries with short pauses, ticking."""
    monkeypatch.setattr(deliveries, "pause", lambda failures: 0.02)
    found = Deliveries(sent, lambda: True)
    found.start()
    ended = threading.Event()

    def tick():
        while not ended.wait(0.01):
            found.tick()

    ticking = threading.Thread(target=tick)
    ticking.start()
    yield found
    found.close()
    ended.set()
    ticking.join()
    wait_until(lambda: not [t for t in threading.enumerate() if "deliveries of" in t.name])


def wait_until(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def add_messages(rule, number):
    """The ids of messages that are written for a rule."""

    def write():
        now = clock.rfc3339(clock.now())
        common = {"notification": rule, "kind": "detection", "created_at": now, "body": "{}"}
        common |= {"state": WAITING, "attempts": 0}
        rows = [common | {"message_id": f"msg_{n}"} for n in range(number)]
        return Delivery.insert_rows(rows)

    return writer.run(write)


def states(ids):
    return [Delivery.one(row_id)["state"] for row_id in ids]


def ended(ids):
    return lambda: "waiting" not in states(ids)


def test_messages_are_delivered_in_order(client, sent, delivering):
    rule = add_rule(client, "detection")
    ids = add_messages(rule, 20)
    wait_until(ended(ids))
    assert sent.by_rule[rule] == ids
    row = Delivery.one(ids[0])
    assert (row["state"], row["attempts"], row["error"]) == ("delivered", 1, None)
    assert row["delivered_at"] >= row["created_at"]


def test_a_message_that_fails_is_tried_again_before_the_next(client, sent, delivering):
    rule = add_rule(client, "detection")
    sent.outcome = lambda _, row: FAILED if len(sent.by_rule[rule]) < 4 else DONE
    ids = add_messages(rule, 3)
    wait_until(ended(ids))
    assert sent.by_rule[rule] == [ids[0]] * 4 + ids[1:]
    assert [Delivery.one(row)["attempts"] for row in ids] == [4, 1, 1]


def test_a_message_that_is_refused_is_given_up_at_once(client, sent, delivering):
    rule = add_rule(client, "detection")
    ids = add_messages(rule, 3)
    sent.outcome = lambda _, row: FINAL if row == ids[1] else DONE
    wait_until(ended(ids))
    assert sent.by_rule[rule] == ids
    assert states(ids) == ["delivered", "given_up", "delivered"]
    row = Delivery.one(ids[1])
    assert (row["delivered_at"], row["error"], row["attempts"]) == (None, "404", 1)


def test_receivers_that_hang_delay_no_other(client, sent, delivering, monkeypatch):
    monkeypatch.setattr(deliveries, "MOST_THREADS", 8)
    monkeypatch.setattr(deliveries, "MOST_FAILING", 4)
    hanging = {add_rule(client, "detection") for _ in range(12)}
    other = add_rule(client, "detection")
    go_on, failed = threading.Event(), set()

    def outcome(rule, _):
        if rule not in hanging:
            return DONE
        if rule not in failed:
            failed.add(rule)
            return FAILED
        return go_on.wait(60) and DONE

    sent.outcome = outcome
    slow = [row for rule in hanging for row in add_messages(rule, 2)]
    wait_until(lambda: sum(len(sent.by_rule[rule]) == 2 for rule in hanging) >= 4)
    wait_until(ended(add_messages(other, 10)))
    assert set(states(slow)) == {"waiting"}
    go_on.set()
    wait_until(ended(slow))


def test_no_thread_is_left_when_nothing_waits(client, sent, delivering):
    ids = add_messages(add_rule(client, "detection"), 3)
    wait_until(ended(ids))
    wait_until(lambda: not [t for t in threading.enumerate() if "deliveries of" in t.name])


def test_messages_of_a_disabled_rule_wait(client, sent, delivering):
    rule = add_rule(client, "detection", enabled=False)
    other = add_rule(client, "detection")
    ids = add_messages(rule, 2)
    wait_until(ended(add_messages(other, 1)))
    assert states(ids) == ["waiting"] * 2
    client.patch(f"/api/notifications/{rule}", json={"enabled": True})
    wait_until(ended(ids))


def test_messages_that_wait_go_to_the_present_url_of_their_rule(client, sent, delivering):
    rule = add_rule(client, "detection", url="http://old.lan/")
    sent.outcome = lambda _, row: DONE if sent.urls[-1] == "http://new.lan/" else FAILED
    ids = add_messages(rule, 2)
    wait_until(lambda: sent.urls)
    client.patch(f"/api/notifications/{rule}", json={"url": "http://new.lan/"})
    wait_until(ended(ids))
    assert states(ids) == ["delivered"] * 2


def test_a_rule_may_be_deleted_while_its_message_is_sent(client, sent, delivering, caplog):
    rule, other = add_rule(client, "detection"), add_rule(client, "detection")
    go_on = threading.Event()
    sent.outcome = lambda of, _: go_on.wait(60) and DONE if of == rule else DONE
    add_messages(rule, 2)
    wait_until(lambda: sent.by_rule[rule])
    assert client.delete(f"/api/notifications/{rule}").status_code == 204
    go_on.set()
    ids = add_messages(other, 1)
    wait_until(ended(ids))
    wait_until(lambda: not [t for t in threading.enumerate() if "deliveries of" in t.name])
    assert len(sent.by_rule[rule]) == client.get("/api/deliveries").json["count"] == 1
    assert "cannot be delivered" not in caplog.text


def test_after_ten_minutes_of_failing_the_next_ones_are_tried_too(
    client, sent, delivering, monkeypatch
):
    monkeypatch.setattr(deliveries, "PATIENCE", timedelta(seconds=0.2))
    rule = add_rule(client, "detection")
    ids = add_messages(rule, 6)
    bad = {ids[0], ids[2], ids[3]}
    sent.outcome = lambda _, row: FAILED if row in bad else DONE
    wait_until(ended([row for row in ids if row not in bad]))
    more = add_messages(rule, 3)
    wait_until(ended(more))
    bad.clear()
    wait_until(ended(ids))


def test_ten_minutes_of_failing_count_from_before_a_restart(client, sent, delivering):
    rule = add_rule(client, "detection", enabled=False)
    bad, good = add_messages(rule, 2)
    sent.outcome = lambda _, row: FAILED if row == bad else DONE
    first = clock.rfc3339(clock.now() - timedelta(minutes=11))
    writer.run(lambda: Delivery.change(bad, {"first_tried_at": first}))
    client.patch(f"/api/notifications/{rule}", json={"enabled": True})
    wait_until(ended([good]))
    assert states([bad]) == ["waiting"]


def test_many_bad_messages_do_not_hold_a_receiver_up_for_ever(
    client, sent, delivering, monkeypatch
):
    monkeypatch.setattr(deliveries, "PATIENCE", timedelta(seconds=0.05))
    rule = add_rule(client, "detection")
    ids = add_messages(rule, 12)
    sent.outcome = lambda _, row: FAILED if row != ids[-1] else DONE
    wait_until(ended(ids[-1:]))
    sent.outcome = lambda _, row: DONE
    wait_until(ended(ids))


def test_after_a_day_of_failing_a_message_is_given_up(client, sent, delivering):
    rule = add_rule(client, "detection")
    sent.outcome = lambda _, row: FAILED
    ids = add_messages(rule, 1)
    wait_until(lambda: Delivery.one(ids[0])["attempts"])
    began = clock.rfc3339(clock.now() - deliveries.GIVE_UP_AFTER)
    writer.run(lambda: Delivery.change(ids[0], {"first_tried_at": began}))
    wait_until(ended(ids))
    row = Delivery.one(ids[0])
    assert (row["state"], row["error"]) == ("given_up", "failed")


def test_no_message_is_given_up_because_the_clock_was_set(client, sent, delivering, monkeypatch):
    rule = add_rule(client, "detection")
    sent.outcome = lambda _, row: FAILED
    (row,) = add_messages(rule, 1)
    real = clock.now
    for days in (0, 300, -300):
        monkeypatch.setattr(clock, "now", lambda days=days: real() + timedelta(days=days))
        attempts = len(sent.by_rule[rule]) + 3
        wait_until(lambda attempts=attempts: len(sent.by_rule[rule]) >= attempts)
    assert states([row]) == ["waiting"]


def test_a_message_is_not_sent_again_while_its_outcome_cannot_be_stored(
    client, sent, delivering, monkeypatch
):
    rule, faults, end = add_rule(client, "detection"), [1, 2, 3], Delivery.end

    def fail(*values):
        if faults:
            raise sqlite3.OperationalError(faults.pop())
        return end(*values)

    monkeypatch.setattr(Delivery, "end", fail)
    ids = add_messages(rule, 2)
    wait_until(ended(ids))
    assert (sent.by_rule[rule], faults) == (ids, [])


def test_a_message_of_an_old_backup_is_not_sent(client, sent, delivering):
    rule = add_rule(client, "detection", enabled=False)
    old, new = add_messages(rule, 2)
    at = clock.rfc3339(clock.now() - timedelta(days=DELIVERY_DAYS, seconds=1))
    writer.run(lambda: Delivery.change(old, {"created_at": at}))
    client.patch(f"/api/notifications/{rule}", json={"enabled": True})
    wait_until(ended([old, new]))
    assert (sent.by_rule[rule], states([old])) == ([new], ["given_up"])


def test_a_failure_of_the_service_itself_delays_only_this_receiver(
    client, sent, delivering, caplog
):
    rule, other = add_rule(client, "detection"), add_rule(client, "detection")
    faults = [ValueError("pa55word")]

    def fail(of, _):
        if of == rule and faults:
            raise faults.pop()
        return DONE

    sent.outcome = fail
    ids = add_messages(rule, 2) + add_messages(other, 2)
    wait_until(ended(ids))
    assert states(ids) == ["delivered"] * 4


def test_only_the_process_that_leads_delivers(client, sent):
    rule = add_rule(client, "detection")
    add_messages(rule, 1)
    for leads, starts in ((False, True), (True, False)):
        idle = Deliveries(sent, lambda leads=leads: leads)
        if starts:
            idle.start()
        idle.tick()
        idle.wake()
    assert not [t for t in threading.enumerate() if "deliveries of" in t.name]


def test_pauses_grow_from_a_second_to_a_minute_and_differ():
    for failures in range(30):
        pauses = [deliveries.pause(failures) for _ in range(50)]
        assert all(1 <= each <= 59 for each in pauses)
        assert len(set(pauses)) > 1
    assert all(deliveries.pause(0) <= 2 for _ in range(50))
    assert all(deliveries.pause(20) >= 29 for _ in range(50))


def test_a_change_reaches_its_webhook(app, client, camera):
    outbox = app.extensions["deliveries"]
    assert app.extensions["monitor"].lead()
    with receiving(lambda received: status(200)) as receiver:
        rule = add_rule(client, "detection", url=receiver.url)
        outbox.start()
        (row,) = detect(client, camera, "person")
        (received,) = receiver.wait_for(1)
        wait_until(lambda: client.get("/api/deliveries?state=delivered").json["count"])
        outbox.close()
    app.extensions["monitor"].close()
    assert received.message["data"]["detection"]["id"] == row
    (delivery,) = client.get(f"/api/deliveries?notification_id={rule}").json["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    wait_until(lambda: not [t for t in threading.enumerate() if "deliveries of" in t.name])

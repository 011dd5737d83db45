"""Are detections and events stored once, all or nothing, also under a race?"""

import threading

import pytest

from app import clock, db
from app.models import EVENTS, ConflictError, Detection, Event, NotFound, decode_types
from app.services import cameras as camera_service
from app.services import events as event_service
from app.services.audit import Caller
from tests import effort
from tests.effort import steps
from tests.rows import add_many, entries_of, rows

NOBODY = Caller("anonymous")
THREADS = 4


@pytest.fixture
def front(app):
    return camera_service.create_camera(
        {"name": "Front", "folder_path": "f", "status": "online"}, NOBODY
    )


@pytest.fixture
def side(app):
    return camera_service.create_camera(
        {"name": "Side", "folder_path": "s", "status": "online"}, NOBODY
    )


@pytest.fixture
def statements(app):
    """Every statement that is run from here, with its parameters filled in."""
    with effort.traced() as seen:
        yield seen


def seen(camera, **fields):
    nothing = dict.fromkeys(("event_id", "detected_at", "bbox", "file_path", "external_id"))
    return {"camera_id": camera["id"], "object_type": "car", "confidence": 0.5} | nothing | fields


def happened(camera, detection_ids=(), **fields):
    return {
        "camera_id": camera["id"],
        "started_at": "2025-12-23T12:00:00.000000Z",
        "ended_at": None,
        "risk_score": None,
        "summary": "",
        "reasoning": "",
        "reviewed": False,
        "notes": None,
        "detection_ids": list(detection_ids),
    } | fields


def of_kind(statements, *words):
    return [statement for statement in statements if statement.startswith(words)]


def test_a_thousand_detections_are_one_transaction(front, statements):
    batch = [seen(front, external_id=str(n), file_path=str(n)) for n in range(1000)]
    stored = event_service.create_detections(batch)
    assert stored.new == len(set(stored.ids)) == 1000
    assert of_kind(statements, "BEGIN", "COMMIT") == ["BEGIN IMMEDIATE", "COMMIT"]


def test_a_batch_costs_the_same_however_much_is_stored(front):
    def cost(name):
        batch = [seen(front, external_id=f"{name}{n}") for n in range(50)]
        return steps(lambda: event_service.create_detections(batch))

    event_service.create_detections([seen(front)])
    few = cost("few")
    add_many(front["id"], detections=5000, events=1)
    assert cost("many") < 1.2 * few


def test_a_batch_of_a_hundred_needs_ten_statements_at_most(front, statements):
    batch = [seen(front, external_id=str(n)) for n in range(100)]
    assert event_service.create_detections(batch).new == 100
    assert len(of_kind(statements, "SELECT", "INSERT", "UPDATE")) <= 10


def test_the_ids_are_those_of_the_rows_in_their_order(front):
    event_service.create_detections([seen(front)])
    batch = [seen(front, external_id=str(n % 7), file_path=str(n)) for n in range(20)]
    batch += [seen(front, file_path="last")]
    ids = event_service.create_detections(batch).ids
    paths = {row["id"]: row["file_path"] for row in rows(Detection.select())}
    assert [paths[row_id] for row_id in ids] == [*(str(n % 7) for n in range(20)), "last"]


def test_a_batch_posted_again_inserts_nothing(front, statements):
    batch = [seen(front, external_id=str(n)) for n in range(10)]
    first = event_service.create_detections(batch)
    statements.clear()
    assert event_service.create_detections(batch) == (first.ids, 0)
    assert of_kind(statements, "INSERT") == []


def test_an_event_whose_claims_fail_is_not_stored(front, monkeypatch):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(Detection, "change", fail)
    ids = event_service.create_detections([seen(front)]).ids
    with pytest.raises(RuntimeError):
        event_service.create_event(happened(front, ids))
    assert rows(Event.select()) == []


def test_all_detections_of_a_batch_get_the_same_moment(front, monkeypatch):
    ticks = iter(range(1000, 2000))
    monkeypatch.setattr(clock, "now", lambda: clock.datetime.fromtimestamp(next(ticks), clock.UTC))
    event_service.create_detections([seen(front) for _ in range(3)])
    assert len({row["detected_at"] for row in rows(Detection.select())}) == 1


def race(job):
    """The results of ``job`` in several threads that begin at the same moment."""
    barrier, answers = threading.Barrier(THREADS), []

    def run(number):
        try:
            barrier.wait()
            answers.append(job(number))
        except ConflictError as refused:
            answers.append(refused)
        finally:
            db.database.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_racing_posts_of_one_batch_store_it_once(front):
    batch = [seen(front, external_id=str(n)) for n in range(50)]
    for turn in range(5):
        fresh = [row | {"external_id": f"{turn}/{row['external_id']}"} for row in batch]
        answers = race(lambda _, fresh=fresh: event_service.create_detections(fresh))
        assert sorted(answer.new for answer in answers) == [0] * (THREADS - 1) + [50]
        assert len({tuple(answer.ids) for answer in answers}) == 1
    assert len(rows(Detection.select())) == 250


def test_racing_events_claim_a_detection_once(front):
    ids = event_service.create_detections([seen(front)]).ids
    answers = race(lambda _: event_service.create_event(happened(front, ids)))
    assert [type(answer) for answer in answers].count(dict) == 1
    (event,) = rows(Event.select())
    assert rows(Detection.select())[0]["event"] == event["id"]


def test_racing_reviews_of_different_fields_both_survive(front):
    event = event_service.create_event(happened(front))
    changes = [{"notes": "a"}, {"summary": "b"}, {"risk_score": 3}, {"reviewed": True}]
    race(lambda n: event_service.update_event(event["id"], changes[n], NOBODY))
    (stored,) = rows(Event.select())
    assert {**changes[0], **changes[1], **changes[2], "reviewed": 1}.items() <= stored.items()
    assert len(entries_of(str(event["id"]))) == THREADS


def test_a_refused_event_claims_nothing_and_is_not_stored(front, side):
    mine, other = event_service.create_detections([seen(front), seen(side)]).ids
    with pytest.raises(ConflictError, match=str(other)):
        event_service.create_event(happened(front, [mine, other]))
    assert rows(Event.select()) == []
    assert {row["event"] for row in rows(Detection.select())} == {None}


def test_an_event_and_its_claims_are_one_transaction(front, statements):
    ids = event_service.create_detections([seen(front) for _ in range(1000)]).ids
    statements.clear()
    assert event_service.create_event(happened(front, ids))["detection_count"] == 1000
    assert of_kind(statements, "BEGIN", "COMMIT") == ["BEGIN IMMEDIATE", "COMMIT"]


def test_a_review_writes_only_the_changed_columns_and_an_audit_entry(front, statements):
    event = event_service.create_event(happened(front, notes="old"))
    statements.clear()
    event_service.update_event(event["id"], {"notes": "new", "reviewed": False}, NOBODY)
    (update,) = of_kind(statements, "UPDATE")
    assert '"notes" = ' in update
    assert "reviewed" not in update
    assert of_kind(statements, "BEGIN", "COMMIT") == ["BEGIN IMMEDIATE", "COMMIT"]
    (entry,) = entries_of(str(event["id"]))
    assert entry["details"] == {"changes": {"notes": {"old": "old", "new": "new"}}}


def test_without_its_audit_entry_a_review_is_not_kept(front, monkeypatch):
    def fail(*_):
        raise RuntimeError

    event = event_service.create_event(happened(front))
    monkeypatch.setattr("app.services.audit.record", fail)
    with pytest.raises(RuntimeError):
        event_service.update_event(event["id"], {"notes": "new"}, NOBODY)
    assert rows(Event.select())[0]["notes"] is None


def test_an_unknown_event_cannot_be_reviewed(app):
    with pytest.raises(NotFound, match="event"):
        event_service.update_event(1, {"notes": "new"}, NOBODY)


def test_deleting_a_camera_deletes_its_own_rows_only(front, side):
    kept = event_service.create_detections([seen(side), seen(side)]).ids
    kept_event = event_service.create_event(happened(side, kept[:1]))
    gone = event_service.create_detections([seen(front) for _ in range(3)]).ids
    event_service.create_event(happened(front, gone[:2]))
    event_service.create_event(happened(front))
    camera_service.delete_camera(front["id"], NOBODY)
    assert [row["id"] for row in rows(Detection.select().order_by(Detection.id))] == kept
    assert [row["event"] for row in rows(Detection.select().order_by(Detection.id))] == [
        *(kept_event["id"], None)
    ]
    assert [row["id"] for row in rows(Event.select())] == [kept_event["id"]]
    details = entries_of(front["id"])[-1]["details"]
    assert details == {
        **{"name": "Front", "folder_path": "f", "status": "online"},
        **{"detections": 3, "events": 2},
    }


def test_the_database_itself_cascades_from_a_camera(front, side):
    """Whatever deletes a camera, foreign keys are on and cascade, on every connection anew."""
    ids = event_service.create_detections([seen(front), seen(side)]).ids
    event_service.create_event(happened(front, ids[:1]))
    db.database.close()
    with db.database.atomic():
        db.database.execute_sql("DELETE FROM camera WHERE id = ?", (front["id"],))
    assert [row["id"] for row in rows(Detection.select())] == ids[1:]
    assert rows(Event.select()) == []


def test_ids_are_never_used_again(front):
    last = event_service.create_detections([seen(front), seen(front)]).ids[-1]
    event = event_service.create_event(happened(front))
    with db.database.atomic():
        db.database.execute_sql("DELETE FROM detection")
        db.database.execute_sql("DELETE FROM event")
    assert event_service.create_detections([seen(front)]).ids == [last + 1]
    assert event_service.create_event(happened(front))["id"] == event["id"] + 1


def types_in(event):
    return decode_types(rows(Event.select().where(Event.id == event["id"]))[0]["object_types"])


def test_an_event_has_the_object_types_of_all_of_its_detections(front, statements):
    ids = event_service.create_detections([seen(front, object_type=name) for name in "aba"]).ids
    event, other = (
        event_service.create_event(happened(front, ids)),
        event_service.create_event(happened(front)),
    )
    assert (types_in(event), types_in(other)) == ({"a", "b"}, set())
    statements.clear()
    batch = [seen(front, object_type="cde"[n % 3], event_id=event["id"]) for n in range(9)]
    event_service.create_detections([*batch, seen(front, object_type="e", event_id=other["id"])])
    assert (types_in(event), types_in(other)) == (set("abcde"), {"e"})
    statements.clear()
    event_service.create_detections(batch)
    assert of_kind(statements, "UPDATE") == []


def test_an_event_is_found_by_the_exact_object_type(front):
    ids = event_service.create_detections(
        [seen(front, object_type=name) for name in ("cat", "dog")]
    ).ids
    event_service.create_event(happened(front, ids))
    for name, found in (
        *(("cat", 1), ("dog", 1), ("ca", 0), ("at", 0), ("", 0), ("CAT", 0)),
        *(("\n", 0), ("cat\ndog", 0), ("\ncat", 0), ("%", 0), ("c_t", 0)),
    ):
        assert EVENTS.count({"object_type": name}) == found, name


def test_an_event_keeps_its_types_after_its_detections_are_deleted(front):
    ids = event_service.create_detections([seen(front)]).ids
    event = event_service.create_event(happened(front, ids))
    Detection.delete().execute()
    assert types_in(event) == {"car"}
    assert EVENTS.count({"object_type": "car"}) == 1

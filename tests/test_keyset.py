"""Which rows does a page hold, and what does it cost? Query plans, paging while rows change."""

import random
import re
from itertools import combinations, islice, product

import pytest

from app import db
from app.models import (
    AUDIT,
    CONFIDENCE_BUCKETS,
    DETECTIONS,
    EVENTS,
    BadCursor,
    NotFound,
    confidence_bucket,
    encode_types,
    lists,
)
from app.models.lists import BY_TYPES
from tests.effort import steps

LISTINGS = pytest.mark.parametrize("listing", [DETECTIONS, EVENTS, AUDIT], ids=lambda x: x.name)
VALUES = {
    "camera_id": "c",
    "event_id": 1,
    "object_type": "car",
    "min_confidence": 0.5,
    "risk_level": "high",
    "reviewed": True,
    "action": "camera_created",
    "resource_type": "camera",
    "resource_id": "c",
    "actor": "monitor",
    "start_date": "2025-01-01T00:00:00.000000Z",
    "end_date": "2026-01-01T00:00:00.000000Z",
}
NOON = "2025-12-23T12:00:00.000000Z"


def all_filters(listing):
    """Every combination of a list's filters, none and all of them included."""
    for size in range(len(listing.filters) + 1):
        for names in combinations(listing.filters, size):
            yield {name: VALUES[name] for name in names}


def plan(query, values):
    rows = db.database.execute_sql(f"EXPLAIN QUERY PLAN {query.sql}", query.bind(values))
    return [row[3] for row in rows]


# Several parts, each in the order of the list, are merged without sorting.
MERGING = {"MERGE (UNION ALL)", "LEFT", "RIGHT", "COMPOUND QUERY", "UNION ALL"}
MERGING |= {"LEFT-MOST SUBQUERY"}


def looks(listing, query, values):
    """How each branch of the query finds its rows, by SQLite's query plan."""
    lines = [re.sub(r"\bt\d+\b", listing.name, line) for line in plan(query, values)]
    return [line for line in lines if line not in MERGING]


@LISTINGS
def test_no_page_scans_a_table_or_sorts(app, listing):
    assert len(list(all_filters(listing))) == 64
    for given in all_filters(listing):
        for after in (None, [NOON, 7]):
            for line in looks(listing, *listing.page_query(given, 50, after)):
                bare_scan = re.match(r"SCAN", line) and "INDEX" not in line
                assert not bare_scan, (given, line)
                assert "TEMP B-TREE" not in line, (given, line)


@LISTINGS
def test_a_page_after_a_cursor_is_reached_by_searching(app, listing):
    for given in all_filters(listing):
        for line in looks(listing, *listing.page_query(given, 50, [NOON, 7])):
            if "CORRELATED" in line or ("event_id=?" in line and listing is EVENTS):
                continue  # an event's count of its detections
            assert line.startswith(f"SEARCH {listing.name} USING"), (given, line)
            assert listing.moment.name in line.partition("(")[2], (given, line)


def test_a_filter_with_an_index_of_its_own_is_searched_by_it(app):
    for listing, *names in (
        (DETECTIONS, "camera_id", "band"),
        (DETECTIONS, "event_id"),
        (DETECTIONS, "object_type", "band"),
        (DETECTIONS, "camera_id", "object_type", "band"),
        (DETECTIONS, "min_confidence", "band"),
        (EVENTS, "camera_id"),
        (EVENTS, "risk_level"),
        (EVENTS, "reviewed"),
        (AUDIT, "action"),
        (AUDIT, "resource_id"),
    ):
        given = {name: VALUES[name] for name in names if name != "band"}
        fixed = [f"{name}=?" for name in names if name != "min_confidence"]
        lines = looks(listing, *listing.page_query(given, 50, None))
        for line in lines[: 1 if listing is EVENTS else None]:
            assert line.startswith(f"SEARCH {listing.name} USING"), line
            assert line.endswith(f"({' AND '.join(fixed)})"), line


def test_a_filter_by_confidence_reads_no_lower_bucket(app):
    for confidence, parts in ((0, 21), (0.049, 21), (0.05, 20), (0.85, 4), (0.99, 2), (1, 1)):
        lines = looks(DETECTIONS, *DETECTIONS.page_query({"min_confidence": confidence}, 50, None))
        assert len(lines) == parts, confidence


def test_python_and_the_database_compute_the_same_bucket(app):
    """SQLite computes the stored bucket, and Python that of the filter."""
    numbers = sorted({n / 1000 for n in range(1001)} | {n / 20 for n in range(21)} | {0.1 + 0.2})
    for number in numbers:
        (stored,) = db.database.execute_sql("SELECT CAST(? * 20 AS INTEGER)", (number,)).fetchone()
        assert confidence_bucket(number) == stored
    assert [confidence_bucket(number) for number in numbers] == sorted(
        confidence_bucket(number) for number in numbers
    )
    assert {confidence_bucket(number) for number in numbers} == set(CONFIDENCE_BUCKETS)


@LISTINGS
def test_the_query_itself_orders_ties_by_id(listing):
    query, _ = listing.page_query({}, 50, None)
    assert query.sql.endswith(f"ORDER BY {listing.moment.name} DESC, id DESC LIMIT ?")


@LISTINGS
def test_counting_never_scans_a_table_or_sorts(app, listing):
    for given in all_filters(listing):
        for line in looks(listing, *listing.count_query(given)):
            assert "INDEX" in line, (given, line)
            assert "TEMP B-TREE" not in line, (given, line)


SETS = ([], ["car"], ["car", "dog"], ["cart"], ["dog", "person"])


@pytest.fixture
def events_of_types(app):
    """Events whose detections showed each of `SETS` in turn; id → set."""
    add_events([NOON] * 50)
    shown = {row["id"]: SETS[row["id"] % len(SETS)] for row in EVENTS.iterate({})}
    with db.database.atomic():
        for row_id, names in shown.items():
            text = encode_types(names)
            db.database.execute_sql(
                "UPDATE event SET object_types = ? WHERE id = ?", (text, row_id)
            )
    return shown


@pytest.mark.parametrize("most", [100, len(SETS), len(SETS) - 1, 0])
@pytest.mark.parametrize("name", ["car", "cart", "dog", "person", "ca", "cat", "car\ndog"])
def test_events_are_found_by_a_type_however_many_sets_of_types_there_are(
    events_of_types, monkeypatch, most, name
):
    monkeypatch.setattr(lists, "MOST_SETS_OF_TYPES", most)
    expected = sorted((i for i, names in events_of_types.items() if name in names), reverse=True)
    assert walk(EVENTS, {"object_type": name}, 7) == expected
    assert EVENTS.count({"object_type": name}) == len(expected)


def test_only_the_sets_that_hold_the_object_type_are_searched(events_of_types):
    for name, sets in (("car", 2), ("person", 1), ("cat", 1)):
        lines = looks(
            EVENTS, *EVENTS.count_query({"object_type": name, "camera_id": "c", "reviewed": True})
        )
        search = f"SEARCH event USING COVERING INDEX {BY_TYPES} (object_types=?)"
        assert lines == [search] * sets


def test_a_rare_object_type_is_found_without_reading_the_other_events(app):
    given = {"object_type": "bear", "camera_id": "c", "reviewed": False}
    add_events([NOON] * 10)
    few = steps(lambda: EVENTS.page(given, 50, None))
    add_events([NOON] * 1000)
    assert steps(lambda: EVENTS.page(given, 50, None)) < few + 100


def add_events(moments):
    with db.database.atomic():
        db.database.execute_sql(
            "INSERT OR IGNORE INTO camera (id, name, folder_path, status, created_at) "
            "VALUES ('c', 'c', 'c', 'online', '')"
        )
        for moment in moments:
            db.database.execute_sql(
                "INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed) "
                "VALUES ('c', ?, '', '', 0)",
                (moment,),
            )


def walk(listing, given, limit, between=lambda: None):
    """The ids of all pages."""
    ids, cursor = [], None
    while True:
        rows, cursor = listing.page(given, limit, cursor)
        assert len(rows) <= limit
        assert not {row["id"] for row in rows}.intersection(ids)
        ids += [row["id"] for row in rows]
        if cursor is None:
            return ids
        assert len(rows) == limit
        between()


def test_newest_come_first_and_ties_by_the_greatest_id(app):
    add_events(["2025-01-02", "2025-01-03", "2025-01-02", "2025-01-01"])
    assert walk(EVENTS, {}, 10) == [2, 3, 1, 4]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 21, 1000])
def test_pages_together_are_the_list_whatever_their_size(app, limit):
    add_events([f"2025-01-0{1 + number % 2}" for number in range(20)])
    whole = [row["id"] for row in islice(EVENTS.iterate({}, at_once=3), 30)]
    assert walk(EVENTS, {}, limit) == whole
    assert len(set(whole)) == 20


def test_a_last_page_that_is_full_has_no_next(app):
    add_events([NOON] * 4)
    assert EVENTS.page({}, 4, None)[1] is None
    assert EVENTS.page({}, 3, None)[1] is not None


def test_a_page_reads_one_row_more_than_it_returns(app):
    seen = []
    add_events([NOON] * 9)
    _, cursor = EVENTS.page({}, 3, None)
    db.database.connection().set_trace_callback(seen.append)
    EVENTS.page({}, 3, cursor)
    db.database.connection().set_trace_callback(None)
    pages = [sql for sql in seen if 'FROM "event"' in sql]
    assert len(pages) == 1
    assert pages[0].endswith("LIMIT 4")
    assert "OFFSET" not in pages[0].upper()


@pytest.mark.parametrize("seed", range(10))
def test_pages_repeat_no_row_and_skip_none_that_existed_throughout(app, seed):
    """Between two pages rows are inserted and deleted, many with the same moment."""
    dice = random.Random(seed)
    moments = [f"2025-12-23T12:00:0{second}.000000Z" for second in range(3)]
    add_events(dice.choices(moments, k=60))
    there = set(range(1, 61))

    def others():
        gone = set(dice.sample(sorted(there), min(2, len(there))))
        there.difference_update(gone)
        marks = ", ".join(map(str, gone)) or "0"
        db.database.execute_sql(f"DELETE FROM event WHERE id IN ({marks})")
        add_events(dice.choices(moments, k=dice.randrange(4)))

    ids = walk(EVENTS, {}, dice.randint(1, 9), others)
    assert len(ids) == len(set(ids))
    assert there <= set(ids)


def test_iterating_reads_pages_of_a_bounded_size_and_only_when_asked(app):
    add_events([NOON] * 10)
    asked = []
    db.database.connection().set_trace_callback(asked.append)
    rows = EVENTS.iterate({}, at_once=4)
    assert asked == []
    next(rows)
    assert len(asked) == 1
    assert len(list(islice(rows, 20))) == 9
    db.database.connection().set_trace_callback(None)
    assert len(asked) == 4
    assert all(statement.endswith("LIMIT 4") for statement in asked)


def test_a_cursor_belongs_to_its_list_and_its_filters(app):
    add_events([NOON] * 3)
    _, cursor = EVENTS.page({"camera_id": "c"}, 1, None)
    assert len(EVENTS.page({"camera_id": "c"}, 2, cursor)[0]) == 2
    for listing, given in (
        (EVENTS, {}),
        (EVENTS, {"camera_id": "d"}),
        (EVENTS, {"camera_id": "c", "reviewed": False}),
        (DETECTIONS, {"camera_id": "c"}),
        (AUDIT, {}),
    ):
        with pytest.raises(BadCursor):
            listing.page(given, 1, cursor)


def test_the_order_in_which_filters_are_given_does_not_matter_to_a_cursor(app):
    add_events([NOON] * 3)
    _, cursor = EVENTS.page({"camera_id": "c", "reviewed": False}, 1, None)
    assert EVENTS.page({"reviewed": False, "camera_id": "c"}, 1, cursor)[0][0]["id"] == 2


@LISTINGS
def test_a_missing_row_raises_not_found(app, listing):
    with pytest.raises(NotFound, match=listing.name):
        listing.model.one(1)


def test_union_branches_are_merged_into_one_order_whatever_the_filters(app):
    """Every combination, page by page, against all rows sorted and filtered in Python."""
    dice = random.Random(7)
    add_events([])
    moments = [f"2025-12-23T12:00:{second:02}.000000Z" for second in range(9)]
    with db.database.atomic():
        for _ in range(300):
            db.database.execute_sql(
                "INSERT INTO detection (camera_id, detected_at, object_type, confidence) "
                "VALUES ('c', ?, ?, ?)",
                (dice.choice(moments), dice.choice("ab"), round(dice.random(), 2)),
            )
    everything = list(DETECTIONS.iterate({}))
    assert everything == sorted(everything, key=lambda r: (r["detected_at"], r["id"]))[::-1]
    for least, kind, until in product(
        (None, 0, 0.5, 0.93, 1), (None, "a", "x"), (None, moments[5])
    ):
        expected = [
            row["id"]
            for row in everything
            if row["confidence"] >= (least or 0)
            and kind in (None, row["object_type"])
            and (until is None or row["detected_at"] < until)
        ]
        wanted = {
            "min_confidence": least,
            "object_type": kind,
            "end_date": until,
            "camera_id": "c",
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        assert walk(DETECTIONS, given, 20) == expected, given
        assert DETECTIONS.count(given) == len(expected), given

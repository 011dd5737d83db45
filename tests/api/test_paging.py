"""Do pages of a list over HTTP repeat or skip a row, and is a foreign cursor refused?"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from app import create_app, db
from app.models import Secret
from tests.posting import detection, post_detections, post_event
from tests.problems import assert_problem

LISTS = {"/api/detections": "detections", "/api/events": "events", "/api/audit": "entries"}
NOON = "2025-12-23T12:00:00Z"


def get(client, url, **query):
    answer = client.get(url, query_string=query)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def walk(client, url, between=lambda: None, **query):
    """The ids on all pages."""
    ids, cursor = [], {}
    while True:
        page = get(client, url, **query, **cursor)
        found = [row["id"] for row in page[LISTS.get(url, "detections")]]
        assert not set(found).intersection(ids)
        ids += found
        if page["next_cursor"] is None:
            return ids
        cursor = {"cursor": page["next_cursor"]}
        between()


def assert_bad_cursor(client, url, cursor, **query):
    answer = client.get(url, query_string={"cursor": cursor, **query})
    problem = assert_problem(answer, 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["cursor"], cursor


@pytest.fixture
def many(client, camera):
    """Ids of 23 detections of three moments."""
    moments = [f"2025-12-23T12:00:0{number % 3}Z" for number in range(23)]
    bodies = [detection(camera, detected_at=moment, object_type="car") for moment in moments]
    return post_detections(client, *bodies)


@pytest.fixture
def cursor(client, many):
    """The cursor after the first five of all detections."""
    return get(client, "/api/detections", limit=5)["next_cursor"]


def test_fifty_rows_are_a_page_unless_a_limit_is_given(client, camera):
    for _ in range(2):
        post_detections(client, *[detection(camera, detected_at=NOON)] * 501)
    for query, rows in (({}, 50), ({"limit": 1}, 1), ({"limit": 1000}, 1000)):
        page = get(client, "/api/detections", **query)
        assert list(page) == ["detections", "count", "next_cursor"]
        assert (len(page["detections"]), page["count"]) == (rows, 1002)
        assert page["next_cursor"]


@pytest.mark.parametrize("url", LISTS)
def test_a_limit_or_count_that_is_not_valid_is_422(client, url):
    for name, values in (
        ("limit", ("0", "1001", "-1", "1.0", "ten", "", " 1", "1e2", "٣", "9" * 30)),
        ("count", ("0", "no", "", "FALSE", "null")),
    ):
        for value in values:
            answer = client.get(url, query_string={name: value})
            problem = assert_problem(answer, 422, "validation_failed")
            assert list(problem["errors"]["query"]) == [name], value


@pytest.mark.parametrize("url", LISTS)
def test_count_is_left_out_when_it_is_not_wanted(client, url, camera):
    assert "count" in get(client, url, count="true")
    seen = []
    db.database.connection().set_trace_callback(seen.append)
    page = get(client, url, count="false")
    db.database.connection().set_trace_callback(None)
    assert list(page) == [LISTS[url], "next_cursor"]
    assert not [sql for sql in seen if sql.startswith("SELECT count(*)")]


def test_an_empty_list_is_one_page(client):
    for url, key in LISTS.items():
        assert get(client, url) == {key: [], "count": 0, "next_cursor": None}


def test_all_pages_together_are_the_list_with_the_same_count_on_each(client, many):
    whole = [row["id"] for row in get(client, "/api/detections", limit=1000)["detections"]]
    assert sorted(whole) == many
    for limit in (1, 4, 22, 23):
        assert walk(client, "/api/detections", limit=limit) == whole
    page = get(client, "/api/detections", limit=20)
    rest = get(client, "/api/detections", limit=20, cursor=page["next_cursor"])
    assert (page["count"], rest["count"], len(rest["detections"])) == (23, 23, 3)


def test_every_list_can_be_paged_to_its_end(client, camera):
    for number in range(7):
        event = post_event(
            client, camera, detection_ids=post_detections(client, detection(camera))
        )
        client.patch(f"/api/events/{event['id']}", json={"notes": str(number)})
    for url in LISTS:
        ids = walk(client, url, limit=2)
        assert sorted(ids) == list(range(1, get(client, url)["count"] + 1))
    post_detections(client, *[detection(camera, event_id=1)] * 4)
    assert len(walk(client, "/api/events/1/detections", limit=2)) == 5


@pytest.mark.parametrize("seed", range(4))
def test_paging_repeats_and_skips_nothing_while_another_client_writes(client, camera, app, seed):
    """All rows have one of two moments; whole cameras are deleted with their rows."""
    dice = random.Random(seed)
    other = app.test_client()
    cameras = [camera]

    def add(number, who):
        moments = ["2025-12-23T12:00:00Z", "2025-12-23T12:00:01Z"]
        bodies = [detection(who, detected_at=dice.choice(moments)) for _ in range(number)]
        return post_detections(other, *bodies)

    kept = add(20, camera)
    for name in "abc":
        body = {"name": name, "folder_path": name}
        cameras.append(other.post("/api/cameras", json=body).get_json())
        add(8, cameras[-1])
        kept += add(10, camera)

    def others():
        add(dice.randint(1, 3), dice.choice(cameras))
        if len(cameras) > 1 and dice.random() < 0.4:
            gone = cameras.pop()
            assert other.delete(f"/api/cameras/{gone['id']}").status_code == 204

    ids = walk(client, "/api/detections", others, limit=dice.randint(2, 6))
    assert len(ids) == len(set(ids))
    assert set(kept) <= set(ids)
    assert len(cameras) < 4


INSERTS = {
    "detection": "INSERT INTO detection (camera_id, detected_at, object_type, confidence) "
    "VALUES (?, ?, 'car', 0.5)",
    "event": "INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed) "
    "VALUES (?, ?, '', '', 0)",
    "audit_entry": "INSERT INTO audit_entry (resource_id, timestamp, action, resource_type, "
    "actor, details) VALUES (?, ?, 'camera_updated', 'camera', 'anonymous', '{}')",
}


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize(("url", "table"), [*zip(LISTS, INSERTS, strict=True)])
def test_paging_through_any_list_is_right_while_rows_come_and_go(
    client, camera, url, table, filtered
):
    """Three moments for all rows; rows are inserted and deleted between any two pages."""
    dice = random.Random(len(url) + filtered)
    moments = [f"2025-12-23T12:00:0{second}.000000Z" for second in range(3)]
    names = {"audit_entry": "resource_id"}
    query = {names.get(table, "camera_id"): camera["id"]} if filtered else {}

    def add(number):
        with db.database.atomic():
            for _ in range(number):
                db.database.execute_sql(INSERTS[table], (camera["id"], dice.choice(moments)))

    add(60)
    there = set(walk(client, url, limit=1000, **query))

    def others():
        add(dice.randint(1, 4))
        gone = set(dice.sample(sorted(there), 2))
        there.difference_update(gone)
        with db.database.atomic():
            db.database.execute_sql(f"DELETE FROM {table} WHERE id IN (?, ?)", sorted(gone))

    ids = walk(client, url, others, limit=7, **query)
    assert len(ids) == len(set(ids))
    assert there <= set(ids)
    assert len(there) <= 60 - 2 * 7


def test_a_cursor_survives_a_restart(client, cursor, environ):
    rest = get(client, "/api/detections", cursor=cursor)
    db.database.close()
    again = create_app(environ).test_client()
    assert get(again, "/api/detections", cursor=cursor) == rest


def test_each_database_has_its_own_key_for_cursors(client, cursor, environ, tmp_path):
    first = Secret.named("cursor")
    assert len(first) == 64
    db.database.close()
    url = {"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    assert_bad_cursor(create_app(environ | url).test_client(), "/api/detections", cursor)
    assert Secret.named("cursor") != first


def test_a_page_may_have_another_limit_than_the_page_before(client, cursor):
    assert len(get(client, "/api/detections", cursor=cursor, limit=7)["detections"]) == 7


def test_a_cursor_of_other_filters_is_422(client, camera, cursor):
    url = "/api/detections"
    assert_bad_cursor(client, url, cursor, object_type="car")
    assert_bad_cursor(client, url, cursor, camera_id=camera["id"])
    own = get(client, url, limit=5, object_type="car", min_confidence="0.1")["next_cursor"]
    assert get(client, url, cursor=own, object_type="car", min_confidence="0.10")["detections"]
    for query in (
        {},
        {"object_type": "car"},
        {"object_type": "cat", "min_confidence": "0.1"},
        {"object_type": "car", "min_confidence": "0.2"},
        {"object_type": "car", "min_confidence": "0.1", "start_date": NOON},
    ):
        assert_bad_cursor(client, url, own, **query)


def test_a_cursor_of_another_list_is_422(client, camera, cursor):
    event = post_event(client, camera)
    for url in ("/api/events", "/api/audit", f"/api/events/{event['id']}/detections"):
        assert_bad_cursor(client, url, cursor)


def test_a_cursor_that_the_service_did_not_make_is_422(client, cursor):
    payload, _, signature = cursor.rpartition(".")
    for bad in (
        *("", " ", ".", "..", "x", "null", "None", "0", "[]", "é", "🐞", "\x00", "\ud7ff" * 9),
        *("a" * 3000, payload, signature, f".{signature}", f"{payload}.", f"{payload}.é"),
        *(f"{cursor}.x", f"{cursor} ", f" {cursor}", cursor * 2, cursor.swapcase(), "%"),
    ):
        assert_bad_cursor(client, "/api/detections", bad)


def test_a_truncated_cursor_is_422(client, cursor):
    for length in range(len(cursor)):
        assert_bad_cursor(client, "/api/detections", cursor[:length])


def test_a_cursor_with_a_flipped_bit_is_422_or_the_same_cursor(client, cursor):
    """The last character of the signature has two bits that base64 does not use."""
    same = get(client, "/api/detections", cursor=cursor)
    raw = cursor.encode()
    for place in range(len(raw)):
        for bit in range(7):
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            answer = client.get("/api/detections", query_string={"cursor": bytes(flipped)})
            if place == len(raw) - 1 and answer.status_code == 200:
                assert answer.get_json() == same
            else:
                assert_problem(answer, 422, "validation_failed")


@given(text=st.text())
def test_arbitrary_text_is_no_cursor(client, text):
    assert_bad_cursor(client, "/api/detections", text.encode("utf-8", "replace"))


def test_a_forged_cursor_is_422(client, cursor):
    key = Secret.named("cursor")
    position = [NOON, 1]
    true = URLSafeSerializer(key, "detection[]")
    assert len(true.loads(cursor)) == 2  # so this is how a cursor is made
    for forger in (
        URLSafeSerializer("guess", "detection[]"),
        URLSafeSerializer("", "detection[]"),
        URLSafeSerializer(key, "event[]"),
        URLSafeSerializer(key),
    ):
        assert_bad_cursor(client, "/api/detections", forger.dumps(position))

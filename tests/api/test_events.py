"""Events over HTTP: what they claim, what a review changes, what each filter finds."""

from itertools import combinations, product

from app.schemas.detections import DetectionListSchema
from app.schemas.events import EventListSchema, EventSchema
from tests.posting import detection, event, post_camera, post_detections, post_event
from tests.problems import assert_problem
from tests.rows import entries_of

URL = "/api/events"
FIELDS = [
    *("id", "camera_id", "started_at", "ended_at", "risk_score", "risk_level", "summary"),
    *("reasoning", "reviewed", "notes", "detection_count"),
]
NOON = "2025-12-23T12:00:00.000000Z"
UNKNOWN_CAMERA = {"id": "123e4567-e89b-12d3-a456-426614174000"}


def refused(answer):
    """The bad fields of an answer that is 422, with their messages."""
    problem = assert_problem(answer, 422, "validation_failed")
    assert list(problem["errors"]) == ["json"]
    return problem["errors"]["json"]


def found(client, **filters):
    return client.get(URL, query_string={"limit": 1000, **filters}).get_json()


def test_create_answers_the_event_in_the_documented_order(client, camera):
    ids = post_detections(client, *[detection(camera)] * 3)
    body = event(
        camera,
        started_at="2025-12-23T13:00:00+01:00",
        ended_at="2025-12-23T07:00:40-05:00",
        risk_score=72,
        summary="Jemand an der Tür 🚪",
        reasoning="because",
        reviewed=True,
        notes="ok",
        detection_ids=ids[:2],
    )
    answer = client.post(URL, json=body)
    stored = answer.get_json()
    assert answer.status_code == 201
    assert list(stored) == FIELDS
    assert EventSchema().validate(stored) == {}
    del body["detection_ids"]
    assert stored == body | {
        "id": stored["id"],
        "started_at": NOON,
        "ended_at": "2025-12-23T12:00:40.000000Z",
        "risk_level": "high",
        "detection_count": 2,
    }
    assert answer.headers["Location"] == f"{URL}/{stored['id']}"
    assert client.get(answer.headers["Location"]).get_json() == stored


def test_omitted_fields_are_null_empty_or_false(client, camera):
    assert post_event(client, camera) == {
        "id": 1,
        "camera_id": camera["id"],
        "started_at": NOON,
        "ended_at": None,
        "risk_score": None,
        "risk_level": None,
        "summary": "",
        "reasoning": "",
        "reviewed": False,
        "notes": None,
        "detection_count": 0,
    }


BAD_EVENTS = (
    ({"camera_id": UNKNOWN_CAMERA["id"]}, "camera_id"),
    ({"camera_id": "front"}, "camera_id"),
    ({"started_at": "2025-12-23T12:00:00"}, "started_at"),
    ({"started_at": None}, "started_at"),
    ({"ended_at": "2025-12-23T11:59:59.999999Z"}, "ended_at"),
    ({"ended_at": "2025-12-23T12:30:00+01:00"}, "ended_at"),
    ({"risk_score": -1}, "risk_score"),
    ({"risk_score": 101}, "risk_score"),
    ({"risk_score": 50.0}, "risk_score"),
    ({"risk_score": "50"}, "risk_score"),
    ({"risk_score": True}, "risk_score"),
    ({"risk_level": "low"}, "risk_level"),
    ({"summary": "x" * 2001}, "summary"),
    ({"summary": None}, "summary"),
    ({"reasoning": "x" * 10001}, "reasoning"),
    ({"reasoning": None}, "reasoning"),
    ({"reviewed": "yes"}, "reviewed"),
    ({"reviewed": 1}, "reviewed"),
    ({"reviewed": None}, "reviewed"),
    ({"notes": "x" * 2001}, "notes"),
    ({"notes": "a\x00b"}, "notes"),
    ({"detection_ids": None}, "detection_ids"),
    ({"detection_ids": 1}, "detection_ids"),
    ({"detection_ids": ["1"]}, "detection_ids.0"),
    ({"detection_ids": [1, 0]}, "detection_ids.1"),
    ({"detection_ids": [2**63]}, "detection_ids.0"),
    ({"detection_ids": [1] * 1001}, "detection_ids"),
    ({"detection_count": 1}, "detection_count"),
    ({"id": 1}, "id"),
)


def test_a_bad_event_is_refused_by_its_field(client, camera):
    for bad, field in BAD_EVENTS:
        assert list(refused(client.post(URL, json=event(camera) | bad))) == [field], bad
    assert found(client)["count"] == 0


def test_all_bad_fields_of_an_event_are_named_at_once(client):
    answer = client.post(URL, json={"risk_score": 101, "reviewed": 0, "x": 1})
    assert sorted(refused(answer)) == ["camera_id", "reviewed", "risk_score", "started_at", "x"]


def test_the_longest_texts_and_an_end_at_the_start_are_accepted(client, camera):
    widest = {"summary": "ü" * 2000, "reasoning": "ü" * 10000, "notes": "ü" * 2000}
    stored = post_event(client, camera, ended_at=NOON, **widest)
    assert stored | widest | {"ended_at": NOON} == stored


def test_a_claimed_detection_belongs_to_the_event(client, camera):
    ids = post_detections(client, *[detection(camera)] * 3)
    stored = post_event(client, camera, detection_ids=[ids[2], ids[0], ids[2]])
    assert stored["detection_count"] == 2
    answer = client.get(f"{URL}/{stored['id']}/detections").get_json()
    assert DetectionListSchema().validate(answer) == {}
    assert [row["id"] for row in answer["detections"]] == [ids[2], ids[0]]
    assert (answer["count"], answer["next_cursor"]) == (2, None)
    assert client.get(f"/api/detections/{ids[0]}").get_json()["event_id"] == stored["id"]
    assert client.get(f"/api/detections/{ids[1]}").get_json()["event_id"] is None


def test_detections_that_cannot_be_claimed_are_named_and_nothing_is_stored(client, camera):
    other = post_camera(client)
    free, claimed = post_detections(client, *[detection(camera)] * 2)
    (foreign,) = post_detections(client, detection(other))
    post_event(client, camera, detection_ids=[claimed])
    unknown = foreign + 1
    for stranger in (claimed, foreign, unknown):
        answer = client.post(URL, json=event(camera, detection_ids=[free, stranger]))
        (message,) = refused(answer)["detection_ids"]
        assert message.endswith(f": {stranger}.")
    answer = client.post(URL, json=event(camera, detection_ids=[claimed, unknown, foreign]))
    (message,) = refused(answer)["detection_ids"]
    assert message.endswith(f": {claimed}, {foreign}, {unknown}.")
    assert found(client)["count"] == 1
    assert client.get(f"/api/detections/{free}").get_json()["event_id"] is None


def test_a_detection_posted_into_an_event_counts(client, camera):
    stored = post_event(client, camera)
    post_detections(client, detection(camera, event_id=stored["id"]))
    assert client.get(f"{URL}/{stored['id']}").get_json()["detection_count"] == 1


def test_the_detections_of_an_event_have_all_filters_except_the_event(client, camera):
    mine, other = post_event(client, camera), post_event(client, camera)
    for where in (mine, other):
        bodies = [
            detection(camera, event_id=where["id"], object_type=name, confidence=confidence)
            for name in ("car", "person")
            for confidence in (0.2, 0.8)
        ]
        post_detections(client, *bodies)
    url = f"{URL}/{mine['id']}/detections"
    query = {"object_type": "car", "min_confidence": 0.5, "camera_id": camera["id"]}
    (only,) = client.get(url, query_string=query).get_json()["detections"]
    assert (only["event_id"], only["object_type"], only["confidence"]) == (mine["id"], "car", 0.8)
    problem = assert_problem(client.get(f"{url}?event_id=1"), 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["event_id"]


def test_an_unknown_event_is_404(client):
    for answer in (
        client.get(f"{URL}/1"),
        client.get(f"{URL}/1/detections"),
        client.patch(f"{URL}/1", json={}),
        client.patch(f"{URL}/1", json={"notes": "x"}),
    ):
        assert_problem(answer, 404, "event_not_found")
    for path in ("x", "-1", f"{2**63}", "1/detections/1"):
        assert_problem(client.get(f"{URL}/{path}"), 404, "not_found")


REVIEW = {
    "ended_at": "2025-12-23T12:01:00.000000Z",
    "risk_score": 90,
    "summary": "s",
    "reasoning": "r",
    "reviewed": True,
    "notes": "n",
}


def test_a_review_changes_what_is_given_and_says_so_in_the_audit_log(client, camera):
    stored = post_event(client, camera)
    url = f"{URL}/{stored['id']}"
    answer = client.patch(url, json=REVIEW)
    assert answer.status_code == 200
    assert list(answer.get_json()) == FIELDS
    assert answer.get_json() == stored | REVIEW | {"risk_level": "critical"}
    assert client.get(url).get_json() == answer.get_json()
    (entry,) = entries_of(str(stored["id"]))
    assert (entry["action"], entry["resource_type"]) == ("event_updated", "event")
    assert entry["details"] == {
        "changes": {name: {"old": stored[name], "new": value} for name, value in REVIEW.items()}
    }


def test_a_review_of_one_field_leaves_the_others(client, camera):
    for field, value in REVIEW.items():
        stored = post_event(client, camera, notes="before")
        unchanged = {"notes": "before", "reviewed": False} | {field: value}
        answer = client.patch(f"{URL}/{stored['id']}", json=unchanged)
        level = {"risk_level": "critical"} if field == "risk_score" else {}
        assert answer.get_json() == stored | {field: value} | level
        (entry,) = entries_of(str(stored["id"]))
        assert list(entry["details"]["changes"]) == [field]


def test_a_review_without_a_change_writes_no_entry(client, camera):
    stored = post_event(client, camera, **REVIEW)
    same = REVIEW | {"ended_at": "2025-12-23T13:01:00+01:00"}
    for body in ({}, REVIEW, same, {"notes": "n"}):
        answer = client.patch(f"{URL}/{stored['id']}", json=body)
        assert (answer.status_code, answer.get_json()) == (200, stored)
    assert entries_of(str(stored["id"])) == []


def test_null_clears_what_may_be_null(client, camera):
    stored = post_event(client, camera, **REVIEW)
    cleared = {"ended_at": None, "risk_score": None, "notes": None}
    answer = client.patch(f"{URL}/{stored['id']}", json=cleared)
    assert answer.get_json() == stored | cleared | {"risk_level": None}


BAD_REVIEWS = (
    ({"summary": None}, "summary"),
    ({"reasoning": None}, "reasoning"),
    ({"reviewed": None}, "reviewed"),
    ({"reviewed": "true"}, "reviewed"),
    ({"risk_score": 101}, "risk_score"),
    ({"risk_score": 1.0}, "risk_score"),
    ({"notes": "x" * 2001}, "notes"),
    ({"ended_at": "2025-12-23T11:59:59.999999Z"}, "ended_at"),
    ({"ended_at": "2025-12-23"}, "ended_at"),
    ({"started_at": NOON}, "started_at"),
    ({"camera_id": UNKNOWN_CAMERA["id"]}, "camera_id"),
    ({"risk_level": "low"}, "risk_level"),
    ({"detection_ids": []}, "detection_ids"),
    ({"detection_count": 0}, "detection_count"),
    ({"id": 1}, "id"),
)


def test_a_bad_review_changes_nothing(client, camera):
    stored = post_event(client, camera)
    for bad, field in BAD_REVIEWS:
        answer = client.patch(f"{URL}/{stored['id']}", json={"notes": "new"} | bad)
        assert list(refused(answer)) == [field], bad
    assert client.get(f"{URL}/{stored['id']}").get_json() == stored
    assert entries_of(str(stored["id"])) == []


def test_the_risk_level_follows_the_score_at_every_border(client, camera):
    levels = {
        **{0: "low", 29: "low", 30: "medium", 59: "medium", 60: "high", 84: "high"},
        **{85: "critical", 100: "critical", None: None},
    }
    reviewed = post_event(client, camera)
    for score, level in levels.items():
        assert post_event(client, camera, risk_score=score)["risk_level"] == level
        answer = client.patch(f"{URL}/{reviewed['id']}", json={"risk_score": score})
        assert answer.get_json()["risk_level"] == level
    for level in ("low", "medium", "high", "critical"):
        scores = {row["risk_score"] for row in found(client, risk_level=level)["events"]}
        assert scores == {score for score in levels if levels[score] == level}


def test_every_combination_of_filters_finds_exactly_what_matches(client, camera):
    other = post_camera(client)
    moments = ("2025-12-23T11:59:59.999999Z", NOON, "2025-12-23T12:00:00.000001Z")
    types = {}
    for who, score, reviewed, moment, names in product(
        *(
            (camera, other),
            (10, 90),
            (True, False),
            moments,
            ((), ("car",), ("car", "person", "person")),
        ),
    ):
        bodies = [detection(who, object_type=name) for name in names]
        stored = post_event(
            client,
            who,
            started_at=moment,
            risk_score=score,
            reviewed=reviewed,
            detection_ids=post_detections(client, *bodies) if bodies else [],
        )
        types[stored["id"]] = names
    everything = found(client)
    assert EventListSchema().validate(everything) == {}
    rows = everything["events"]
    assert len(rows) == everything["count"] == 72
    assert [list(row) for row in rows] == [FIELDS] * 72
    assert {row["id"]: row["detection_count"] for row in rows} == {
        event_id: len(names) for event_id, names in types.items()
    }
    assert rows == sorted(rows, key=lambda row: (row["started_at"], row["id"]), reverse=True)
    matches = {
        "camera_id": (camera["id"], lambda row: row["camera_id"] == camera["id"]),
        "risk_level": ("critical", lambda row: row["risk_level"] == "critical"),
        "reviewed": ("false", lambda row: row["reviewed"] is False),
        "object_type": ("person", lambda row: "person" in types[row["id"]]),
        "start_date": (NOON, lambda row: row["started_at"] >= NOON),
        "end_date": (moments[2], lambda row: row["started_at"] < moments[2]),
    }
    for size in range(len(matches) + 1):
        for names in combinations(matches, size):
            answer = found(client, **{name: matches[name][0] for name in names})
            expected = [row for row in rows if all(matches[name][1](row) for name in names)]
            assert answer["events"] == expected, names
            assert answer["count"] == len(expected) > 0


BAD_QUERIES = (
    ("", "camera_id", "front"),
    ("", "risk_level", "LOW"),
    ("", "risk_level", ""),
    ("", "reviewed", "1"),
    ("", "reviewed", "True"),
    ("", "start_date", "yesterday"),
    ("", "end_date", "2025-12-23T12:00:00"),
    ("", "event_id", "1"),
    ("/stats", "camera_id", UNKNOWN_CAMERA["id"]),
    ("/stats", "start_date", "2025-12-23"),
    ("/stats", "end_date", "2025-13-01T00:00:00Z"),
    ("/export", "limit", "1"),
    ("/export", "cursor", ""),
    ("/export", "risk_level", "none"),
    ("/export", "reviewed", "no"),
    ("/export", "start_date", "1"),
)


def test_an_invalid_query_is_422(client):
    for path, name, value in BAD_QUERIES:
        answer = client.get(URL + path, query_string={name: value})
        problem = assert_problem(answer, 422, "validation_failed")
        assert list(problem["errors"]["query"]) == [name]


def test_a_parameter_given_twice_is_422(client):
    for path in ("", "/stats", "/export"):
        answer = client.get(f"{URL}{path}?end_date={NOON}&end_date={NOON}")
        problem = assert_problem(answer, 422, "validation_failed")
        assert list(problem["errors"]["query"]) == ["end_date"]

"""Detections over HTTP: what is stored, what is refused, what each filter finds."""

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.detections import DetectionListSchema, DetectionSchema
from tests.posting import (
    detection,
    event,
    post_camera,
    post_detection,
    post_detections,
    post_event,
)
from tests.problems import assert_problem

URL = "/api/detections"
FIELDS = [
    *("id", "camera_id", "event_id", "detected_at", "object_type"),
    *("confidence", "bbox", "file_path", "external_id"),
]
BOX = {"x": 0, "y": 1, "width": 2, "height": 2**31 - 1}
UNKNOWN_CAMERA = {"id": "123e4567-e89b-12d3-a456-426614174000"}


def refused(client, body):
    """The bad fields of a body that is 422; json.dumps also writes what orjson refuses to."""
    answer = client.post(URL, data=json.dumps(body), content_type="application/json")
    problem = assert_problem(answer, 422, "validation_failed")
    assert list(problem["errors"]) == ["json"]
    return sorted(field.removesuffix("._schema") for field in problem["errors"]["json"])


def count(client, **filters):
    return client.get(URL, query_string=filters).get_json()["count"]


def test_create_answers_the_detection_in_the_documented_order(client, camera):
    body = detection(
        camera,
        detected_at="2025-12-23T13:00:00+01:00",
        object_type="Käfer 🐞",
        confidence=1,
        bbox=BOX,
        file_path="20251223/120000.jpg",
        external_id="a/1",
    )
    answer = client.post(URL, json=body)
    stored = answer.get_json()
    assert answer.status_code == 201
    assert list(stored) == FIELDS
    assert DetectionSchema().validate(stored) == {}
    utc = {"detected_at": "2025-12-23T12:00:00.000000Z"}
    assert stored == {"id": stored["id"], "event_id": None} | body | utc
    assert answer.headers["Location"] == f"{URL}/{stored['id']}"
    assert client.get(answer.headers["Location"]).get_json() == stored


def test_fields_left_out_are_null_and_the_time_is_now(client, camera, monkeypatch):
    monkeypatch.setattr("app.clock.rfc3339", lambda _: "2031-01-01T00:00:00.000000Z")
    stored = post_detection(client, camera)
    assert stored["detected_at"] == "2031-01-01T00:00:00.000000Z"
    for field in ("event_id", "bbox", "file_path", "external_id"):
        assert stored[field] is None


def test_a_batch_is_answered_with_its_ids_in_its_order(client, camera):
    types = [f"type {n}" for n in range(5)]
    bodies = [detection(camera, object_type=name) for name in types]
    answer = client.post(URL, json={"detections": bodies})
    assert answer.status_code == 201
    assert answer.headers["Location"] == URL
    ids = answer.get_json()["ids"]
    assert list(answer.get_json()) == ["ids"]
    found = [client.get(f"{URL}/{detection_id}").get_json() for detection_id in ids]
    assert [row["object_type"] for row in found] == types


def test_a_batch_takes_one_to_a_thousand_detections(client, camera):
    bodies = [detection(camera)] * 1001
    assert refused(client, {"detections": bodies}) == ["detections"]
    assert refused(client, {"detections": []}) == ["detections"]
    assert count(client) == 0
    assert len(post_detections(client, *bodies[:1000])) == count(client) == 1000


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"camera_id": UNKNOWN_CAMERA["id"]}, "camera_id"),
        ({"confidence": 1.5}, "confidence"),
        ({"event_id": 77}, "event_id"),
        ({"bbox": BOX | {"x": -1}}, "bbox.x"),
    ],
)
def test_one_bad_detection_refuses_the_batch_and_is_named_by_its_place(client, camera, bad, field):
    bodies = [detection(camera) for _ in range(5)]
    bodies[3] |= bad
    assert refused(client, {"detections": bodies}) == [f"detections.3.{field}"]
    assert count(client) == 0


def test_a_whole_number_is_written_without_a_fraction_wherever_one_is_asked_for(client, camera):
    sides = dict.fromkeys(BOX, 91.0)
    body = detection(camera, event_id=91.0, bbox=sides)
    for url, sent, path in (
        ("/api/detections", body, ""),
        ("/api/detections", {"detections": [body]}, "detections.0."),
        ("/api/events", event(camera, risk_score=91.0, detection_ids=[91.0]), None),
    ):
        problem = assert_problem(client.post(url, json=sent), 422, "validation_failed")
        named = ("event_id", *(f"bbox.{side}" for side in BOX))
        expected = (
            [path + name for name in named]
            if path is not None
            else ["risk_score", "detection_ids.0"]
        )
        assert problem["errors"]["json"] == {name: ["Not a valid integer."] for name in expected}


def test_every_unknown_camera_and_event_of_a_batch_is_named(client, camera):
    stranger = detection(UNKNOWN_CAMERA)
    bodies = [stranger, detection(camera), detection(camera, event_id=9), stranger]
    assert refused(client, {"detections": bodies}) == [
        *("detections.0.camera_id", "detections.2.event_id", "detections.3.camera_id")
    ]


def test_the_camera_and_the_event_must_be_there_and_belong_together(client, camera):
    other = post_camera(client)
    event = post_event(client, camera)
    assert refused(client, detection(UNKNOWN_CAMERA)) == ["camera_id"]
    assert refused(client, detection(camera, event_id=event["id"] + 1)) == ["event_id"]
    assert refused(client, detection(other, event_id=event["id"])) == ["event_id"]
    assert post_detection(client, camera, event_id=event["id"])["event_id"] == event["id"]
    assert count(client) == 1


def test_a_camera_id_in_capitals_is_the_same_camera(client, camera):
    shouted = detection({"id": camera["id"].upper()})
    assert client.post(URL, json=shouted).get_json()["camera_id"] == camera["id"]


def test_a_known_external_id_answers_the_stored_detection(client, camera):
    first = post_detection(client, camera, external_id="a")
    again = client.post(URL, json=detection(camera, external_id="a", object_type="car"))
    assert (again.status_code, again.get_json()) == (200, first)
    assert again.headers["Location"] == f"{URL}/{first['id']}"
    one = client.post(URL, json={"detections": [detection(camera, external_id="a")]})
    assert (one.status_code, one.get_json()) == (200, {"ids": [first["id"]]})
    assert count(client) == 1


def test_an_external_id_belongs_to_its_camera(client, camera):
    other = post_camera(client)
    first = post_detection(client, camera, external_id="a")
    assert post_detection(client, other, external_id="a")["id"] != first["id"]


def test_detections_without_external_id_are_all_stored(client, camera):
    assert len(set(post_detections(client, detection(camera), detection(camera)))) == 2


def test_a_batch_posted_twice_is_stored_once(client, camera):
    bodies = [detection(camera, external_id=name) for name in "abac"]
    first = post_detections(client, *bodies)
    assert first[0] == first[2]
    assert len(set(first)) == 3
    assert post_detections(client, *bodies) == first
    assert count(client) == 3


def test_a_batch_mixes_known_and_new_in_its_order(client, camera):
    known = post_detection(client, camera, external_id="known")["id"]
    names = ["new", None, "known", "new", None]
    ids = post_detections(client, *(detection(camera, external_id=name) for name in names))
    assert ids[2] == known
    assert ids[3] == ids[0]
    assert len(set(ids)) == 4
    stored = [client.get(f"{URL}/{row_id}").get_json()["external_id"] for row_id in ids]
    assert stored == names


NOT_TEXT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.lists(st.text()), st.just(""), st.just("\x00")
)
NOT_WHOLE = st.one_of(st.booleans(), st.text(), st.floats(0, 9), st.just(2**63))
BAD = {
    "camera_id": st.one_of(NOT_TEXT, st.just("123e4567e89b12d3a456426614174000")),
    "object_type": st.one_of(NOT_TEXT, st.just("x" * 51), st.just("a\ud800")),
    "confidence": st.one_of(
        *(st.none(), st.booleans(), st.text(), st.floats(max_value=-1e-9, min_value=-1e9)),
        *(st.floats(min_value=1.0000001, max_value=1e300), st.integers(min_value=2)),
    ),
    "event_id": NOT_WHOLE,
    "detected_at": st.one_of(st.none(), st.integers(), st.just("2025-12-23T12:00:00")),
    "file_path": st.one_of(NOT_TEXT.filter(lambda v: v is not None), st.just("x" * 501)),
    "external_id": st.one_of(NOT_TEXT.filter(lambda v: v is not None), st.just("x" * 101)),
    "bbox": st.one_of(st.booleans(), st.text(), st.lists(st.integers(), max_size=4)),
    "id": st.just(1),
    "extra": st.none(),
}
BAD_BOX = {
    side: st.one_of(NOT_WHOLE, st.none(), st.integers(max_value=-1), st.integers(min_value=2**31))
    for side in BOX
}


@given(
    bad=st.fixed_dictionaries({}, optional=BAD), box=st.fixed_dictionaries({}, optional=BAD_BOX)
)
def test_every_bad_value_is_named_and_nothing_is_coerced(client, camera, bad, box):
    expected = sorted([*bad, *(f"bbox.{side}" for side in box if "bbox" not in bad)])
    if expected:
        body = detection(camera, bbox=BOX | box) | bad
        assert refused(client, body) == expected
        assert refused(client, {"detections": [detection(camera), body]}) == [
            f"detections.1.{field}" for field in expected
        ]
        assert count(client) == 0


def test_a_body_that_is_no_object_is_422(client):
    for body in ([], "x", 1, None, [{}]):
        assert refused(client, body) == ["_schema"]


def test_a_batch_that_is_no_list_of_objects_is_422(client):
    for batch in (None, {}, "x", 1):
        assert refused(client, {"detections": batch}) == ["detections"]
    for item in (None, [], "x", 1):
        assert refused(client, {"detections": [item]}) == ["detections.0"]


def test_a_batch_takes_nothing_beside_its_detections(client, camera):
    body = {"detections": [detection(camera)], "camera_id": camera["id"]}
    assert refused(client, body) == ["camera_id"]


def test_the_longest_texts_and_the_outermost_numbers_are_accepted(client, camera):
    widest = {
        "object_type": "ü" * 50,
        "external_id": "ü" * 100,
        "file_path": "ü" * 500,
        "bbox": dict.fromkeys(BOX, 0),
    }
    for confidence in (0, 0.0, 1, 1.0):
        body = detection(camera, confidence=confidence, **widest)
        body["external_id"] = str(confidence).rjust(100, "ü")
        assert client.post(URL, json=body).get_json() | body == client.post(URL, json=body).json


@given(text=st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=50))
def test_text_comes_back_exactly(client, camera, text):
    stored = post_detection(client, camera, object_type=text)
    assert stored["object_type"] == text
    found = client.get(URL, query_string={"object_type": text}).get_json()["detections"]
    assert stored in found
    assert {row["object_type"] for row in found} == {text}


def test_an_unknown_detection_is_404(client):
    for path in ("1", "1/image", "0"):
        assert_problem(client.get(f"{URL}/{path}"), 404, "detection_not_found")
    for path in ("x", "-1", "1.0", f"{2**63}"):
        assert_problem(client.get(f"{URL}/{path}"), 404, "not_found")


def test_detections_are_not_changed_over_http(client, camera):
    stored = post_detection(client, camera)
    for method in ("PUT", "PATCH", "DELETE"):
        answer = client.open(f"{URL}/{stored['id']}", method=method, json={})
        assert_problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.get(f"{URL}/{stored['id']}").get_json() == stored


MIDDLE = "2025-12-23T12:00:00.000000Z"
MATCHES = {
    "camera_id": lambda row, value: row["camera_id"] == value,
    "event_id": lambda row, value: row["event_id"] == value,
    "object_type": lambda row, value: row["object_type"] == value,
    "min_confidence": lambda row, value: row["confidence"] >= value,
    "start_date": lambda row, value: row["detected_at"] >= value,
    "end_date": lambda row, value: row["detected_at"] < value,
}


def test_every_combination_of_filters_finds_exactly_what_matches(client, camera):
    other = post_camera(client)
    events = {who["id"]: post_event(client, who)["id"] for who in (camera, other)}
    moments = ("2025-12-23T11:59:59.999999Z", MIDDLE, "2025-12-23T12:00:00.000001Z")
    post_detections(
        client,
        *(
            detection(
                who,
                event_id=event_id,
                object_type=name,
                confidence=confidence,
                detected_at=moment,
            )
            for who in (camera, other)
            for event_id in (events[who["id"]], None)
            for name in ("person", "car")
            for confidence in (0.4, 0.5)
            for moment in moments
        ),
    )
    everything = client.get(URL, query_string={"limit": 1000}).get_json()
    assert DetectionListSchema().validate(everything) == {}
    rows = everything["detections"]
    assert len(rows) == everything["count"] == 48
    assert rows == sorted(rows, key=lambda row: (row["detected_at"], row["id"]), reverse=True)
    values = {
        "camera_id": camera["id"],
        "event_id": events[camera["id"]],
        "object_type": "car",
        "min_confidence": 0.5,
        "start_date": MIDDLE,
        "end_date": moments[2],
    }
    for size in range(len(values) + 1):
        for names in combinations(values, size):
            given = {name: values[name] for name in names}
            answer = client.get(URL, query_string={**given, "limit": 1000}).get_json()
            expected = [row for row in rows if all(MATCHES[n](row, given[n]) for n in names)]
            assert answer["detections"] == expected, names
            assert answer["count"] == len(expected) > 0


def test_a_period_may_be_given_with_any_offset(client, camera):
    post_detection(client, camera, detected_at=MIDDLE)
    assert count(client, start_date="2025-12-23T13:00:00+01:00") == 1
    assert count(client, end_date="2025-12-23T04:00:00-08:00") == 0
    assert count(client, end_date="2025-12-23T04:00:00.000001-08:00") == 1


BAD_QUERIES = (
    ("camera_id", "front"),
    ("camera_id", ""),
    ("camera_id", "{123e4567-e89b-12d3-a456-426614174000}"),
    ("event_id", "-1"),
    ("event_id", "1.0"),
    ("event_id", "٣"),
    ("min_confidence", "1.01"),
    ("min_confidence", "-0.1"),
    ("min_confidence", "nan"),
    ("min_confidence", "1_0e-1"),
    ("start_date", "2025-12-23"),
    ("start_date", "2025-12-23T12:00:00"),
    ("end_date", "2025-02-30T12:00:00Z"),
    ("end_date", ""),
    ("min_confidenc", "0.5"),
    ("offset", "0"),
    ("count", "no"),
)


def test_an_invalid_query_is_422(client):
    for name, value in BAD_QUERIES:
        answer = client.get(URL, query_string={name: value})
        problem = assert_problem(answer, 422, "validation_failed")
        assert list(problem["errors"]["query"]) == [name]


def test_a_parameter_given_twice_is_422_even_with_the_same_value(client):
    answer = client.get(f"{URL}?object_type=car&object_type=car&limit=1")
    problem = assert_problem(answer, 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["object_type"]


def test_posting_and_reading_one_take_no_query(client, camera):
    stored = post_detection(client, camera)
    for answer in (
        client.get(f"{URL}/{stored['id']}?x=1"),
        client.post(f"{URL}?x=1", json=detection(camera)),
    ):
        problem = assert_problem(answer, 422, "validation_failed")
        assert list(problem["errors"]["query"]) == ["x"]
    assert count(client) == 1

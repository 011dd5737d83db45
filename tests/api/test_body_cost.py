"""How much CPU time does it cost to refuse a body that was made to cost much?"""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.detections import EXAMPLE_CREATE
from tests.problems import assert_problem

LARGEST_BODY = 1024 * 1024
MOST_SECONDS = 1.0
WRITES = (("POST", "/api/cameras"), ("POST", "/api/detections"), ("POST", "/api/events"))


def filled(item, before="", after="", joint=","):
    """As many copies of ``item`` between ``before`` and ``after`` as fit into the largest body."""
    room = LARGEST_BODY - len(before.encode()) - len(after.encode())
    copies = room // len((item + joint).encode())
    return before + joint.join([item] * copies) + after


def numbered(count, value="1", name="{}"):
    """A JSON object of ``count`` unknown fields."""
    return "{" + ",".join(f'"{name.format(n)}":{value}' for n in range(count)) + "}"


def batch(*items):
    return '{"detections": [' + ",".join(items) + "]}"


WRONG = {
    "camera_id": "",
    "event_id": "",
    "detected_at": "",
    "object_type": "",
    "confidence": 2,
    "bbox": {"x": -1, "y": "", "width": None},
    "file_path": "",
    "external_id": "",
}
# Each is made by the test that sends it.
BODIES = {
    "20,000 empty detections": lambda: batch(*["{}"] * 20_000),
    "detections to the brim": lambda: filled("{}", '{"detections": [', "]}"),
    "numbers as detections": lambda: filled("0", '{"detections": [', "]}"),
    "1,000 detections, all fields wrong": lambda: batch(*[json.dumps(WRONG)] * 1000),
    "1,000 detections with 90 unknown fields": lambda: batch(*[numbered(90)] * 1000),
    "1,000 boxes with 80 unknown fields": lambda: batch(*[f'{{"bbox":{numbered(80)}}}'] * 1000),
    "19,990 unknown fields": lambda: numbered(19_990),
    "100,000 unknown fields": lambda: numbered(100_000),
    "100,000 fields of a box": lambda: f'{{"bbox":{numbered(100_000)}}}',
    "unknown fields that look like tokens": lambda: numbered(
        17_000, name="nvr_" + "a" * 42 + "{}"
    ),
    "a field that looks like tokens": lambda: filled("nvr_", '{"', '":1}', joint=""),
    "500,000 detection_ids": lambda: filled("1", '{"detection_ids": [', "]}"),
    "300,000 wrong detection_ids": lambda: filled('""', '{"detection_ids": [', "]}"),
    "1,000 wrong detection_ids": lambda: '{"detection_ids": [' + ",".join(['""'] * 1000) + "]}",
    "one key 170,000 times": lambda: filled('"a":1', "{", "}"),
    "a duplicate key after 300,000 objects": lambda: filled("{}", "[", ',{"a":1,"a":2}]'),
    "130,000 objects": lambda: filled('{"a":1}', "[", "]"),
    "an integer of a million digits": lambda: filled("9", joint=""),
    "240 integers of 4,300 digits": lambda: filled("9" * 4300, '{"detection_ids": [', "]}"),
    "a fraction of a million digits": lambda: filled("1", '{"confidence": 0.', "}", joint=""),
    "an exponent of a million digits": lambda: filled("9", '{"confidence": 1e-', "}", joint=""),
    "250,000 floats": lambda: filled("0.1", "[", "]"),
    "a million opened arrays": lambda: filled("[", joint=""),
    "200,000 opened objects": lambda: filled('{"a":', joint=""),
    "400 arrays of 900 levels": lambda: filled("[" * 900 + "]" * 900, "[", "]"),
    "400 objects of 400 levels": lambda: filled('{"a":' * 400 + "1" + "}" * 400, "[", "]"),
    "a million blanks": lambda: filled(" ", joint=""),
    "170,000 escapes": lambda: filled("\\u0041", '{"name": "', '"}', joint=""),
    "170,000 lone surrogates": lambda: filled("\\ud800", '{"name": "', '"}', joint=""),
    "a name that never ends": lambda: filled("\\\\", '{"name": "', joint=""),
    "a name of a million blanks": lambda: filled(" ", '{"name": "', '"}', joint=""),
    "blanks around a name": lambda: filled(" ", '{"name": "a', 'a"}', joint=""),
    "a key of a million letters": lambda: filled("a", '{"', '":1}', joint=""),
    "a time of a million digits": lambda: filled(
        "1", '{"started_at": "2025-12-23T12:00:00.', 'Z"}', joint=""
    ),
    "a time without an end": lambda: filled(
        "1", '{"started_at": "2025-12-23T12:00:00.', '"}', joint=""
    ),
    "a camera id of a million digits": lambda: filled("0", '{"camera_id": "', '"}', joint=""),
    "a million line feeds": lambda: filled("\n", "", "x", joint=""),
    "pictures instead of letters": lambda: filled("\U0001f4f7", '{"name": "', '"}', joint=""),
}


@pytest.fixture
def cpu_seconds(client):
    """The CPU time of one request with this body, and its response."""

    def send(method, path, body):
        began = time.process_time()
        response = client.open(path, method=method, data=body, content_type="application/json")
        return time.process_time() - began, response

    return send


@pytest.mark.parametrize("name", BODIES)
def test_a_costly_body_is_refused_cheaply(cpu_seconds, camera, name):
    body = BODIES[name]().encode()
    assert len(body) <= LARGEST_BODY
    for method, path in (*WRITES, ("PATCH", f"/api/cameras/{camera['id']}")):
        seconds, response = cpu_seconds(method, path, body)
        if seconds >= MOST_SECONDS:  # the garbage of other tests may have been collected meanwhile
            seconds, response = cpu_seconds(method, path, body)
        assert response.status_code in (400, 422)
        assert seconds < MOST_SECONDS
        assert len(response.data) < 200_000


def test_the_largest_batch_is_stored_cheaply(cpu_seconds, camera):
    detection = EXAMPLE_CREATE | {"camera_id": camera["id"], "file_path": "x" * 500}
    body = {"detections": [detection | {"external_id": f"{n:0100}"} for n in range(1000)]}
    seconds, response = cpu_seconds("POST", "/api/detections", json.dumps(body))
    assert response.status_code == 201
    assert seconds < MOST_SECONDS


KEYS = st.sampled_from([*WRONG, "detections", "detection_ids", "name", "started_at", "x"])
VALUES = st.sampled_from(["1", "-1.5", '""', '"a"', "null", "true", "[]", "{}", "[[]]", '{"x":1}'])
ITEMS = VALUES | st.lists(
    st.tuples(KEYS, VALUES), max_size=12, unique_by=lambda pair: pair[0]
).map(lambda pairs: "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}")


@given(st.sampled_from(WRITES), KEYS, ITEMS, st.sampled_from([100, 1000, 10**6]))
def test_no_shape_of_body_costs_much(cpu_seconds, write, key, item, most):
    copies = min(most, (LARGEST_BODY - 100) // (len(item) + 1))
    body = f'{{"{key}": [' + ",".join([item] * copies) + "]}"
    seconds, response = cpu_seconds(*write, body)
    assert response.status_code in (400, 422)
    assert seconds < MOST_SECONDS


def test_the_length_of_a_batch_is_checked_before_its_items(client):
    problem = assert_problem(
        client.post("/api/detections", json={"detections": [{}] * 1001}), 422, "validation_failed"
    )
    assert problem["errors"] == {"json": {"detections": ["Length must be between 1 and 1000."]}}


def test_of_many_bad_fields_the_first_1000_are_listed_and_the_others_counted(client):
    answer = client.post("/api/cameras", json={str(number): 1 for number in range(1500)})
    problem = assert_problem(answer, 422, "validation_failed")
    assert len(problem["errors"]["json"]) == 1000
    assert problem["detail"] == "Some values cannot be used; errors lists all but 502 of them."


def test_a_body_has_at_most_20000_fields(client):
    answer = client.post("/api/cameras", json={str(number): 1 for number in range(20_001)})
    problem = assert_problem(answer, 422, "validation_failed")
    assert problem["errors"] == {"json": {"_schema": ["Give at most 20000 fields in all."]}}

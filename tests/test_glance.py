"""Does what is known at a glance load just as the schema loads it?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.schemas.detections import DetectionCreateSchema
from app.schemas.examples import DETECTION_CREATE as EXAMPLE
from app.schemas.glance import plain

SCHEMA = DetectionCreateSchema()
TEXTS = ("", "a", " ", "é", "\x00", "\x7f", "\ud800", "\n", *("a" * n for n in (50, 51, 100, 101)))
NUMBERS = (0, 1, -1, 0.5, 1.0, 1.01, -0.0, 91.0, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63))
ODD = (None, True, False, [], {}, "1", "91", *TEXTS, "a" * 500, "a" * 501, *NUMBERS)
MOMENTS = ("2025-12-23T12:00:00Z", "2025-12-23t12:00:60.123456789+01:00", "2025-02-30T12:00:00Z")
MOMENTS += ("2025-12-23T12:00:00", "9999-12-31T23:59:59-01:00", "2025-12-23")
IDENTITIES = ("123E4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000", "x")
BOXES = tuple(EXAMPLE["bbox"] | {"x": x} for x in (0, -1, 1.0, True, None, 2**31 - 1, 2**31, "1"))
BOXES += ({"x": 1}, EXAMPLE["bbox"] | {"z": 1})
VALUES = ODD + MOMENTS + IDENTITIES + BOXES
FIELDS = (*EXAMPLE, "event_id", "id", "")


def loaded(value):
    try:
        return SCHEMA.load(value)
    except ValidationError:
        return None


def assert_alike(value):
    """At a glance it is the same, or the schema must look; what is refused is never plain."""
    seen = plain(value)
    assert seen is None or seen == loaded(value)
    if seen:
        assert {name: type(part) for name, part in seen.items()} == {
            name: type(part) for name, part in loaded(value).items()
        }


@pytest.mark.parametrize("field", FIELDS)
def test_every_kind_of_value_in_every_field_is_loaded_alike(field):
    for value in VALUES:
        assert_alike(EXAMPLE | {field: value})
    assert_alike({name: part for name, part in EXAMPLE.items() if name != field})


@pytest.mark.parametrize("value", [None, [], "", 1, {}, [EXAMPLE]])
def test_what_is_no_object_is_never_plain(value):
    assert plain(value) is None


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(VALUES), max_size=4))
def test_several_odd_values_at_once_are_loaded_alike(fields):
    assert_alike(EXAMPLE | fields)


def test_the_usual_detections_are_plain():
    for left_out in (set(), {"bbox"}, {"detected_at", "file_path", "external_id"}):
        assert plain({name: part for name, part in EXAMPLE.items() if name not in left_out})
    for nothing in ("bbox", "event_id", "file_path", "external_id"):
        assert plain(EXAMPLE | {nothing: None})

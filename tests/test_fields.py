"""Which values does a field take? Every field against every kind of value."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.schemas import common as fields

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


def read(field, value):
    """The loaded value, or None if the field refuses it."""
    try:
        return field.deserialize(value)
    except ValidationError:
        return None


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS))
def test_a_time_with_any_offset_is_loaded_in_utc_to_the_microsecond(moment):
    kept = fields.RFC3339DateTime().deserialize(moment.isoformat())
    assert kept == moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    assert datetime.fromisoformat(kept) == moment


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2))
def test_loaded_times_sort_as_text_in_their_order(moments):
    kept = [fields.RFC3339DateTime().deserialize(moment.isoformat()) for moment in moments]
    assert sorted(kept) == [text for _, text in sorted(zip(moments, kept, strict=True))]


ALLOWED = (
    ("2025-12-23T12:00:00Z", "2025-12-23T12:00:00.000000Z"),
    ("2025-12-23t12:00:00z", "2025-12-23T12:00:00.000000Z"),
    ("2025-12-23T12:00:00-00:00", "2025-12-23T12:00:00.000000Z"),
    ("2025-12-23T12:00:00.5+05:30", "2025-12-23T06:30:00.500000Z"),
    ("2025-12-31T23:30:00-23:59", "2026-01-01T23:29:00.000000Z"),
    ("2025-12-23T12:00:00.1234567899Z", "2025-12-23T12:00:00.123456Z"),
    ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
    ("2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.500000Z"),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
)


def test_rfc_3339_times_are_accepted():
    for sent, kept in ALLOWED:
        assert fields.RFC3339DateTime().deserialize(sent) == kept


REFUSED = (
    *("2025-12-23T12:00:00", "2025-12-23", "2025-12-23 12:00:00Z", "2025-12-23T12:00Z"),
    *("2025-12-23T12:00:00.Z", "2025-12-23T12:00:00,5Z", "20251223T120000Z", "now", ""),
    *("2025-12-23T12:00:00+0100", "2025-12-23T12:00:00+01", "2025-12-23T12:00:00+24:00"),
    *("2025-12-23T12:00:00+00:60", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z"),
    # From 3.14 on `datetime.fromisoformat` takes the hour 24.
    *("2025-01-01T24:00:00Z", "2025-12-23T24:00:00.0Z", "2025-12-31T24:00:00+01:00"),
    *("2025-12-23T24:01:00Z", "2025-12-23T25:00:00Z", "2025-12-23T12:00:00+24:00"),
    *("2025-12-23T12:60:00Z", "2025-12-23T12:00:61Z", "2025-12-23T12:00:60Z"),
    *("2025-12-23T23:59:60-01:00", "2025-12-23T24:00:60Z", "2025-12-23T23:60:00Z"),
    *("2025-357T12:00:00Z", "20251223T12:00:00Z", "2025-12-23T1200:00Z", "-025-12-23T12:00:00Z"),
    *("2025-12-23T12:00:00+01:00:30", "2025-12-23T12:00:00Z+00:00", "2025-12-23T12:00:00 Z"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
    *("9999-12-31T23:59:60Z", "٢٠٢٥-12-23T12:00:00Z", " 2025-12-23T12:00:00Z"),
    *("2025-12-23T12:00:00Z\n", "2025-W52-2T12:00:00Z", 1766491200, 1.5, True, [], {}),
)


def test_other_times_are_refused_on_every_python():
    for sent in REFUSED:
        assert read(fields.RFC3339DateTime(), sent) is None, sent


@given(ANYTHING)
@example("2025-12-23T12:00:00Z")
def test_a_time_is_loaded_in_one_form_or_refused(value):
    kept = read(fields.RFC3339DateTime(), value)
    assert kept is None or fields.RFC3339DateTime().deserialize(kept) == kept


@given(ANYTHING)
@example(2**63 - 1)
@example(2**63)
@example(-(2**63))
@example(True)
@example(1.0)
@example("1")
def test_strict_integers_are_json_integers_that_sqlite_can_hold(value):
    fits = type(value) is int and abs(value) < 2**63
    assert read(fields.StrictInteger(), value) == (value if fits else None)


@given(ANYTHING)
@example(True)
@example("0.5")
@example(10**400)
def test_strict_floats_are_json_numbers(value):
    fits = type(value) in (int, float) and abs(value) < 2**63
    read_back = read(fields.StrictFloat(), value)
    assert read_back == (float(value) if fits else None)
    assert type(read_back) in (float, type(None))


@given(ANYTHING)
@example(1)
@example("true")
def test_strict_booleans_are_json_booleans(value):
    assert read(fields.StrictBoolean(), value) is (value if type(value) is bool else None)


def is_clean(text):
    controls = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)}
    return not controls.intersection(map(ord, text))


@given(ANYTHING | st.text(st.characters()))
@example("a\x00b")
@example("\x9f")
@example("a\ud800")
@example("\u202e🐞é")
def test_clean_strings_are_loaded_unchanged(value):
    fits = isinstance(value, str) and is_clean(value)
    assert read(fields.CleanString(), value) == (value if fits else None)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_a_stripped_string_loses_only_its_outer_blanks(text):
    assert fields.StrippedString().deserialize(f" \u00a0{text}\u2003 ") == text.strip()


@given(ANYTHING | st.uuids().map(str) | st.uuids().map(lambda u: str(u).upper()))
@example("123E4567-E89B-12D3-A456-426614174000")
@example("123e4567e89b12d3a456426614174000")
@example("{123e4567-e89b-12d3-a456-426614174000}")
@example("urn:uuid:123e4567-e89b-12d3-a456-426614174000")
@example("123e4567-e89b-12d3-a456-426614174000\n")
def test_a_uuid_is_loaded_in_its_canonical_form_or_refused(value):
    kept = read(fields.UUIDString(), value)
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4:
        assert kept == str(uuid.UUID(value))
    else:
        assert kept is None


@given(st.text())
@example("7")
@example("٣")
@example("-1")
@example("1_0")
@example(" 1")
@example("1" * 19)
def test_an_integer_in_a_query_is_digits_only(text):
    fits = text.isascii() and text.isdigit()
    largest = fields.LARGEST_INTEGER
    expected = (int(text) if len(text) <= 18 else largest) if fits else None
    assert read(fields.QueryInteger(), text) == expected


def test_a_number_in_a_query_is_written_as_in_json():
    for text in ("0", "0.5", "-0.5", "1e-3", "5E+2", "1.0"):
        assert fields.QueryFloat().deserialize(text) == float(text)
    for text in (
        "",
        ".5",
        "5.",
        "+1",
        "nan",
        "inf",
        "Infinity",
        "1e999",
        "0x1",
        "1_0",
        " 1",
        "1,5",
    ):
        assert read(fields.QueryFloat(), text) is None, text


@given(st.text())
@example("true")
@example("false")
@example("True")
@example("1")
@example("")
def test_a_boolean_in_a_query_is_true_or_false(text):
    assert read(fields.QueryBoolean(), text) is {"true": True, "false": False}.get(text)

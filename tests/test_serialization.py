"""Is exactly one JSON document of RFC 8259 read, and written back unchanged?"""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serialization import BadJson, TooManyMembers, dump_json, load_json
from tests.api.test_hostile_json import MALFORMED

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
).filter(lambda value: "inf" not in repr(value))


def objects(value):
    """Every JSON object in ``value``."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


@given(VALUES, st.booleans())
def test_every_document_is_read_unchanged(value, escaped):
    assert load_json(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_documents_are_refused_with_a_reason(body):
    with pytest.raises(BadJson) as caught:
        load_json(body)
    assert 10 < len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": "\xff"}', "it is not UTF-8 (byte 7)"),
        (b'{"a": 1, "a": 1}', "an object has the same key twice"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[1e999]", "it holds a number that is too large"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"9" * 5000, "it holds an integer of too many digits"),
        (b"[1,\n2 3]", "syntax error at line 2, column 3"),
        (b"{'a': 1}", "syntax error at line 1, column 2"),
        (b'["a', "syntax error at line 1, column 2"),
        (b"", "syntax error at line 1, column 1"),
        (b"[] []", "syntax error at line 1, column 4"),
    ],
    ids=range(11),
)
def test_the_reason_is_the_same_on_every_python(body, reason):
    with pytest.raises(BadJson) as caught:
        load_json(body)
    assert str(caught.value) == reason


@given(VALUES, st.integers(0, 20))
def test_the_number_of_members_of_all_objects_together_is_limited(value, most):
    body = json.dumps(value).encode()
    if sum(map(len, objects(value))) <= most:
        assert load_json(body, most) == value
    else:
        with pytest.raises(TooManyMembers):
            load_json(body, most)


@given(st.binary(max_size=50) | st.text('{}[]",:\\u0d8e1-.Nafrulse \n').map(str.encode))
def test_bytes_raise_no_other_exception(body):
    with contextlib.suppress(BadJson):
        load_json(body)


@pytest.mark.parametrize("value", [10**300, -(10**300), 1e308, 5e-324, "\ud800", [[[[]]]]])
def test_unusual_documents_are_read(value):
    assert load_json(json.dumps(value).encode()) == value


@given(VALUES)
def test_written_json_reads_back_in_the_same_order(value):
    assert json.dumps(load_json(dump_json(value))) == json.dumps(value)


def test_keys_keep_their_order_and_text_is_sent_as_utf8():
    assert dump_json({"b": "門", "a": None}) == '{"b":"門","a":null}\n'.encode()

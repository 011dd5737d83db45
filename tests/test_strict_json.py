"""Is only one JSON document of RFC 8259 read, and written back as it was?"""

import contextlib
import json

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from app.strict_json import BadJson, FastJson, strict
from tests.api.test_hostile_json import MALFORMED

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
).filter(lambda value: "inf" not in repr(value))


@given(VALUES, st.booleans())
def test_every_document_is_read_as_it_is(value, escaped):
    assert strict(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_everything_else_is_refused_with_a_reason(body):
    with pytest.raises(BadJson) as caught:
        strict(body)
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
        (b"[1,\n2,]", "Expecting value (line 2, column 3)"),
    ],
    ids=range(7),
)
def test_the_reason_helps(body, reason):
    with pytest.raises(BadJson) as caught:
        strict(body)
    assert str(caught.value) == reason


@given(st.binary(max_size=50) | st.text('{}[]",:\\u0d8e1-.Nafrulse \n').map(str.encode))
def test_no_bytes_raise_anything_else(body):
    with contextlib.suppress(BadJson):
        strict(body)


@pytest.mark.parametrize("value", [10**300, -(10**300), 1e308, 5e-324, "\ud800", [[[[]]]]])
def test_what_is_only_unusual_is_read(value):
    assert strict(json.dumps(value).encode()) == value


@settings(max_examples=30)
@given(VALUES)
def test_what_is_written_reads_back_in_the_same_order(value):
    provider = FastJson(Flask("app"))
    for indent in (None, 2):
        text = provider.dumps(value, indent=indent)
        assert json.dumps(provider.loads(text)) == json.dumps(value)
        assert json.dumps(provider.loads(text.encode())) == json.dumps(value)


def test_keys_keep_their_order_and_text_stays_utf8(app):
    assert app.json.dumps({"b": "Tür", "a": 1}) == '{"b":"Tür","a":1}'
    assert app.json.dumps({"b": [1]}, indent=2) == '{\n  "b": [\n    1\n  ]\n}'
    with app.app_context():
        answer = app.json.response({"b": "門", "a": None})
    assert answer.data == '{"b":"門","a":null}\n'.encode()
    assert answer.content_type == "application/json"

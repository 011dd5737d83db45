"""How is JSON read and written? Read by RFC 8259 alone, written with keys in the given order."""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import orjson


class BadJson(ValueError):
    """The bytes are not one JSON document of RFC 8259 in UTF-8; the text says why."""


class TooManyMembers(ValueError):
    """The objects of the document have more members than are allowed."""


def dump_json(value: Any) -> bytes:
    """``value`` as JSON in UTF-8 with a line feed, its keys in their order."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def load_json(body: bytes, most_members: float = math.inf) -> Any:
    """The value of the one JSON document in ``body``.

    Raises `BadJson`, also for duplicate keys, NaN and Infinity, numbers beyond a double, too deep
    nesting and integers of too many digits, which RFC 8259 leaves to the parser; and
    `TooManyMembers` where all objects together have more than ``most_members``.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_builder(most_members),
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise BadJson(f"it is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadJson("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        # Not its message: that differs between versions of Python.
        raise BadJson(f"syntax error at line {error.lineno}, column {error.colno}") from None
    except (BadJson, TooManyMembers):  # of the hooks; they are ValueErrors too
        raise
    except ValueError:  # int() takes no more than sys.get_int_max_str_digits() digits
        raise BadJson("it holds an integer of too many digits") from None


def _object_builder(most_members: float) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """A function that makes the objects of one document from their members (`json.loads`)."""
    left = most_members

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= len(pairs)
        if left < 0:
            raise TooManyMembers
        members = dict(pairs)
        if len(members) != len(pairs):
            raise BadJson("an object has the same key twice")
        return members

    return build


def _refuse_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadJson("it holds a number that is too large")
    return number

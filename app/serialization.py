"""How are JSON and YAML read and written?

JSON is read by RFC 8259 alone and written with keys in the given order. In YAML a text stays a
text, and no key may occur twice.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import orjson
import yaml


class BadJson(ValueError):
    """The bytes are not one JSON document of RFC 8259 in UTF-8; the text says why."""


class TooManyMembers(ValueError):
    """The objects of the document have more than ``most`` members in all."""

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self.most = most


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
            raise TooManyMembers(most_members)
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


class BadYaml(ValueError):
    """The text is not one YAML document of plain values; the message says why, on one line."""


class YamlLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe loader, which also refuses a key that occurs twice in a mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping whose keys are all different; raises `yaml.constructor.ConstructorError`."""
        keys = [self.construct_object(key) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(
                None, None, "a key occurs twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class YamlDumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe dumper, which quotes and escapes every text that is not printable."""


def load_yaml(data: bytes) -> Any:
    """The one value in ``data``; raises `BadYaml`."""
    loader = None
    try:
        loader = YamlLoader(data)
        return loader.get_single_data()
    except RecursionError:
        raise BadYaml("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a bad date, a list as a key
        raise BadYaml(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def dump_yaml(value: Any) -> str:
    """``value`` as YAML 1.1, keys in their order, one line for each text."""
    shape = {"allow_unicode": True, "sort_keys": False, "width": float("inf")}
    return str(yaml.dump(value, Dumper=YamlDumper, **shape))


def _represent_text(dumper: Any, text: str) -> Any:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


YamlDumper.add_representer(str, _represent_text)

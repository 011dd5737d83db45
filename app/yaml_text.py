"""What is YAML here? Texts come back as they were, each on its line; no key stands there twice."""

from functools import cache
from typing import Any

from . import lazy


class BadYaml(ValueError):
    """The text is not one YAML document of plain values; the message says why, on one line."""


def loads(data: bytes) -> Any:
    """The one value in ``data``; raises `BadYaml`."""
    yaml = lazy.load("yaml")
    try:
        return yaml.load(data, _loader())
    except RecursionError:
        raise BadYaml("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # of a date, of a key that is a list
        raise BadYaml(" ".join(str(error).split())) from None


def dumps(value: Any) -> str:
    """``value`` as YAML 1.1, keys in their order, one line for each text."""
    shape = {"allow_unicode": True, "sort_keys": False, "width": float("inf")}
    return str(lazy.load("yaml").dump(value, Dumper=_dumper(), **shape))


@cache
def _loader() -> type:
    yaml = lazy.load("yaml")

    class Loader(yaml.SafeLoader):  # type: ignore[misc,name-defined]
        """PyYAML's, that takes no key twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """A mapping whose keys are all different."""
            keys = [self.construct_object(key) for key, _ in node.value]
            if len(set(keys)) != len(keys):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key stands there twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    return Loader


@cache
def _dumper() -> type:
    class Dumper(lazy.load("yaml").SafeDumper):  # type: ignore[misc]
        """PyYAML's, that quotes and escapes all that could break a line or is not allowed."""

    Dumper.add_representer(str, _text)
    return Dumper


def _text(dumper: Any, text: str) -> Any:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

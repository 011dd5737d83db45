"""What is YAML here? Texts come back as they were, each on its line; no key stands there twice."""

from typing import Any

import yaml


class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # which ships no types
    """PyYAML's, with quotes and escapes around all that could break a line or is not allowed."""


class BadYaml(ValueError):
    """The text is not one YAML document of plain values; the message says why, on one line."""


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's, that takes no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping whose keys are all different."""
        keys = [self.construct_object(key) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def loads(data: bytes) -> Any:
    """The one value in ``data``; raises `BadYaml`."""
    try:
        # It is a safe loader.
        return yaml.load(data, Loader)  # noqa: S506  # nosec B506
    except RecursionError:
        raise BadYaml("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # of a date, of a key that is a list
        raise BadYaml(" ".join(str(error).split())) from None


def dumps(value: Any) -> str:
    """``value`` as YAML 1.1, keys in their order, one line for each text."""
    return str(
        yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=float("inf"))
    )


def _text(dumper: Dumper, text: str) -> Any:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)

"""How is YAML read and written? A text stays a text, and no key may occur twice."""

from typing import Any

import yaml


class BadYaml(ValueError):
    """The text is not one YAML document of plain values; the message says why, on one line."""


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe loader, which also refuses a key that occurs twice in a mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping whose keys are all different; raises `yaml.constructor.ConstructorError`."""
        keys = [self.construct_object(key) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(
                None, None, "a key occurs twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe dumper, which quotes and escapes every text that is not printable."""


def loads(data: bytes) -> Any:
    """The one value in ``data``; raises `BadYaml`."""
    loader = None
    try:
        loader = Loader(data)
        return loader.get_single_data()
    except RecursionError:
        raise BadYaml("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a bad date, a list as a key
        raise BadYaml(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def dumps(value: Any) -> str:
    """``value`` as YAML 1.1, keys in their order, one line for each text."""
    shape = {"allow_unicode": True, "sort_keys": False, "width": float("inf")}
    return str(yaml.dump(value, Dumper=Dumper, **shape))


def _represent_text(dumper: Any, text: str) -> Any:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _represent_text)

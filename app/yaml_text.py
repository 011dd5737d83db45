"""How is YAML written so that every text comes back as it was, and stays on its line?"""

from typing import Any

import yaml


class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # which ships no types
    """PyYAML's, with quotes and escapes around all that could break a line or is not allowed."""


def dumps(value: Any) -> str:
    """``value`` as YAML 1.1, keys in their order, one line for each text."""
    return str(
        yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=float("inf"))
    )


def _text(dumper: Dumper, text: str) -> Any:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)

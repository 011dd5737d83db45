"""Which packages are loaded only when they are first needed, and what if one is not installed?

Most boxes never ask for what they do, and a service that is idle should not hold them: Pillow
with its three formats takes 3.0 MiB and 14 ms, prometheus-client 1.1 MiB and 9 ms. Therefore,
and here alone, an import does not stand at the top of a file.
"""

import importlib
from typing import Any


class NotInstalled(Exception):
    """The package comes with an extra of the service that was not installed."""


def load(module: str) -> Any:
    """The module, imported by the first who asks; raises `NotInstalled`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotInstalled(module) from error

"""Which packages are loaded only when they are first needed, and why?

Most boxes never ask for what they do, and a service that is idle should not hold them: Pillow
with its three formats takes 3.0 MiB and 14 ms, prometheus-client 1.1 MiB and 9 ms, PyYAML 1.7 MiB
and 9 ms. Therefore, and here alone, an import does not stand at the top of a file.
"""

import importlib
from typing import Any


def load(module: str) -> Any:
    """The module, imported by the first who asks; raises `ImportError`."""
    return importlib.import_module(module)

"""How do many apps in one process share the work of compiling the same routes and templates?

Most tests make an app of their own. Compiling the routes is half of what `create_app` takes.
"""

from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


class SharedRule(Rule):
    """A route that is compiled once for all apps that have the same one."""

    compiled: dict[tuple[Any, ...], dict[str, Any]] = {}

    def compile(self) -> None:
        """Compile the route, or take over everything that compiling the same one has set."""
        key = (self.rule, self.subdomain, self.merge_slashes, str(self.defaults))
        if key not in self.compiled:
            before = dict(vars(self))
            super().compile()
            self.compiled[key] = {
                name: value
                for name, value in vars(self).items()
                if value is not before.get(name) or name == "arguments"
            }
        vars(self).update(self.compiled[key])


class SharedTemplates(BytecodeCache):
    """Templates that are compiled once for all apps."""

    compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key] = bucket.bytecode_to_string()

"""How do many apps in one process share the work of compiling the same routes?

Compiling them is half of what `create_app` takes, and most tests make an app of their own.
"""

from typing import Any

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

"""What can an operator do? ``flask --app wsgi COMMAND``; each command is a module of its own."""

from flask import Flask

from .backup import backup, restore
from .doctor import doctor
from .import_export import cameras
from .prune import prune
from .tokens import tokens

COMMANDS = (backup, cameras, doctor, prune, restore, tokens)


def init_app(app: Flask) -> None:
    """Add every command."""
    for command in COMMANDS:
        app.cli.add_command(command)

"""What can an operator do? ``flask --app wsgi COMMAND``; each command is a module of its own."""

from flask import Flask

from app.cli.backup import backup, restore
from app.cli.doctor import doctor
from app.cli.prune import prune
from app.cli.tokens import tokens
from app.cli.transfer import cameras

COMMANDS = (backup, cameras, doctor, prune, restore, tokens)


def init_app(app: Flask) -> None:
    """Add every command."""
    for command in COMMANDS:
        app.cli.add_command(command)

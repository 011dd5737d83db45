"""What can an operator do from a shell? ``flask --app wsgi COMMAND``."""

from flask import Flask

from .cameras import cameras
from .maintenance import backup, doctor, restore
from .prune import prune
from .settings import settings
from .tokens import tokens

COMMANDS = (backup, cameras, doctor, prune, restore, settings, tokens)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.add_command(command)

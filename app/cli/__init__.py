"""What can an operator do from a shell? ``flask --app wsgi COMMAND``."""

from flask import Flask

from .cameras import cameras
from .maintenance import backup, doctor, restore
from .pictures import pictures, storage
from .prune import prune
from .settings import settings
from .tokens import tokens

COMMANDS = (backup, cameras, doctor, pictures, prune, restore, settings, storage, tokens)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.add_command(command)

"""What does the command ``nvr-cameras`` do? ``nvr-cameras run`` starts the service.

The other commands are those of ``flask --app wsgi`` in a checkout. ``python -m nvr_cameras`` is
the same command.
"""

import sys

import click
from flask.cli import ScriptInfo, routes_command, shell_command

from . import __version__, create_app, layout
from .config import BadSetting
from .server import main as service


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """The camera service of a home network video recorder."""


@commands.command()
@click.pass_obj
def run(script: ScriptInfo) -> None:
    """Start the service; it runs until SIGTERM or SIGINT (Ctrl-C)."""
    service.main(script.load_app())


def main() -> None:
    """Run the command that the process's arguments name.

    A setting that cannot be used ends the process with one line and exit code 1.
    """
    try:
        app = create_app()
    except BadSetting as error:
        sys.exit(f"cannot start: {error}")
    for command in (*app.cli.commands.values(), routes_command, shell_command):
        commands.add_command(command)
    commands(prog_name=layout.NAME, obj=ScriptInfo(create_app=lambda: app, set_debug_flag=False))


if __name__ == "__main__":
    main()

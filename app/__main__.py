"""What does the command ``nvr-cameras`` do? ``nvr-cameras run`` starts the service.

The other commands are those of ``flask --app wsgi`` in a checkout. ``python -m nvr_cameras`` is
the same command.
"""

import sys

import click
from flask import Flask
from flask.cli import ScriptInfo, routes_command, shell_command

from . import __version__, create_app, installation, layout
from .config import SETTINGS, BadSetting
from .server import main as service

HELP = (
    f"Settings are environment variables, or lines of the file {installation.ENV_FILE}. "
    "docs/settings.md explains them, docs/installing.md the installation, docs/operating.md the "
    # \b keeps click from filling the lines below it.
    "commands.\n\n\b\nSettings and their defaults:\n"
)
HELP += "\n".join(f"  {setting.name}={setting.default}" for setting in SETTINGS)


def create_app_or_exit(for_command: bool) -> Flask:
    """The app with the settings of the process, or of the service that a command belongs to.

    A setting that cannot be used ends the process with one line and exit code 1.
    """
    environ, source = installation.service_environment(), ""
    try:
        if for_command:
            environ, source = installation.command_settings()
        app = create_app(environ)
    except BadSetting as error:
        sys.exit(f"cannot start: {error}")
    app.config["DATABASE_SOURCE"] = source
    return app


@click.command("run", epilog=HELP)
@click.version_option(__version__)
def serve() -> None:
    """Start the service; it runs until SIGTERM or SIGINT (Ctrl-C)."""
    service.main(create_app_or_exit(for_command=False))


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """The camera service of a home network video recorder."""


def main() -> None:
    """Run the command that the process's arguments name."""
    commands.add_command(serve)
    script = ScriptInfo(set_debug_flag=False)
    if sys.argv[1:2] != ["run"]:  # which makes an app with settings of its own
        app = create_app_or_exit(for_command=True)
        script = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
        for command in (*app.cli.commands.values(), routes_command, shell_command):
            commands.add_command(command)
    commands(prog_name=layout.NAME, obj=script)


if __name__ == "__main__":
    main()

"""How does an operator create, list and revoke tokens? The API cannot."""

import json
import shlex
from urllib.parse import quote

import click
from flask import Flask

from ..layout import command_anywhere
from ..models import Row, Token
from ..services import tokens as token_service
from .common import CLI, Group, as_json, open_database

PRINTED_FIELDS = ("name", "role", "created_at", "last_used_at")

tokens = Group(
    "tokens", help="Create, list and revoke the tokens that requests authenticate with."
)


@tokens.command()
@click.argument("name")
@click.option(
    *("--role", "role"),
    type=click.Choice(token_service.ROLES),
    required=True,
    help="What requests with it may do.",
)
@as_json
def create(name: str, role: str, as_json: bool) -> None:
    """Create the token NAME and print it; it cannot be printed again."""
    open_database()
    try:
        token, secret = token_service.create(name, role, CLI)
    except token_service.BadName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    if as_json:
        click.echo(json.dumps({**_printed(token), "token": secret}))
    else:
        click.echo(secret)
        click.echo("Keep this token: only its hash is stored, it cannot be shown again.", err=True)


@tokens.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List every token: role, creation, last use (accurate to an hour) and name."""
    open_database()
    found = [_printed(token) for token in Token.listing()]
    if as_json:
        click.echo(json.dumps({"tokens": found, "count": len(found)}))
        return
    for token in found:
        used = f"used {token['last_used_at']}" if token["last_used_at"] else "never used"
        click.echo(f"{token['role']:5}  created {token['created_at']}  {used}  {token['name']}")


@tokens.command()
@click.argument("name")
@as_json
def revoke(name: str, as_json: bool) -> None:
    """Revoke the token NAME; the next request with it is refused."""
    open_database()
    try:
        token = token_service.revoke(name, CLI)
    except token_service.UnknownName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    if as_json:
        click.echo(json.dumps({"revoked": _printed(token)}))
    else:
        click.echo(f"revoked {token['name']}")


def command_to_create(app: Flask) -> str:
    """The shell command that creates a first token, in any working directory."""
    url = f"NVR_DATABASE_URL=sqlite:///{quote(app.config['NVR_DATABASE_URL'])}"
    words = ("env", url, *command_anywhere(), "tokens", "create", "admin", "--role", "write")
    return shlex.join(words)


def _printed(token: Row) -> Row:
    return {name: token[name] for name in PRINTED_FIELDS}

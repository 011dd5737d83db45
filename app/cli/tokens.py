"""Who is let in, and who no longer? Tokens are made, listed and revoked here and nowhere else."""

import json
import shlex
from urllib.parse import quote

import click
from flask import Flask

from .. import db
from ..layout import command_anywhere
from ..models import Row, Token
from ..services import tokens as known
from ..services.audit import Caller
from .failures import Group

BY = Caller("cli")
SHOWN = ("name", "role", "created_at", "last_used_at")

tokens = Group("tokens", help="Make, list and revoke the tokens that let their bearers in.")
as_json = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@tokens.command()
@click.argument("name")
@click.option("--role", type=click.Choice(known.ROLES), required=True, help="What it may do.")
@as_json
def create(name: str, role: str, as_json: bool) -> None:
    """Make a token called NAME and show it, this once."""
    db.migrate()
    try:
        token, secret = known.create(name, role, BY)
    except known.BadName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    if as_json:
        click.echo(json.dumps({**_shown(token), "token": secret}))
    else:
        click.echo(secret)
        click.echo("Keep it safe: it is shown this once and stored nowhere.", err=True)


@tokens.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Show every token's name, role, making and last use (right within an hour)."""
    db.migrate()
    found = [_shown(token) for token in Token.listing()]
    if as_json:
        click.echo(json.dumps({"tokens": found, "count": len(found)}))
        return
    for token in found:
        used = f"used {token['last_used_at']}" if token["last_used_at"] else "never used"
        click.echo(f"{token['role']:5}  made {token['created_at']}  {used}  {token['name']}")


@tokens.command()
@click.argument("name")
@as_json
def revoke(name: str, as_json: bool) -> None:
    """Let the bearer of the token called NAME in no longer, from the very next request on."""
    db.migrate()
    try:
        token = known.revoke(name, BY)
    except known.UnknownName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    if as_json:
        click.echo(json.dumps({"revoked": _shown(token)}))
    else:
        click.echo(f"revoked {token['name']}")


def command_to_create(app: Flask) -> str:
    """What to type in a shell, anywhere on the box, for a first token."""
    url = f"NVR_DATABASE_URL=sqlite:///{quote(app.config['NVR_DATABASE_URL'])}"
    words = ("env", url, *command_anywhere(), "tokens", "create", "admin", "--role", "write")
    return shlex.join(words)


def _shown(token: Row) -> Row:
    return {name: token[name] for name in SHOWN}

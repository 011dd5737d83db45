"""Which cameras are there, which come and which go? The registry from a shell."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import click
from marshmallow import ValidationError, fields, missing, validate

from .. import db
from ..logs import one_line
from ..models import NotFound, Row
from ..schemas.cameras import CameraCreateSchema
from ..services import cameras as camera_service
from ..services.audit import Caller
from . import progress
from .failures import Group

BY = Caller("cli")
# The fields that a line of the list shows without their names.
SHOWN = ("id", "name", "folder_path", "status", "created_at", "last_seen_at")

cameras = Group("cameras", help="List, add, remove, import and export the cameras.")
as_json = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@cameras.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Show every camera: its id, status, last upload, name and folder."""
    db.migrate()
    found = camera_service.list_cameras()
    if as_json:
        click.echo(json.dumps({"cameras": found, "count": len(found)}, ensure_ascii=False))
        return
    for camera in found:
        seen = camera["last_seen_at"] or "never"
        line = f"{camera['id']}  {camera['status']:7}  {seen:27}  {titled(camera)}{_more(camera)}"
        click.echo(line)


def camera_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command an argument for each required field of a camera, else an option."""
    for name, field in reversed(CameraCreateSchema().fields.items()):
        command = (click.argument(name) if field.required else _option(name, field))(command)
    return command


def _option(name: str, field: fields.Field[Any]) -> Callable[..., Any]:
    choices = [rule.choices for rule in field.validators if isinstance(rule, validate.OneOf)]
    return click.option(
        f"--{name.replace('_', '-')}",
        type=click.Choice(list(choices[0])) if choices else str,
        default=None if field.load_default is missing else field.load_default,
        show_default=True,
        help=field.metadata.get("description"),
    )


@cameras.command()
@camera_parameters
@as_json
def add(as_json: bool, **given: Any) -> None:
    """Register the camera NAME that uploads to FOLDER_PATH, absolute or below the base path."""
    db.migrate()
    try:
        given = {name: value for name, value in given.items() if value is not None}
        valid = CameraCreateSchema().load(given)
    except ValidationError as error:
        raise refusal(error.messages) from None
    camera = camera_service.create_camera(valid, BY)
    click.echo(json.dumps(camera, ensure_ascii=False) if as_json else camera["id"])


@cameras.command()
@click.argument("camera_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def rm(camera_id: UUID, yes: bool, as_json: bool) -> None:
    """Remove the camera CAMERA_ID with all its detections and events; its pictures stay."""
    db.migrate()
    try:
        camera = camera_service.get_camera(str(camera_id))
        counts = camera_service.count_children(camera["id"])
        if not yes:
            what = f"Remove {titled(camera)} with {_said(counts)}?"
            click.confirm(what, abort=True, err=True)
        with progress.bar(sum(counts.values())) as bar:
            went = camera_service.delete_camera(camera["id"], BY, bar.update)
    except NotFound:
        raise click.ClickException("There is no camera with this id.") from None
    if as_json:
        click.echo(json.dumps({"removed": camera, **went}, ensure_ascii=False))
    else:
        click.echo(f"removed {titled(camera)} with {_said(went)}")


def _more(camera: Row) -> str:
    """The camera's other fields, where they hold something: ``  location=Garden``."""
    more = {name: value for name, value in camera.items() if name not in SHOWN and value}
    return one_line("".join(f"  {name}={value}" for name, value in more.items()))


def titled(camera: Row) -> str:
    """A camera for people, whatever characters its name holds."""
    return one_line(f"{camera['name']} ({camera['folder_path']})")


def _said(counts: Row) -> str:
    """``1 detection and 2 events``."""
    named = [f"{n} {what.removesuffix('s') if n == 1 else what}" for what, n in counts.items()]
    return " and ".join(named)


def refusal(messages: Any, path: str = "") -> click.ClickException:
    """Everything that is wrong, one line each."""
    return click.ClickException("\n".join(["this cannot be used:", *_lines(messages, path)]))


def _lines(messages: Any, path: str) -> list[str]:
    if isinstance(messages, dict):
        return [line for name, m in messages.items() for line in _lines(m, f"{path}{name}.")]
    return [one_line(f"  {path.removesuffix('.')}: {message}") for message in messages]

"""Which cameras are there, which come and which go? The registry from a shell."""

import json
from typing import Any
from uuid import UUID

import click
from marshmallow import ValidationError

from .. import db
from ..logs import one_line
from ..models import STATUSES, Camera, NotFound, Row
from ..schemas.cameras import CameraCreateSchema
from ..services import cameras as camera_service
from ..services.audit import Caller
from . import progress
from .failures import Group

BY = Caller("cli")

cameras = Group("cameras", help="List, add, remove, import and export the cameras.")
as_json = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@cameras.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Show every camera: its id, status, last upload, name and folder."""
    db.migrate()
    found = camera_service.listing()
    if as_json:
        click.echo(json.dumps({"cameras": found, "count": len(found)}, ensure_ascii=False))
        return
    for camera in found:
        seen = camera["last_seen_at"] or "never"
        click.echo(f"{camera['id']}  {camera['status']:7}  {seen:27}  {titled(camera)}")


@cameras.command()
@click.argument("name")
@click.argument("folder_path")
@click.option("--status", type=click.Choice(STATUSES), default="online", show_default=True)
@as_json
def add(as_json: bool, **fields: Any) -> None:
    """Register the camera NAME that uploads to FOLDER_PATH, absolute or below the base path."""
    db.migrate()
    try:
        valid = CameraCreateSchema().load(fields)
    except ValidationError as error:
        raise refusal(error.messages) from None
    camera = camera_service.register(valid, BY)
    click.echo(json.dumps(camera, ensure_ascii=False) if as_json else camera["id"])


@cameras.command()
@click.argument("camera_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def rm(camera_id: UUID, yes: bool, as_json: bool) -> None:
    """Remove the camera CAMERA_ID with all its detections and events; its pictures stay."""
    db.migrate()
    try:
        camera = camera_service.one(str(camera_id))
        holdings = Camera.holdings(camera["id"])
        if not yes:
            what = f"Remove {titled(camera)} with {_said(holdings)}?"
            click.confirm(what, abort=True, err=True)
        with progress.bar(sum(holdings.values())) as bar:
            went = camera_service.remove(camera["id"], BY, bar.update)
    except NotFound:
        raise click.ClickException("There is no camera with this id.") from None
    if as_json:
        click.echo(json.dumps({"removed": camera, **went}, ensure_ascii=False))
    else:
        click.echo(f"removed {titled(camera)} with {_said(went)}")


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

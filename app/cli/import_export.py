"""How do all cameras get into a file, and from a file into the registry?"""

import json
from typing import Any, BinaryIO

import click
from flask import current_app
from marshmallow import ValidationError

from .. import db
from ..logs import one_line
from ..models import Camera, Row
from ..schemas.cameras import CameraImportSchema
from ..services import cameras as camera_service
from ..services.cameras import ImportPlan
from ..strict_json import BadJson, load_json
from ..yaml_text import BadYaml, dumps, loads
from . import progress
from .cameras import BY, as_json, cameras, refusal, titled

# The group itself, with the two commands of this module added.
__all__ = ["cameras"]


@cameras.command()
@as_json
def export(as_json: bool) -> None:
    """Write every camera as YAML, or as JSON: all that its client chose."""
    db.migrate()
    cameras = camera_service.list_cameras()
    document = {"cameras": [_exported(camera) for camera in cameras]}
    text = json.dumps(document, ensure_ascii=False) if as_json else dumps(document)
    click.echo(text, nl=as_json)


def _exported(camera: Row) -> Row:
    """What the camera's client chose, without what it left empty."""
    return {field: value for field, value in Camera.chosen(camera).items() if value is not None}


@cameras.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@as_json
def import_(file: BinaryIO, dry_run: bool, as_json: bool) -> None:
    """Make the registry hold every camera that FILE (- is stdin), YAML or JSON, lists.

    A camera is known by its folder; one that FILE does not list stays. All or nothing.
    """
    db.migrate()
    entries = _entries(_read(file.read()))
    base = current_app.config["NVR_FOSCAM_BASE_PATH"]
    if dry_run:
        plan = camera_service.plan_import(entries, base)
    else:
        with progress.bar(len(entries)) as bar:
            plan = camera_service.import_cameras(entries, base, BY, bar.update)
    click.echo(json.dumps(_facts(plan, dry_run)) if as_json else _diff(plan, dry_run))


def _read(data: bytes) -> Any:
    """A document that begins as JSON does is read as strictly as the API reads it."""
    try:
        return load_json(data) if data.lstrip()[:1] in (b"{", b"[") else loads(data)
    except (BadJson, BadYaml) as error:
        raise click.ClickException(one_line(f"the file cannot be read: {error}")) from None


def _entries(document: Any) -> list[Row]:
    """The cameras that the document lists, valid."""
    try:
        entries: list[Row] = CameraImportSchema().load(document)["cameras"]
    except ValidationError as error:
        raise refusal(error.messages) from None
    return entries


def _facts(plan: ImportPlan, dry_run: bool) -> Row:
    changed = [{"id": camera["id"], "changes": changes} for camera, changes in plan.changed]
    counted = {"unchanged": plan.unchanged}
    return {"dry_run": dry_run, "added": plan.new, "changed": changed, **counted}


def _diff(plan: ImportPlan, dry_run: bool) -> str:
    """A line for each difference, and their number."""
    lines = [f"+ {titled(entry)}" for entry in plan.new]
    for camera, changes in plan.changed:
        lines.append(f"- {titled(camera)}")
        lines.append(f"+ {titled(camera | {name: c['new'] for name, c in changes.items()})}")
    counts = f"{len(plan.new)} added, {len(plan.changed)} changed, {plan.unchanged} unchanged"
    return "\n".join([*lines, f"{'would be: ' if dry_run else ''}{counts}"])

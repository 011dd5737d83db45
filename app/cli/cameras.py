"""How does an operator list, add, remove, export and import cameras?"""

import json
from collections.abc import Callable
from typing import Any, BinaryIO
from uuid import UUID

import click
from flask import current_app
from marshmallow import ValidationError, fields, missing, validate

from ..diagnostics.folder_access import FolderAccess, access_folder, advice, not_answering
from ..logs import one_line
from ..models import Camera, CameraSettings, NotFound, Row, child_counts
from ..schemas.cameras import CameraCreateSchema, CameraImportSchema
from ..serialization import BadJson, BadYaml, dump_yaml, load_json, load_yaml
from ..services import cameras as camera_service
from ..services.cameras import SETTING, ImportPlan
from ..storage.safe_open import StorageNotAnswering
from .common import CLI, Group, as_json, open_database, progress_bar

cameras = Group("cameras", help="List, add, remove, export and import cameras.")


@cameras.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List every camera: id, status, last upload, name and folder."""
    open_database()
    found = camera_service.list_cameras()
    if as_json:
        click.echo(json.dumps({"cameras": found, "count": len(found)}, ensure_ascii=False))
        return
    for camera in found:
        seen = camera["last_seen_at"] or "never"
        line = f"{camera['id']}  {camera['status']:7}  {seen:27}  {camera_label(camera)}"
        click.echo(line + _other_fields(camera))


def camera_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command an argument per required field of a camera and an option per other."""
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
    """Add the camera NAME that uploads to FOLDER_PATH, absolute or below the base path."""
    open_database()
    try:
        given = {name: value for name, value in given.items() if value is not None}
        valid = CameraCreateSchema().load(given)
    except ValidationError as error:
        raise validation_error(error) from None
    camera = camera_service.create_camera(valid, CLI)
    click.echo(json.dumps(camera, ensure_ascii=False) if as_json else camera["id"])
    warn_about_folder(camera)


@cameras.command()
@click.argument("camera_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
def rm(camera_id: UUID, yes: bool, as_json: bool) -> None:
    """Remove the camera CAMERA_ID, its detections and its events; its pictures stay."""
    open_database()
    try:
        camera = camera_service.get_camera(str(camera_id))
        counts = child_counts(camera["id"])
        if not yes:
            question = f"Remove {camera_label(camera)} with {_in_words(counts)}?"
            click.confirm(question, abort=True, err=True)
        with progress_bar(sum(counts.values())) as bar:
            deleted = camera_service.delete_camera(camera["id"], CLI, bar.update)
    except NotFound:
        raise click.ClickException("There is no camera with this id.") from None
    if as_json:
        click.echo(json.dumps({"removed": camera, **deleted}, ensure_ascii=False))
    else:
        click.echo(f"removed {camera_label(camera)} with {_in_words(deleted)}")


@cameras.command()
@as_json
def export(as_json: bool) -> None:
    """Print every camera as YAML, or as JSON, in the form that `import` reads."""
    open_database()
    settings = CameraSettings.by_camera()
    cameras = camera_service.list_cameras()
    document = {"cameras": [_exported(c, settings.get(c["id"], {})) for c in cameras]}
    text = json.dumps(document, ensure_ascii=False) if as_json else dump_yaml(document)
    click.echo(text, nl=as_json)


def _exported(camera: Row, settings: Row) -> Row:
    """The fields and settings that a client chose, without empty ones."""
    entry = {field: value for field, value in Camera.chosen(camera).items() if value is not None}
    changed = {n: v for n, v in settings.items() if v != CameraSettings.defaults[n]}
    return entry | ({"settings": changed} if changed else {})


@cameras.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@as_json
def import_(file: BinaryIO, dry_run: bool, as_json: bool) -> None:
    """Add or update every camera that FILE lists, YAML or JSON (- reads stdin).

    A camera is identified by its folder. Cameras that FILE does not list stay. If one entry is
    wrong, nothing changes.
    """
    open_database()
    entries = _import_entries(file.read())
    base = current_app.config["NVR_FOSCAM_BASE_PATH"]
    if dry_run:
        plan = camera_service.plan_import(entries, base)
    else:
        with progress_bar(len(entries)) as bar:
            plan = camera_service.import_cameras(entries, base, CLI, bar.update)
    click.echo(json.dumps(_plan_as_json(plan, dry_run)) if as_json else _diff(plan, dry_run))
    for entry in plan.new:
        warn_about_folder(entry)


def _import_entries(data: bytes) -> list[Row]:
    """The valid entries of a YAML or JSON document; JSON is read as strictly as by the API."""
    try:
        document = load_json(data) if data.lstrip()[:1] in (b"{", b"[") else load_yaml(data)
        entries: list[Row] = CameraImportSchema().load(document)["cameras"]
    except (BadJson, BadYaml) as error:
        raise click.ClickException(one_line(f"The file cannot be read: {error}")) from None
    except ValidationError as error:
        raise validation_error(error) from None
    return entries


def _plan_as_json(plan: ImportPlan, dry_run: bool) -> Row:
    return {
        "dry_run": dry_run,
        "added": plan.new,
        "changed": [{"id": camera["id"], "changes": change} for camera, change in plan.changed],
        "unchanged": plan.unchanged,
    }


def _diff(plan: ImportPlan, dry_run: bool) -> str:
    """One line per added or changed camera, then how many there are of each kind."""
    lines = [f"+ {camera_label(entry)}" for entry in plan.new]
    for camera, changes in plan.changed:
        new = camera | {name: change["new"] for name, change in changes.items()}
        chosen = {name: new[name] for name in changes if name.startswith(SETTING)}
        more = "".join(f"  {name}={json.dumps(value)}" for name, value in chosen.items())
        lines += [f"- {camera_label(camera)}", f"+ {camera_label(new)}{one_line(more)}"]
    counts = f"{len(plan.new)} added, {len(plan.changed)} changed, {plan.unchanged} unchanged"
    return "\n".join([*lines, f"{'would be: ' if dry_run else ''}{counts}"])


def camera_label(camera: Row) -> str:
    """A camera's name and folder on one line, control characters escaped."""
    return one_line(f"{camera['name']} ({camera['folder_path']})")


def warn_about_folder(camera: Row) -> None:
    """If the camera's folder cannot be listed, say on stderr why, and what to do."""
    base, path = current_app.config["NVR_FOSCAM_BASE_PATH"], camera["folder_path"]

    def look() -> FolderAccess:
        with access_folder(base, path) as access:
            return access

    try:
        access = current_app.extensions["folders"].threads.ask(look, base, path)
    except StorageNotAnswering:
        access = not_answering(base, path)
    if message := advice(access, base):
        click.echo(one_line(f"Warning: {camera_label(camera)}: {message}"), err=True)


def _other_fields(camera: Row) -> str:
    """The optional fields that have a value, with their names: `` location=Garden``."""
    schema = CameraCreateSchema().fields
    others = {name: camera[name] for name, field in schema.items() if field.allow_none}
    return one_line("".join(f"  {name}={value}" for name, value in others.items() if value))


def _in_words(counts: Row) -> str:
    """``1 detection and 2 events``."""
    named = [f"{n} {what.removesuffix('s') if n == 1 else what}" for what, n in counts.items()]
    return " and ".join(named)


def validation_error(error: ValidationError) -> click.ClickException:
    """Every invalid field on a line of its own."""
    lines = _field_lines(error.messages, "")
    return click.ClickException("\n".join(["These values are not valid:", *lines]))


def _field_lines(messages: Any, path: str) -> list[str]:
    if isinstance(messages, dict):
        return [line for key, m in messages.items() for line in _field_lines(m, f"{path}{key}.")]
    return [one_line(f"  {path.removesuffix('.')}: {message}") for message in messages]

"""How does an operator see and change the settings of the box and of a camera?"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import click
from flask import current_app
from marshmallow import Schema, ValidationError, fields

from ..logs import one_line
from ..models import NotFound, Row
from ..schemas.cameras import CameraUpdateSchema
from ..schemas.settings import BoxSettingsUpdateSchema, CameraSettingsUpdateSchema
from ..services import cameras as camera_service
from ..services.settings import FixedByEnvironment, Settings
from .cameras import cameras, validation_error, warn_about_folder
from .common import CLI, Group, as_json, open_database

settings = Group("settings", help="Show and change settings of the box while the service runs.")
assignments = click.argument("assignments", metavar="NAME=VALUE...", nargs=-1, required=True)


@settings.command()
@as_json
def show(as_json: bool) -> None:
    """Print the current settings of the box."""
    open_database()
    _print(_settings().shown_box(), as_json)


@settings.command("set")
@assignments
@as_json
def set_(assignments: tuple[str, ...], as_json: bool) -> None:
    """Change settings of the box; an empty VALUE returns to the default."""
    open_database()
    given = _load({"": (BoxSettingsUpdateSchema(), _parse(assignments))})[""]
    try:
        changed = _settings().update_box(given, CLI)
    except FixedByEnvironment as error:
        raise click.ClickException(str(error)) from None
    _print(changed, as_json)


@cameras.command("set")
@click.argument("camera_id", type=click.UUID)
@assignments
@as_json
def set_camera(camera_id: UUID, assignments: tuple[str, ...], as_json: bool) -> None:
    """Change the name, folder_path, status or settings of the camera CAMERA_ID.

    An empty VALUE returns a setting to the default.
    """
    open_database()
    texts, schema = _parse(assignments), CameraUpdateSchema()
    parts: dict[str, tuple[Schema, Row]] = {
        "fields": (schema, {n: text for n, text in texts.items() if n in schema.fields}),
        "settings": (
            CameraSettingsUpdateSchema(),
            {n: text for n, text in texts.items() if n not in schema.fields},
        ),
    }
    given = _load(parts)
    try:
        camera = camera_service.update_camera(
            str(camera_id), given["fields"], CLI, given["settings"]
        )
    except NotFound:
        raise click.ClickException("There is no camera with this id.") from None
    _print(camera | _settings().camera(camera["id"]), as_json)
    if "folder_path" in given["fields"]:
        warn_about_folder(camera)


def _settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


def _parse(assignments: Iterable[str]) -> dict[str, str]:
    """The texts by their names; raises `click.ClickException`."""
    texts: dict[str, str] = {}
    for word in assignments:
        name, sign, text = word.partition("=")
        if not sign or name in texts:
            raise click.ClickException(one_line(f"Give each name once, as NAME=VALUE: {word}"))
        texts[name] = text
    return texts


def _load(parts: dict[str, tuple[Schema, Row]]) -> dict[str, Row]:
    """The valid values of each part; raises `click.ClickException`, which names the others."""
    given: dict[str, Row] = {}
    errors: Row = {}
    for key, (schema, texts) in parts.items():
        values = {name: _value(schema.fields.get(name), text) for name, text in texts.items()}
        try:
            given[key] = schema.load(values)
        except ValidationError as error:
            errors |= error.messages_dict
    if errors:
        raise validation_error(ValidationError(errors))
    return given


def _value(field: Any, text: str) -> Any:
    """A number or boolean where the field takes one, else the text; None if it is empty."""
    if text and isinstance(field, fields.Integer | fields.Boolean):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text or None


def _print(shown: Row, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(one_line(f"{name}={text}"))

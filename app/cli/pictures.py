"""How does an operator list and copy a camera's pictures, and see how much space they occupy?"""

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import clock
from ..config import MIB
from ..logs import one_line
from ..models import Camera, Row
from ..pictures import export as exporting
from ..pictures.camera_index import CameraIndex
from ..pictures.listing import Filters, Listing, picture_row
from ..pictures.room import figures
from ..services.health import days_in_words
from ..services.stats import existing
from .common import Command, Group, as_json, followed, open_database, progress_bar

pictures = Group("pictures", help="List and copy the pictures and clips of a camera.")
FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalTime(click.ParamType):  # type: ignore[type-arg] # of older versions of click
    """A time in ISO 8601; without an offset it is in the box's time zone."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The time that the text names."""
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail("give a time such as 2026-11-27, 2026-11-27T03:12 or 2026-11-27T03:12:00Z")


def period(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command the options ``--from`` and ``--to``."""
    for name, text in (("to", "Only before this time."), ("from", "Only since this time.")):
        command = click.option(f"--{name}", f"{name}_", type=LocalTime(), help=text)(command)
    return command


@pictures.command("list")
@click.argument("camera")
@period
@as_json
def list_(camera: str, from_: datetime | None, to_: datetime | None, as_json: bool) -> None:
    """List the pictures and clips of CAMERA, its id or name: time, kind, size, id and name.

    The newest come first.
    """
    found, index = _followed(camera)
    rows = (
        picture_row(row, found["id"])
        for row in Listing(index).iterate(Filters(_microseconds(from_), _microseconds(to_)))
    )
    if as_json:
        _echo_json(rows)
        return
    for row in rows:
        kept = "  kept" if row["kept"] else ""
        line = f"{row['taken_at']}  {row['kind']:7}  {row['size']:10}  {row['id']}  {row['name']}"
        click.echo(one_line(line + kept))


@pictures.command()
@click.argument("camera")
@click.argument("target", type=click.Path())
@period
@as_json
def export(
    camera: str, target: str, from_: datetime | None, to_: datetime | None, as_json: bool
) -> None:
    """Copy the pictures and clips of CAMERA, its id or name, to the folder TARGET, or into a new
    zip file where TARGET ends in .zip.

    The copies are named by camera and local time. No file is overwritten; one that is there with
    the same bytes is not copied again.
    """
    found, index = _followed(camera)
    _refuse_inside(target)
    filters = Filters(_microseconds(from_), _microseconds(to_), newest_first=False)
    done = exporting.Exported()
    try:
        with (
            progress_bar(Listing(index).count(filters)) as bar,
            exporting.opened(target, _zone()) as opened,
        ):
            exporting.export(found, index, filters, opened, _zone(), done, bar.update)
    except OSError as error:
        raise click.ClickException(_failure(error, target, done)) from None
    if as_json:
        click.echo(json.dumps({"target": target, **asdict(done)}, ensure_ascii=False))
    else:
        click.echo(one_line(f"exported {_in_words(done)} to {target}"))


@click.command(cls=Command)
@with_appcontext
@as_json
def storage(as_json: bool) -> None:
    """Show how full the disk is, what each camera's files occupy, and for how many days there is
    room.
    """
    open_database()
    with followed(Camera.listing()):
        found = figures(current_app)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    left = found["days_left"]
    days = "" if left is None else f", room for {days_in_words(left)} at the present rate"
    click.echo(f"{_mib(found['free_bytes'])} free, {_mib(found['used_bytes'])} used{days}")
    for camera in found["cameras"]:
        label = f"{camera['name']} ({camera['camera_id']})"
        files = f"{camera['pictures']} pictures, {camera['clips']} clips, {_mib(camera['bytes'])}"
        times = f", from {camera['oldest']} to {camera['newest']}" if camera["oldest"] else ""
        rate = f"{_mib(camera['bytes_per_day'])} a day"
        click.echo(one_line(f"{label}: {files}{times}, {rate}"))


def _followed(camera: str) -> tuple[Row, CameraIndex]:
    """The camera of this id or name, and its index as the folder is now."""
    open_database()
    found, known = _find(camera), current_app.extensions["pictures"]
    known.follow(found)  # raises where the folder cannot be read
    with followed([found]):
        return found, known.of(found)


def _find(text: str) -> Row:
    listed = Camera.listing()
    found = [camera for camera in listed if camera["id"] == text.lower()]
    found = found or [camera for camera in listed if camera["name"] == text]
    if not found:
        raise click.ClickException("There is no camera with this id or name.")
    if len(found) > 1:
        ids = ", ".join(camera["id"] for camera in found)
        raise click.ClickException(f"Several cameras have this name. Give an id: {ids}")
    return found[0]


def _refuse_inside(target: str) -> None:
    """Refuse a target below the base path, where the copies would be pictures of a camera."""
    base, path = current_app.config["NVR_FOSCAM_BASE_PATH"], existing(os.path.abspath(target))
    path = path if os.path.isdir(path) else os.path.dirname(path)
    above = os.path.join(path, "..")
    while not os.path.samefile(path, base):
        if os.path.samefile(path, above):
            return
        path, above = above, os.path.join(above, "..")
    raise click.ClickException("TARGET lies below the base path of the uploads.")


def _failure(error: OSError, target: str, done: exporting.Exported) -> str:
    whole = "no zip file was written" if target.lower().endswith(".zip") else _in_words(done)
    if error.errno in FULL:
        return one_line(f"The disk of {target} is full: {whole}. Free some space there.")
    return one_line(f"{error}: {whole}")


def _in_words(done: exporting.Exported) -> str:
    there = f", {done.already_there} were there already" if done.already_there else ""
    gone = f", {done.gone} were deleted or changed meanwhile" if done.gone else ""
    return f"{done.pictures} pictures and {done.clips} clips ({done.bytes} bytes){there}{gone}"


def _echo_json(rows: Iterator[Row]) -> None:
    """A document like the API's, written while the rows are read."""
    count = 0
    click.echo('{"pictures": [', nl=False)
    for count, row in enumerate(rows, 1):
        click.echo(("" if count == 1 else ", ") + json.dumps(row, ensure_ascii=False), nl=False)
    click.echo(f'], "count": {count}}}')


def _microseconds(moment: datetime | None) -> int | None:
    """Since the epoch."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=_zone())
    return (aware - clock.from_ns(0)) // timedelta(microseconds=1)


def _zone() -> Any:
    return clock.zone(current_app.extensions["settings"].box()["timezone"])


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"

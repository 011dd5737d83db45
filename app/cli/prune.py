"""How does an operator delete what exceeds the limits, or see what would go?"""

import json
import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import clock
from ..logs import one_line
from ..models import Camera, Row
from ..pictures import suspension
from ..pictures.pruning import STOPPED, Pruner, has_limits, last_outcome
from ..services import database_number, retention
from ..services.clock_guard import ClockImplausible
from .common import CLI, Command, as_json, followed, open_database, progress_bar

NO_LIMIT = (
    "No limit is set: see the settings retention_days, retention_rows and audit_retention_days, "
    "and for pictures keep_days, keep_bytes and keep_free_bytes."
)
NOT_DELETABLE = (
    "{} files exceed the limits, but the service may not delete them: let it write to their "
    "folders."
)


@click.command(cls=Command)
@with_appcontext
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@click.option(
    "--believe-clock",
    is_flag=True,
    help="Trust the clock, although it jumped or is far ahead of the last stored time.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Delete pictures again, although the database was restored or replaced.",
)
@as_json
def prune(dry_run: bool, believe_clock: bool, resume: bool, as_json: bool) -> None:
    """Delete the detections, events and audit entries that exceed the settings retention_days,
    retention_rows and audit_retention_days, and the pictures and clips that exceed keep_days,
    keep_bytes and keep_free_bytes.

    While the clock is implausible nothing is deleted, and the command exits with 1.
    """
    open_database()
    if resume and not dry_run:
        database_number.resume()
    limits = retention.limits_of(current_app.extensions["settings"].box())
    has_picture_limits = has_limits(current_app)
    if not limits and not has_picture_limits:
        click.echo(NO_LIMIT, err=True)
    counts, suspended = _prune_unless_suspended(limits, dry_run, believe_clock)
    report: Row = {"pictures": 0, "clips": 0, "bytes": 0, "not_deletable": 0, "cameras": []}
    if has_picture_limits and not suspended:
        report = _prune_pictures(dry_run)
        suspended = report["suspended"]
    if as_json:
        shown = {"dry_run": dry_run, "suspended": suspended}
        click.echo(json.dumps(shown | counts | report | shown, ensure_ascii=False))
    elif suspended != suspension.CLOCK:
        _show(counts, report, "would delete" if dry_run else "deleted")
    sys.exit(int(suspended is not None))


def _prune_unless_suspended(
    limits: retention.RowLimits, dry_run: bool, believe_clock: bool
) -> tuple[dict[str, int], str | None]:
    """The result of `_prune_rows`, and why nothing is deleted, which stderr says too."""
    try:
        return _prune_rows(limits, dry_run, believe_clock), None
    except ClockImplausible as implausible:
        click.echo(f"Error: {implausible}", err=True)
        return dict.fromkeys(retention.LISTS, 0), suspension.CLOCK


def _prune_rows(limits: retention.RowLimits, dry_run: bool, believe_clock: bool) -> dict[str, int]:
    """How many rows of each list were, or would be, deleted. Raises `ClockImplausible`."""
    guard = current_app.extensions["clock_guard"]
    if believe_clock and not dry_run:
        guard.believe()
    elif not believe_clock:
        guard.check()
    counts = {part.name: part.count() for part in retention.excess(limits, clock.now())}
    if dry_run:
        return counts
    with progress_bar(sum(counts.values())) as bar:
        return retention.prune(limits, clock.now(), guard, bar.update)


def _prune_pictures(dry_run: bool) -> Row:
    """What was, or would be, deleted; says on stderr why some or all files stay."""
    pruner: Pruner = current_app.extensions["pruner"]
    with followed(Camera.listing()):
        report, not_deletable = pruner.dry_run()
        if not dry_run and not report["suspended"]:
            with progress_bar(report["pictures"] + report["clips"]) as bar:
                report, not_deletable = pruner.run(CLI, progress=bar.update)
            if last_outcome()["stopped"]:
                click.echo(STOPPED, err=True)
    if report["suspended"]:
        click.echo(f"Error: {suspension.MESSAGES[report['suspended']]}", err=True)
    if not_deletable:
        click.echo(NOT_DELETABLE.format(not_deletable), err=True)
    return report | {"not_deletable": not_deletable}


def _show(counts: dict[str, int], report: Row, verb: str) -> None:
    listed = [f"{n} {name.replace('_', ' ')}" for name, n in counts.items()]
    files = [f"{report[name]} {name}" for name in ("pictures", "clips")]
    click.echo(f"{verb} {', '.join(listed + files)} ({report['bytes']} bytes)")
    for camera in report["cameras"]:
        label = one_line(f"camera {camera['name']} ({camera['camera_id']})")
        if camera["pictures"] or camera["clips"]:
            click.echo(
                f"  {label}: {camera['pictures']} pictures, {camera['clips']} "
                f"clips, {camera['bytes']} bytes, from {camera['oldest']} to {camera['newest']}"
            )
        if camera["existing"]:
            stay = "files from before the camera stay"
            click.echo(f"  {label}: {camera['existing']} {stay}")

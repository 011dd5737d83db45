"""What do the retention settings leave no room for, and how does it go?"""

import json

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from .. import clock, db
from ..services import retention
from . import progress
from .failures import Command


def limits_of(app: Flask) -> retention.Limits:
    """The configured limits."""
    return retention.Limits(
        app.config["NVR_RETENTION_DAYS"],
        app.config["NVR_RETENTION_ROWS"],
        app.config["NVR_AUDIT_RETENTION_DAYS"],
    )


@click.command(cls=Command)
@with_appcontext
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def prune(dry_run: bool, as_json: bool) -> None:
    """Remove detections, events and audit entries that NVR_RETENTION_* and
    NVR_AUDIT_RETENTION_DAYS leave no room for."""
    db.migrate()
    limits = limits_of(current_app)
    if not limits:
        click.echo(
            "Nothing is limited: set NVR_RETENTION_DAYS, NVR_RETENTION_ROWS or "
            "NVR_AUDIT_RETENTION_DAYS.",
            err=True,
        )
    parts = {part.name: part.count() for part in retention.excess(limits, clock.now())}
    if not dry_run:
        with progress.bar(sum(parts.values())) as bar:
            parts = retention.prune(limits, clock.now(), bar.update)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **parts}))
    else:
        went = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in parts.items())
        click.echo(f"{'would remove' if dry_run else 'removed'} {went}")

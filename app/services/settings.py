"""Which settings do the box and each camera have, and which values are in effect?"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask

from .. import clock
from ..db import writer
from ..models import (
    BoxSetting,
    Camera,
    CameraRetention,
    CameraSettings,
    RetentionFact,
    Row,
)
from . import audit, database_number
from .audit import Caller

# The settings of the box that may be changed while the service runs, by their names in the API.
NAMES = (
    *("offline_after_seconds", "retention_days", "retention_rows", "audit_retention_days"),
    *("keep_days", "keep_bytes", "keep_free_bytes"),
    *("timezone", "wall_title", "wall_refresh_seconds"),
)
MOMENT_GAP_SECONDS = 60
# The limits of pictures and clips, of the box and of a camera.
BOX_LIMITS = ("keep_days", "keep_bytes", "keep_free_bytes")
CAMERA_LIMITS = ("keep_days", "keep_bytes", "prune_existing")


class FixedByEnvironment(Exception):
    """Settings that the environment sets cannot be changed; the text says which."""

    def __init__(self, names: list[str]) -> None:
        variables = ", ".join(map(variable, names))
        super().__init__(f"The service's environment sets {variables}; nothing was changed.")


class EffectiveSettings(NamedTuple):
    """The values in effect for a camera; 0 is no limit, a ``file_pattern`` of None is any name."""

    file_pattern: str | None
    offline_after_seconds: int
    keep_days: int
    keep_bytes: int
    moment_gap_seconds: int


class Settings:
    """The settings of the box and of its cameras.

    ``defaults``: the values for the box where none are stored; ``fixed``: the names of the
    settings that the environment sets, whose stored values are ignored.
    """

    def __init__(self, defaults: Row, fixed: Iterable[str]) -> None:
        self._defaults = defaults
        self.fixed = [name for name in NAMES if name in set(fixed)]

    def box(self) -> Row:
        """The current settings of the box, including changes by other processes."""
        stored = BoxSetting.stored()
        usable = {name: stored[name] for name in NAMES if name in stored}
        return self._defaults | usable | {name: self._defaults[name] for name in self.fixed}

    def shown_box(self) -> Row:
        """The settings of the box as they go to the wire."""
        return self.box() | {"fixed": self.fixed}

    def update_box(self, fields: Row, by: Caller) -> Row:
        """Set these fields, None for the default, and return all. Raises `FixedByEnvironment`."""
        fixed = [name for name in self.fixed if name in fields]
        if fixed:
            raise FixedByEnvironment(fixed)
        _change(fields, lambda: self._update_box(fields, by))
        return self.shown_box()

    def camera(self, camera_id: str) -> Row:
        """The settings of a camera as they go to the wire; raises `models.NotFound`."""
        Camera.one(camera_id)
        chosen = CameraSettings.of(camera_id)
        return chosen | {"effective": _effective(chosen, self.box())._asdict()}

    def update_camera(self, camera_id: str, fields: Row, by: Caller) -> Row:
        """Set these of a camera's settings and return all. Raises `models.NotFound`."""
        _change(fields, lambda: change_settings(camera_id, fields, by))
        return self.camera(camera_id)

    def effective(self, camera_ids: Iterable[str]) -> dict[str, EffectiveSettings]:
        """The settings in effect for each of these cameras."""
        box, chosen, defaults = self.box(), CameraSettings.by_camera(), CameraSettings.defaults
        return {each: _effective(chosen.get(each, defaults), box) for each in camera_ids}

    def note_limits(self) -> None:
        """Store when the limits of pictures were changed, by a client or by the environment.

        To be called inside a change.
        """
        box = self.box()
        limits = {name: box[name] for name in BOX_LIMITS}
        RetentionFact.note("limits", limits, clock.rfc3339(clock.now()))

    def _update_box(self, fields: Row, by: Caller) -> None:
        before = self.box()
        for name, value in fields.items():
            BoxSetting.write(name, value)
        changes = audit.differences(before, self.box())
        if changes:
            self.note_limits()
            resource = {"id": "settings", "name": None}
            audit.record("settings_updated", by, "system", resource, {"changes": changes})


def _change(fields: Row, change: Callable[[], None]) -> None:
    """Run the change. If it names a limit, retention goes on after a restore."""
    if not fields.keys() & set(BOX_LIMITS):
        writer.run(change)
        return

    def change_and_resume() -> None:
        change()
        database_number.resume_in_change()

    writer.run(change_and_resume)
    database_number.drop_old_numbers()


def init_app(app: Flask) -> None:
    defaults: dict[str, Any] = {name: app.config[variable(name)] for name in NAMES}
    # In the environment an empty text means the system's time zone.
    defaults["timezone"] = defaults["timezone"] or None
    given = app.config["SET_BY_ENVIRONMENT"]
    fixed = [name for name in NAMES if variable(name) in given]
    app.extensions["settings"] = Settings(defaults, fixed)


def change_settings(camera_id: str, fields: Row, by: Caller) -> None:
    """Set these fields, with an audit entry if one differs; call it inside a change.

    Raises `models.NotFound`.
    """
    camera = Camera.one(camera_id)
    changes = audit.differences(CameraSettings.of(camera_id), fields)
    if changes:
        CameraSettings.write(camera_id, {name: fields[name] for name in changes})
        if changes.keys() & set(CAMERA_LIMITS):
            now = clock.rfc3339(clock.now())
            CameraRetention.write(camera_id, {"limits_changed_at": now})
        details = {"changes": changes}
        audit.record("camera_settings_updated", by, "camera", camera, details)


def variable(name: str) -> str:
    """The environment variable that fixes a setting of the box."""
    return f"NVR_{name.upper()}"


def _effective(chosen: Row, box: Row) -> EffectiveSettings:
    def number(name: str, default: int) -> int:
        value = chosen[name]
        return default if value is None else int(value)

    return EffectiveSettings(
        chosen["file_pattern"],
        number("offline_after_seconds", box["offline_after_seconds"]),
        number("keep_days", box["keep_days"]),
        number("keep_bytes", 0),
        number("moment_gap_seconds", MOMENT_GAP_SECONDS),
    )

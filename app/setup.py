"""With what does the app see the cameras' folders? One index of folders, and the monitor."""

from flask import Flask

from .diagnostics.camera import DiagnosticsContext
from .services.monitor import Monitor
from .services.pending_updates import sightings
from .storage.folders import Folders


def init_app(app: Flask) -> None:
    """Set both up; nothing is watched before somebody asks or `server` starts the monitor."""
    sightings.forget()
    folders = Folders(
        app.config["NVR_MAX_PICTURE_BYTES"],
        watch=app.config["NVR_WATCH"] == "auto",
        threads=app.config["NVR_THREADS"],
    )
    app.extensions["folders"] = folders
    app.extensions["diagnostics"] = DiagnosticsContext(
        app.config["NVR_FOSCAM_BASE_PATH"],
        folders,
        app.config["NVR_MAX_PICTURE_BYTES"],
        app.config["NVR_OFFLINE_AFTER_SECONDS"],
    )
    app.extensions["monitor"] = Monitor(
        app.config["NVR_FOSCAM_BASE_PATH"],
        folders,
        app.config["NVR_OFFLINE_AFTER_SECONDS"],
        app.config["NVR_LAST_SEEN_FLUSH_SECONDS"],
    )

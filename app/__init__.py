"""What is the app made of?"""

import os
from collections.abc import Mapping

from flask import Flask

from . import api, cli, config, db, errors, telemetry, web
from .access import authorize, headers, hosts
from .diagnostics import camera as diagnosis
from .services import clock_guard, monitor
from .storage import folders

__version__ = "0.1.0"

PARTS = (
    *(telemetry, db, folders, clock_guard, monitor, diagnosis),
    *(hosts, headers, authorize, api, web, errors, cli),
)


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The service as a WSGI application, set up from ``environ`` or the process's environment.

    Raises `config.BadSetting`.
    """
    app = Flask(__name__, static_folder=None)
    app.config.update(config.read_settings(os.environ if environ is None else environ))
    app.config["API_VERSION"] = __version__
    for part in PARTS:
        part.init_app(app)
    return app

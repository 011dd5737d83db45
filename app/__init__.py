"""What is the app made of?"""

import os
from collections.abc import Mapping

from flask import Flask

from . import api, cli, config, db, errors
from .access import authorize, headers, proxies
from .diagnostics import camera as diagnosis
from .services import monitor
from .storage import folders
from .telemetry import counters
from .web import pages

__version__ = "0.1.0"

PARTS = (
    *(counters, db, folders, monitor, diagnosis),
    *(proxies, headers, authorize, api, pages, errors, cli),
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

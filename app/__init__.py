"""What is the app made of?"""

import os
from collections.abc import Mapping

from flask import Flask

from app import (
    api,
    auth,
    cli,
    config,
    db,
    errors,
    eyes,
    headers,
    metering,
    proxies,
    strict_json,
    web,
)

__version__ = "0.1.0"

PARTS = (metering, strict_json, db, eyes, proxies, headers, auth, api, web, errors, cli)


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

"""How is the service started? ``app`` for any WSGI server; run directly, the whole service."""

import sys

from app import create_app
from app.config import BadSetting
from app.server import main

try:
    app = create_app()
except BadSetting as error:
    sys.exit(f"cannot start: {error}")

if __name__ == "__main__":
    main.main(app)

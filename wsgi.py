"""How is the service started? ``app`` for any WSGI server; run directly, the whole service."""

import click

from app.__main__ import create_app_or_exit, serve

if __name__ == "__main__":
    serve(prog_name="wsgi.py")
else:
    # Within a click context the command `flask` imports this module.
    app = create_app_or_exit(for_command=click.get_current_context(silent=True) is not None)

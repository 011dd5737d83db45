"""How is the real service started with a fault put into it?"""

import sys
from pathlib import Path

from tests.e2e.server import PROJECT, Server

# The command that `Server` gives is the interpreter and wsgi.py; here the fault comes first.
RUN = """
import runpy, sys
sys.path.insert(0, {project!r})
{fault}
del sys.argv[1:]
runpy.run_path({project!r} + "/wsgi.py", run_name="__main__")
"""
# An app that never answers /hang.
HANG = """
import time
from app.server import main
serve = main.main
def serve_with_hanging_path(app):
    inner = app.wsgi_app
    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/hang":
            time.sleep(1000)
        return inner(environ, start_response)
    app.wsgi_app = answer
    serve(app)
main.main = serve_with_hanging_path
"""


def faulty_server(folder: Path, fault: str, **settings: str) -> Server:
    """A server in whose process ``fault``, Python code, runs before it starts."""
    code = RUN.format(project=str(PROJECT), fault=fault)
    return Server(folder, wrapper=[sys.executable, "-c", code], **settings)

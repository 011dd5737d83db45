"""How is a problem shown in a browser?

The page loads no other file, because what failed may concern those files too.
"""

from base64 import b64encode
from hashlib import sha256

from flask import Response, render_template, request

from ..layout import COMMAND
from ..problems import CONTENT_TYPE, Problem

# The blueprints with pages; every other one answers problems as JSON only.
PAGES = ("web", "docs")
PAGE = "text/html"
STYLE = (
    ":root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif;overflow-wrap:anywhere;"
    "background:light-dark(#f4f6f8,#12161a);color:light-dark(#14191f,#e8edf2)}"
    "body{max-inline-size:40rem;margin:12vh auto;padding:0 1rem}"
    "code{white-space:pre-wrap}"
    "a{color:light-dark(#0b5d8c,#7cc4f0);display:inline-block;padding:.65rem 1rem .65rem 0}"
)
STYLE_DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Nobody reloads a kiosk screen by hand, so it tries again by itself.
AGAIN_SECONDS = 30
TROUBLE = 500


def is_wanted() -> bool:
    """Whether the client prefers HTML to JSON, for a URL of a page."""
    if request.blueprint not in PAGES:
        return False
    offered = (CONTENT_TYPE, "application/json", PAGE)
    return request.accept_mimetypes.best_match(offered) == PAGE


def page(problem: Problem, detail: str) -> Response:
    """The problem as a page: what is wrong, and what to do about it."""
    is_trouble = problem.status >= TROUBLE
    again = AGAIN_SECONDS if is_trouble and request.args.get("kiosk") == "1" else None
    values = {"problem": problem, "detail": detail, "is_trouble": is_trouble, "again": again}
    text = render_template("problem.html", style=STYLE, command=COMMAND, **values)
    response = Response(text, problem.status)
    response.headers["Content-Security-Policy"] = POLICY
    if again:
        response.headers["Refresh"] = str(again)
    return response

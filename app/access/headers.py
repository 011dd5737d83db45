"""Which headers does every response carry, whatever its view or its error handler set?"""

from flask import Flask, Response

# `Referrer-Policy`: a picture's URL may hold a token.
EVERY = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# For what is no page: nothing in it may run or load, no other page may frame it.
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
# Without a validator a stored copy could not be asked about again.
CACHE_CONTROL = "no-store"


def init_app(app: Flask) -> None:
    """Complete every response, errors included."""
    app.after_request(_complete)


def _complete(response: Response) -> Response:
    response.headers.update(EVERY)
    response.headers.setdefault(*POLICY)
    response.headers.setdefault("Cache-Control", CACHE_CONTROL)
    return response

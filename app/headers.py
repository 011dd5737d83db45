"""Which headers does every answer carry? Those that keep a browser from running it."""

from flask import Flask, Response

# `Referrer-Policy`: a picture's URL may hold a token.
EVERY = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# For what is no page: nothing in it may run or load, nobody may frame it.
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


def init_app(app: Flask) -> None:
    """Mark every answer, errors included."""
    app.after_request(_mark)


def _mark(response: Response) -> Response:
    """Pictures and the page of the description bring a policy of their own."""
    response.headers.extend(EVERY if POLICY[0] in response.headers else (*EVERY, POLICY))
    return response

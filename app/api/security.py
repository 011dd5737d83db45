"""How does the description say who may do what?"""

from typing import Any

from flask import Flask

from ..access.authorize import anonymous_may

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of this service"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A token of this service as the password, under any user name",
    },
    "token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "A token of this service, for what can only be given a URL",
    },
}


def tokens(app: Flask, is_open: bool, writes: bool, pictures: bool) -> list[dict[str, Any]]:
    """The ways to show a token to an operation; an empty one says that none is needed."""
    if is_open:
        return []
    ways: list[dict[str, Any]] = [{"bearer": []}, {"basic": []}]
    if pictures:
        ways.append({"token": []})
    if ("write" if writes else "read") in anonymous_may(app):
        ways.append({})
    return ways


def problems(is_open: bool, writes: bool) -> list[str]:
    """What an operation answers to those who may not, and to whom it was not meant for."""
    codes = ["unknown_host"]
    if not is_open:
        codes.append("unauthorized")
    if writes:
        codes += ["forbidden", "foreign_page"]
    return codes

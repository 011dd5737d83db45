"""Which URLs are accepted for a receiver, and how is one shown without its secrets?"""

import re
from urllib.parse import SplitResult, urlsplit

HIDDEN = "***"
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# An IPv6 address, whose zone follows a percent sign, or a name.
HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.~-]+)?\]|[\w.~-]*)(:[0-9]*)?")
WEBHOOKS = ("http", "https")
NO_PORT = "The host or the port in this URL cannot be used."
NO_HOST = "Give a URL with a host, such as https://example.org/hook."
# The host is shown for these schemes only: in other schemes it is a token, or part of one.
WITH_HOST = (*WEBHOOKS, "json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos")


class BadUrl(ValueError):
    """The text is no URL of a receiver; the message says what to give."""


def is_webhook(url: str) -> bool:
    """Whether the service itself posts to the URL; Apprise sends to all others."""
    return scheme_of(url) in WEBHOOKS


def scheme_of(url: str) -> str:
    """The scheme in lower case; raises `BadUrl`."""
    found = SCHEME.match(url)
    if not found:
        raise BadUrl(NO_HOST)
    return found[1].lower()


def webhook_parts(url: str) -> SplitResult:
    """The parts of a webhook's URL; raises `BadUrl`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:  # UnicodeError is one
        raise BadUrl(NO_PORT) from None
    if not host or port == 0 or set(" \\") & set(parts.netloc):
        raise BadUrl(NO_HOST)
    return parts


def redact(url: str) -> str:
    """The URL with its scheme and host, and `HIDDEN` for user, password, path and query."""
    scheme = scheme_of(url)
    rest = url[len(scheme) + 3 :]
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    path, mark, query = rest[len(authority) :].partition("?")
    # Whether the authority is probably cut off within a password that contains one of these
    # characters.
    is_cut = "@" in path and ("@" not in authority or path[0] in "#\\")
    is_cut = is_cut or "@" in query.partition("=")[0]
    if scheme not in WITH_HOST or (is_cut and scheme not in WEBHOOKS):
        return f"{scheme}://{HIDDEN}"
    user, at, host = authority.rpartition("@")
    if not HOST_AND_PORT.fullmatch(host):
        return f"{scheme}://{HIDDEN}"  # a user and a password may be part of it
    shown_user = ":".join(HIDDEN for _ in user.split(":", 1)) + at if at else ""
    shown_path = f"/{HIDDEN}" if path.strip("/") else path
    return f"{scheme}://{shown_user}{host}{shown_path}{f'?{HIDDEN}' if mark else ''}"

"""Which headers may a request have, what do they say of its sender, and which has each response?

A page cannot forge the headers that show its origin: the browser sets ``Host`` to the name in the
URL (in a DNS rebinding attack the attacker's), and ``Origin`` and ``Sec-Fetch-Site`` by the origin
of the page.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import (
    PreconditionFailed,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Nobody can register names below these on the internet: they belong to multicast DNS (RFC 6762),
# to the names that routers give, and to RFC 8375.
HOUSEHOLD = (".local", ".lan", ".home.arpa")
# A DNS name has 253 characters; the port, and a dot at the end, come on top.
HOST_CHARACTERS = 260
REMEMBERED = 256
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{0,5})?", re.ASCII)
LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})+", re.ASCII)
ORIGIN = re.compile(r"https?://(?P<host>[^/]+)", re.ASCII)
# Sec-Fetch-Site for a page of the same origin, and for a URL that a person typed.
OWN_SITES = ("same-origin", "none")
SCHEMES = ("http", "https")
# Key of the environ: the proxy's own Host header, after X-Forwarded-Host has replaced it.
PROXY_HOST = "nvr.proxy_host"

# The conditions of RFC 9110, section 13, that a GET may have; keys of the environ (PEP 3333).
CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
# The headers that something here parses. Parsing takes quadratic time at worst: an Accept of
# 60,000 blanks cost 7 s, one of 2,048 costs 7 ms. Browsers send less than 300 characters.
PARSED = (
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_AUTHORIZATION", "CONTENT_TYPE"),
    *("HTTP_ORIGIN", "HTTP_RANGE", "HTTP_IF_RANGE", *CONDITIONS),
)
LONGEST_HEADER = 2048
# Of the path, and of the query string, in characters: a longer one costs 100 ms, and a page that
# echoes its unused parameters would have a megabyte. RFC 9110, section 4.1, recommends at least
# 8,000.
LONGEST_URL = 8192
# For responses that are no page: nothing in them may run or load, no page may frame them.
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
# `Referrer-Policy`: a picture's URL may hold a token.
EVERY = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# A response without a validator cannot be revalidated, so it is not to be cached.
DEFAULTS = (POLICY, ("Cache-Control", "no-store"))


class UnknownHost(Exception):
    """The Host header names another machine."""


class ForeignPage(Exception):
    """A page of another origin sent a writing request."""


class AllowedHosts:
    """The accepted Host headers: addresses, household names, and the trusted names."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = frozenset(name.lower() for name in trusted)
        self._is_allowed = lru_cache(REMEMBERED)(self._check)

    def is_allowed(self, host: str) -> bool:
        """Whether a ``Host`` header's value, with or without a port, means this box."""
        return len(host) <= HOST_CHARACTERS and self._is_allowed(host)

    def _check(self, host: str) -> bool:
        found = HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found["name"].removesuffix(".")
        if name in self._trusted or name == "localhost" or is_address(name):
            return True
        return bool(NAME.fullmatch(name)) and name.endswith(HOUSEHOLD)


class ProxyMiddleware:
    """Puts the client's address, scheme and host into the environ of requests from proxies.

    Werkzeug's ProxyFix trusts a fixed number of proxies whatever their address, waitress trusts
    one address. This one reads X-Forwarded-For from its end while the addresses lie in
    ``networks``.
    """

    def __init__(self, application: Any, networks: Iterable[str]) -> None:
        self._application = application
        self._networks: list[Network] = [ipaddress.ip_network(text) for text in networks]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        peer = environ.get("REMOTE_ADDR", "")
        if self._trusts(address_of(peer)):
            self._apply_headers(environ, peer)
        return self._application(environ, start_response)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _apply_headers(self, environ: dict[str, Any], peer: str) -> None:
        environ["REMOTE_ADDR"] = self._client(environ.get("HTTP_X_FORWARDED_FOR", ""), peer)
        scheme = _last(environ.get("HTTP_X_FORWARDED_PROTO", "")).lower()
        if scheme in SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if host := _last(environ.get("HTTP_X_FORWARDED_HOST", "")):
            environ[PROXY_HOST] = environ.get("HTTP_HOST", "")
            environ["HTTP_HOST"] = host

    def _client(self, chain: str, peer: str) -> str:
        """The last address that is no trusted proxy, or the first one if all are."""
        for text in reversed(chain.split(",")):
            address = address_of(text.strip())
            if address is None:
                break
            peer = str(address)
            if not self._trusts(address):
                break
        return peer


def init_app(app: Flask) -> None:
    """Check every request before it is parsed, and complete every response, errors included.

    Without configured proxies, forwarding headers are ignored.
    """
    if app.config["NVR_TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyMiddleware(app.wsgi_app, app.config["NVR_TRUSTED_PROXIES"])  # type: ignore[method-assign]
    app.before_request(_refuse_long_headers)
    app.after_request(_complete)


def is_not_modified(tag: str, modified: int | None = None) -> bool:
    """Whether the client already has what the entity tag ``tag`` names (RFC 9110, 13.2.2).

    ``modified``: the time of the last change in seconds since the epoch. Raises
    `PreconditionFailed` where `If-Match` names other tags.
    """
    environ = request.environ
    given = [key for key in CONDITIONS if key in environ]
    if not given:
        return False
    if "HTTP_IF_MATCH" in given and request.if_match and not request.if_match.contains(tag):
        raise PreconditionFailed
    if tags := request.if_none_match:
        return tags.contains_weak(tag)
    # Equal, not "not later": the picture that is the newest after a deletion may be older.
    if modified is None or "HTTP_IF_MODIFIED_SINCE" not in given:
        return False
    return request.if_modified_since == datetime.fromtimestamp(modified, UTC)


def _refuse_long_headers() -> None:
    """Raise `RequestURITooLarge` or `RequestHeaderFieldsTooLarge` if the request needs it.

    A header that is too long is removed, because the error handler parses Accept too.
    """
    environ = request.environ
    if max(len(environ["PATH_INFO"]), len(environ["QUERY_STRING"])) > LONGEST_URL:
        raise RequestURITooLarge
    too_long = [key for key in PARSED if len(environ.get(key, "")) > LONGEST_HEADER]
    for key in too_long:
        del environ[key]
    if too_long:
        raise RequestHeaderFieldsTooLarge


def _complete(response: Response) -> Response:
    for name, value in EVERY:
        response.headers.add(name, value)
    for name, value in DEFAULTS:
        if name not in response.headers:
            response.headers.add(name, value)
    return response


def is_address(name: str) -> bool:
    """Whether ``name`` is an IPv4 address, or an IPv6 address in brackets."""
    try:
        if name.startswith("["):
            return bool(ipaddress.IPv6Address(name[1:-1]))
        return bool(ipaddress.IPv4Address(name))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach ``host``, an address or a name."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_foreign(site: str | None, origin: str | None, host: str) -> bool:
    """Whether a page of another origin than ``host`` sends the request.

    ``site`` is `Sec-Fetch-Site`, which browsers send over TLS and to loopback only, ``origin`` is
    `Origin`. Other clients than browsers send neither. A page of the same site is foreign too:
    another port or another machine of the household.
    """
    if site is not None and site not in OWN_SITES:
        return True
    if origin is None:
        return False
    found = ORIGIN.fullmatch(origin.lower())
    return found is None or found["host"] != host.lower()


def address_of(text: str) -> Address | None:
    """The address in ``text``, which may have a port; an IPv4-mapped one as IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _last(values: str) -> str:
    """The last of a header's comma-separated values: the one that the nearest proxy added."""
    return values.rpartition(",")[2].strip()

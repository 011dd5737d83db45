"""Is a request meant for this box, did a page of another origin send it, through which proxy?

A page cannot forge the headers that show this: the browser sets ``Host`` to the name in the URL
(in a DNS rebinding attack the attacker's), and ``Origin`` and ``Sec-Fetch-Site`` by the origin of
the page.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from flask import Flask

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
        """Call the application."""
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
    """Trust the configured proxies; without any, forwarding headers are ignored."""
    if app.config["NVR_TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyMiddleware(app.wsgi_app, app.config["NVR_TRUSTED_PROXIES"])  # type: ignore[method-assign]


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

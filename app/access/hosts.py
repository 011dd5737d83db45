"""Is the request meant for this box, and does it come from a page of another origin?

A browser tells both, and no page can make it lie: ``Host`` names whom the page meant to ask (DNS
rebinding brings it here under a foreign name), ``Origin`` and ``Sec-Fetch-Site`` whose page asked.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

# Nobody can register below these for the whole internet: multicast DNS (RFC 6762), what routers
# hand out, and RFC 8375.
HOUSEHOLD = (".local", ".lan", ".home.arpa")
# A DNS name has 253 characters; the port, and a dot at the end, come on top.
HOST_CHARACTERS = 260
REMEMBERED = 256
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{0,5})?", re.ASCII)
LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})+", re.ASCII)
ORIGIN = re.compile(r"https?://(?P<host>[^/]+)", re.ASCII)
# What a browser says of a page of the same origin, and of an address that a person typed.
OWN_SITES = ("same-origin", "none")


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


def is_address(name: str) -> bool:
    """Whether it is an IPv4 address, or an IPv6 address in brackets, as browsers write them."""
    try:
        if name.startswith("["):
            return bool(ipaddress.IPv6Address(name[1:-1]))
        return bool(ipaddress.IPv4Address(name))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether an address, or a name to listen on, is the box's own and nobody else's."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_foreign(site: str | None, origin: str | None, host: str) -> bool:
    """Whether a page of another origin than ``host`` asks, by what the browser says of it.

    ``site`` is `Sec-Fetch-Site`, which browsers send over TLS and to loopback only, ``origin`` is
    `Origin`. What is no browser sends neither. A page of the same site is foreign too: another
    port or another machine of the household.
    """
    if site is not None and site not in OWN_SITES:
        return True
    if origin is None:
        return False
    asking = ORIGIN.fullmatch(origin.lower())
    return asking is None or asking["host"] != host.lower()

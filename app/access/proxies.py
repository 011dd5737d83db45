"""Where does a request come from, when a proxy that is believed hands it on?"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from flask import Flask

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SCHEMES = ("http", "https")
# The name by which the proxy itself asked, once that of its client has taken the place of Host.
ASKED_AS = "nvr.asked_as"


class Behind:
    """A WSGI application that is told of the clients behind the proxies in ``networks``.

    werkzeug's ProxyFix counts proxies and believes anybody, waitress believes one address: here
    the chain is read from its end for as long as it consists of ``networks``.
    """

    def __init__(self, application: Any, networks: Iterable[str]) -> None:
        self._application = application
        self._networks: list[Network] = [ipaddress.ip_network(text) for text in networks]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The application's answer."""
        peer = environ.get("REMOTE_ADDR", "")
        if self._trusts(address_of(peer)):
            self._believe(environ, peer)
        return self._application(environ, start_response)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _believe(self, environ: dict[str, Any], peer: str) -> None:
        environ["REMOTE_ADDR"] = self._client(environ.get("HTTP_X_FORWARDED_FOR", ""), peer)
        scheme = _last(environ.get("HTTP_X_FORWARDED_PROTO", "")).lower()
        if scheme in SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if host := _last(environ.get("HTTP_X_FORWARDED_HOST", "")):
            environ[ASKED_AS] = environ.get("HTTP_HOST", "")
            environ["HTTP_HOST"] = host

    def _client(self, chain: str, peer: str) -> str:
        """The last address that no believed proxy has, or the first one of all."""
        for text in reversed(chain.split(",")):
            address = address_of(text.strip())
            if address is None:
                break
            peer = str(address)
            if not self._trusts(address):
                break
        return peer


def init_app(app: Flask) -> None:
    """Believe the proxies that are configured; without any nothing is read."""
    if app.config["NVR_TRUSTED_PROXIES"]:
        app.wsgi_app = Behind(app.wsgi_app, app.config["NVR_TRUSTED_PROXIES"])  # type: ignore[method-assign]


def address_of(text: str) -> Address | None:
    """The address in ``text``, which may have a port; IPv4 in IPv6 clothes is IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _last(values: str) -> str:
    """What the nearest proxy has appended."""
    return values.rpartition(",")[2].strip()

"""Which client sent a request that a trusted proxy forwards?"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from flask import Flask

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SCHEMES = ("http", "https")
# The proxy's own Host header, after X-Forwarded-Host has replaced it.
PROXY_HOST = "nvr.proxy_host"


class ProxyMiddleware:
    """Puts the client's address, scheme and host into the environ of requests from proxies.

    Werkzeug's ProxyFix trusts a fixed number of proxies whoever sends, waitress trusts one
    address. This one reads X-Forwarded-For from its end, as long as the addresses lie in
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
    """What the nearest proxy has appended."""
    return values.rpartition(",")[2].strip()

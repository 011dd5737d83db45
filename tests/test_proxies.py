"""Are the headers of a proxy used only where it is configured, and only the last of them?"""

import pytest

from app.access.headers import PROXY_HOST, ProxyMiddleware, address_of

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


def environ_behind_proxies(peer, **headers):
    """The WSGI environment that the application gets behind the trusted `PROXIES`."""
    seen = {}
    fields = {f"HTTP_{name}": value for name, value in headers.items()}
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "nvr", "wsgi.url_scheme": "http", **fields}
    ProxyMiddleware(lambda environ, _: seen.update(environ), PROXIES)(environ, None)
    return seen


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7, 10.1.1.1, 10.2.2.2", "192.0.2.7"),
        ("127.0.0.1", "10.1.1.1,10.2.2.2", "10.1.1.1"),
        ("127.0.0.1", "192.0.2.7, nonsense, 10.1.1.1", "10.1.1.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.7:5555", "192.0.2.7"),
        ("127.0.0.1", "[2001:db8::7]:5555", "2001:db8::7"),
        ("127.0.0.1", " 2001:DB8::7 ", "2001:db8::7"),
        ("127.0.0.1", "192.0.2.7\n", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7, unknown", "127.0.0.1"),
        ("::ffff:127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("fd12::1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.2", "192.0.2.7", "127.0.0.2"),
        ("11.0.0.1", "192.0.2.7", "11.0.0.1"),
        ("", "192.0.2.7", ""),
        ("unix:", "192.0.2.7", "unix:"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(peer, chain, client):
    assert environ_behind_proxies(peer, X_FORWARDED_FOR=chain)["REMOTE_ADDR"] == client


def test_scheme_and_host_are_those_that_the_nearest_proxy_sent():
    seen = environ_behind_proxies(
        "10.1.1.1", X_FORWARDED_PROTO="http, HTTPS", X_FORWARDED_HOST="evil.com, nvr.lan"
    )
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("https", "nvr.lan")
    assert seen[PROXY_HOST] == "nvr"


@pytest.mark.parametrize("scheme", ["", "ftp", "https,", "https x"])
def test_a_scheme_other_than_http_and_https_is_ignored(scheme):
    assert (
        environ_behind_proxies("10.1.1.1", X_FORWARDED_PROTO=scheme)["wsgi.url_scheme"] == "http"
    )


def test_the_headers_of_an_untrusted_peer_are_ignored():
    headers = {"X_FORWARDED_PROTO": "https", "X_FORWARDED_HOST": "nvr.lan"}
    seen = environ_behind_proxies("192.0.2.1", X_FORWARDED_FOR="192.0.2.7", **headers)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.1", "http")
    assert seen["HTTP_HOST"] == "nvr"
    assert PROXY_HOST not in seen


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4.5", "[", "::g", "1.2.3.4:5:6", "%"])
def test_a_text_that_is_no_address_is_ignored(text):
    assert address_of(text) is None

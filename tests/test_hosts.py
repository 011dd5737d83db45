"""Does the box answer to its own names only, and recognise foreign pages by their headers?"""

import pytest

from app.access.headers import HOST_CHARACTERS, REMEMBERED, AllowedHosts, is_foreign, is_loopback

OWN = [
    *("localhost", "LOCALHOST", "localhost:8000", "localhost.", "localhost.:80", "localhost:"),
    *("127.0.0.1", "127.0.0.1:8000", "192.168.1.7", "8.8.8.8", "0.0.0.0", "255.255.255.255:1"),
    *("[::1]", "[::1]:8000", "[fe80::1]", "[2001:DB8::7]:80", "[::ffff:192.168.1.7]"),
    *("nvr.local", "NVR.Local:8000", "a.b.local.", "cam-1.lan", "x.home.arpa", "a_b.lan"),
    *("box", "BOX:8000", "box.", "cameras.example.com", "Cameras.Example.COM:443"),
]
FOREIGN = [
    *("", " ", ":", ":80", ".", "..", "evil.com", "evil.com:80", "evil"),
    *("localhost.evil.com", "localhost@evil.com", "localhost:80@evil.com", "evil.com@localhost"),
    *("user:pw@localhost", "localhost,evil.com", "localhost, localhost", "evil.com, localhost"),
    *("localhost evil.com", "localhost\tx", "localhost\n", "localhost\x00", "localhost/", "//x"),
    *(
        "localhost#",
        "localhost?",
        "localhost\\",
        "http://localhost",
        "localhost:x",
        "localhost:-1",
    ),
    *("localhost:80:80", "localhost:123456", "localhost..", ".localhost", "x.localhost"),
    *("local", ".local", "lan", ".lan", "home.arpa", ".home.arpa", "a..local", "evil-local"),
    *("x.local.evil.com", "evil.com.", "nvr.locale", "nvr.lan.com", "-.local", "a-.lan"),
    *("127.0.0.1.evil.com", "127.1", "2130706433", "0x7f.0.0.1", "127.0.0.01", "256.0.0.1"),
    *("127.0.0.1.nip.io", "1.2.3", "1.2.3.4.5", "１２７.0.0.1", "127.0.0.1%00"),  # noqa: RUF001
    *("::1", "[::1", "::1]", "[]", "[::1]x", "[::1].evil.com", "[localhost]", "[127.0.0.1]"),
    *("[fe80::1%eth0]", "[fe80::1%25eth0]", "[1::2::3]", "[::1]@evil.com", "[[::1]]"),
    *("lоcalhost", "ﬂan.lan", "ä.local", "ı.local", "boxx", "box.evil.com", "example.com"),  # noqa: RUF001
    *("a" * 300 + ".local", "x" * 100_000),
]


@pytest.fixture(scope="module")
def names():
    """The hosts of a box called ``box`` that is configured as cameras.example.com."""
    return AllowedHosts(("Cameras.example.com", "box"))


@pytest.mark.parametrize("host", OWN)
def test_a_host_of_the_box_is_allowed(names, host):
    assert names.is_allowed(host)


@pytest.mark.parametrize("host", FOREIGN, ids=lambda host: ascii(host[:40]))
def test_another_host_is_refused(names, host):
    assert not names.is_allowed(host)


def test_many_unknown_hosts_are_all_refused(names):
    for number in range(3 * REMEMBERED):
        assert not names.is_allowed(f"{number}.example.com")
    assert not names.is_allowed("y" * (HOST_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("site", "origin", "host"),
    [
        (None, None, "localhost:8000"),
        ("same-origin", None, "localhost:8000"),
        ("none", None, "localhost:8000"),
        ("same-origin", "http://localhost:8000", "localhost:8000"),
        (None, "http://LOCALHOST:8000", "localhost:8000"),
        (None, "https://cameras.example.com", "Cameras.example.com"),
        (None, "http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_boxs_own_pages_and_clients_other_than_browsers_may_change_data(site, origin, host):
    assert not is_foreign(site, origin, host)


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        *((site, None) for site in ("cross-site", "same-site", "", "x", "none, cross-site")),
        ("cross-site", "http://localhost:8000"),
        ("same-origin", "http://evil.com"),
        *((None, origin) for origin in ("null", "", "http://evil.com", "http://localhost")),
        *((None, origin) for origin in ("http://localhost:8001", "http://localhost:80001")),
        (None, "http://localhost:8000.evil.com"),
        (None, "http://localhost:8000@evil.com"),
        (None, "http://evil.com/http://localhost:8000"),
        (None, "http://localhost:8000, http://evil.com"),
        (None, "http://localhost:8000/"),
        *((None, origin) for origin in ("localhost:8000", "ftp://localhost:8000", "file://")),
    ],
)
def test_a_page_of_another_origin_may_not_change_data(site, origin):
    assert is_foreign(site, origin, "localhost:8000")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("nvr.local", False)),
        *(("::ffff:127.0.0.1", True), ("::ffff:10.0.0.1", False), ("", False), ("127.1", False)),
    ],
)
def test_which_addresses_are_loopback(host, own):
    assert is_loopback(host) == own

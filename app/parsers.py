"""How is the text of a setting read? One parser for each kind of value.

Each raises `ValueError` with a text that says what is allowed.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

MOST_TITLE = 100
# By scheme (OASIS; IANA's registry of service names).
MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def folder(text: str) -> str:
    """The path of a folder, made absolute."""
    if not text or "\0" in text:
        raise ValueError("the path of a folder")
    return os.path.abspath(text)


def database(text: str) -> str:
    """The path of the SQLite file that a URL names, made absolute."""
    path = unquote(text.removeprefix("sqlite:///"))
    if not text.startswith("sqlite:///") or not path or path == ":memory:" or "\0" in path:
        raise ValueError("sqlite:/// and the path of a file; an absolute one begins sqlite:////")
    return os.path.abspath(path)


def host(text: str) -> str:
    """An address to listen on, without the brackets of IPv6."""
    if not text or any(c.isspace() or c in "/@?#" for c in text):
        raise ValueError("an IP address or a host name to listen on")
    return text.strip("[]")


def names(text: str) -> tuple[str, ...]:
    """Host names with commas between them."""
    found = _listed(text)
    if not all(re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", name) for name in found):
        raise ValueError("host names without ports, with commas between them")
    return found


def networks(text: str) -> tuple[str, ...]:
    """IP addresses and networks with commas between them, each as a network."""
    try:
        return tuple(str(ipaddress.ip_network(network)) for network in _listed(text))
    except ValueError:
        raise ValueError("addresses or networks like 10.0.0.0/8, with commas between") from None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip(" ") for part in text.split(",")) if text.strip(" ") else ()


def one_of(*words: str) -> Callable[[str], str]:
    """A parser for one of these ``words``, in any letter case."""

    def parse(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"{', '.join(words[:-1])} or {words[-1]}")

    return parse


@dataclass(frozen=True, slots=True)
class Integer:
    """A parser for decimal integers from ``least`` to ``most``."""

    least: int
    most: int

    def __call__(self, text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= 20
        if not (digits and self.least <= int(text) <= self.most):
            raise ValueError(f"a whole number from {self.least} to {self.most}")
        return int(text)


def broker(text: str) -> tuple[str, ...]:
    """The parts of an MQTT broker's URL: scheme, host, port, user and password; or nothing."""
    expected = "mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"
    try:
        url = urlsplit(text)
        port = url.port or MQTT_PORTS[url.scheme]
    except (ValueError, KeyError):
        if text:
            raise ValueError(expected) from None
        return ()
    if not url.hostname or url.path.strip("/") or url.query or url.fragment or "\0" in text:
        raise ValueError(expected)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return url.scheme, url.hostname, str(port), user, password


def topic_prefix(text: str) -> str:
    """The first part of topics, which stands in ids of Home Assistant too."""
    if not re.fullmatch("[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("1 to 64 letters, digits, - and _")
    return text


def topic(text: str) -> str:
    """A topic of MQTT without wildcards."""
    if not re.fullmatch("[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", text):
        raise ValueError("letters, digits, -, _ and . with single / between")
    return text


def file(text: str) -> str:
    """The path of a file, made absolute, or nothing."""
    if not text.isprintable():
        raise ValueError("the path of a file, of printable characters")
    return os.path.abspath(text) if text else ""


def url(text: str) -> str:
    """The URL of the service, without the slash at its end, or nothing."""
    expected = "http[s]://HOST[:PORT][/PATH]"
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    if text and (not is_valid or parts.query or parts.fragment or re.search(r"\s", text)):
        raise ValueError(expected)
    return text.rstrip("/")


def time_zone(text: str) -> str:
    """The name of a time zone, or nothing."""
    if text and not is_time_zone(text):
        raise ValueError("an IANA name such as Europe/Berlin; empty for the system's")
    return text


def title(text: str) -> str:
    """A title without blanks around it."""
    if not 0 < len(text.strip()) <= MOST_TITLE or not text.isprintable():
        raise ValueError(f"1 to {MOST_TITLE} characters on one line")
    return text.strip()


def is_time_zone(name: str) -> bool:
    """Whether it is an IANA name that the system, or else the package tzdata, knows."""
    return name != "localtime" and name in available_timezones()

"""Which settings exist? One table of the ``NVR_*`` variables.

If a value is invalid, the service does not start and prints one line with the variable, the value
and what is allowed.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import parsers
from .parsers import Integer, database, folder, host, names, networks, one_of, time_zone, title

MIB = 1024 * 1024
# SQLite's integers have 64 bits.
MOST_BYTES = 2**63 - 1


class BadSetting(ValueError):
    """A setting has an invalid value; the text is the line to print."""


Value = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """The variable, the parser of its text, its default as text, and what it means.

    ``{data}`` in a default is the folder that `layout.data_folder` names.
    """

    name: str
    parse: Callable[[str], Value]
    default: str
    help: str
    # Whether it is a URL that may hold a password, so that messages do not show all of it.
    is_secret: bool = False


SETTINGS = (
    Setting(
        "NVR_FOSCAM_BASE_PATH",
        folder,
        "/export/foscam",
        "folder that holds the cameras' upload folders; nothing outside it is ever served",
    ),
    Setting(
        "NVR_DATABASE_URL",
        database,
        "sqlite:///{data}/nvr.db",
        "the SQLite file: `sqlite:///` and a path",
    ),
    Setting(
        "NVR_DATABASE_ANYWHERE",
        one_of("0", "1"),
        "0",
        "`1` allows a database on any file system; `0` only on one that is known to be local, "
        "because elsewhere two machines or a lost connection can destroy it",
    ),
    Setting("NVR_HOST", host, "127.0.0.1", "address to listen on"),
    Setting("NVR_PORT", Integer(0, 65535), "8000", "port to listen on; 0 lets the system choose"),
    Setting(
        "NVR_ANONYMOUS",
        one_of("auto", "write", "read", "none"),
        "auto",
        "what a request without a token may do: `write`, `read` or `none`; `auto` is `write` "
        "while `NVR_HOST` is a loopback address and no proxy is trusted, and `none` otherwise",
    ),
    Setting(
        "NVR_TRUSTED_HOSTS",
        names,
        "",
        "further names of the box, comma-separated; its host name, addresses, `localhost` and "
        "names in `.local`, `.lan` and `.home.arpa` are always accepted",
    ),
    Setting(
        "NVR_TRUSTED_PROXIES",
        networks,
        "",
        "comma-separated addresses or networks of the proxies whose `X-Forwarded-For`, `-Proto` "
        "and `-Host` are trusted",
    ),
    Setting(
        "NVR_PUBLIC_URL",
        parsers.url,
        "",
        "URL of the service in what it sends to others; empty for `http://`, `NVR_HOST` (the host "
        "name if that is all addresses) and the port",
    ),
    Setting("NVR_THREADS", Integer(1, 64), "4", "number of threads that answer reading requests"),
    Setting(
        "NVR_ONE_PROCESSOR",
        one_of("auto", "off"),
        "auto",
        "`auto` keeps all threads on one processor, where they do not contend for Python's "
        "interpreter lock; `off` lets the system place them",
    ),
    Setting(
        "NVR_MAX_BODY_BYTES",
        Integer(1024, 64 * MIB),
        str(MIB),
        "largest request body, in bytes; more is 413",
    ),
    Setting(
        "NVR_MAX_PICTURE_BYTES",
        Integer(1, 256 * MIB),
        str(16 * MIB),
        "largest picture that is served, in bytes; larger files are skipped",
    ),
    Setting(
        "NVR_CLIENT_SECONDS",
        Integer(1, 3600),
        "10",
        "seconds after which a client that neither sends its request nor receives its response is "
        "disconnected",
    ),
    Setting(
        "NVR_RETENTION_DAYS",
        Integer(0, 36500),
        "0",
        "days that detections and events are kept; 0 keeps them for ever",
    ),
    Setting(
        "NVR_RETENTION_ROWS",
        Integer(0, 10**12),
        "0",
        "how many detections, and how many events, are kept; 0 keeps all",
    ),
    Setting(
        "NVR_AUDIT_RETENTION_DAYS",
        Integer(0, 36500),
        "0",
        "days that audit entries are kept; 0 keeps them for ever",
    ),
    Setting(
        "NVR_OFFLINE_AFTER_SECONDS",
        Integer(0, 10**9),
        "86400",
        "seconds without an upload after which a camera becomes offline; 0 for never",
    ),
    Setting(
        "NVR_KEEP_DAYS",
        Integer(0, 36500),
        "0",
        "days that pictures and clips are to be kept; 0 for no limit",
    ),
    Setting(
        "NVR_KEEP_BYTES",
        Integer(0, MOST_BYTES),
        "0",
        "bytes that all pictures and clips together may take; 0 for no limit",
    ),
    Setting(
        "NVR_KEEP_FREE_BYTES",
        Integer(0, MOST_BYTES),
        "0",
        "bytes that are to stay free on the pictures' file systems; 0 for no limit",
    ),
    Setting(
        "NVR_TIMEZONE",
        time_zone,
        "",
        "IANA name of the box's time zone, such as `Europe/Berlin`; empty for the system's",
    ),
    Setting("NVR_WALL_TITLE", title, "Wall", "title of the page that shows all cameras"),
    Setting(
        "NVR_WALL_REFRESH_SECONDS",
        Integer(1, 3600),
        "10",
        "seconds between two updates of that page",
    ),
    Setting(
        "NVR_LAST_SEEN_FLUSH_SECONDS",
        Integer(0, 3600),
        "30",
        "`last_seen_at` and `status` of all cameras are written together, with at least this many "
        "seconds between two writes",
    ),
    Setting(
        "NVR_WATCH",
        one_of("auto", "off"),
        "auto",
        "`auto` notices new pictures by inotify where it is reliable; `off` polls all folders",
    ),
    Setting(
        "NVR_MQTT_URL",
        parsers.broker,
        "",
        "MQTT broker to publish on, `mqtt[s]://[USER:PASSWORD@]HOST[:PORT]`; empty for none; its "
        "readers see the cameras; needs the extra `mqtt`",
        is_secret=True,
    ),
    Setting(
        "NVR_MQTT_PREFIX",
        parsers.topic_prefix,
        "nvr",
        "first part of the topics and of the ids in Home Assistant; another one for each box",
    ),
    Setting(
        "NVR_MQTT_DISCOVERY_PREFIX",
        parsers.topic,
        "homeassistant",
        "topic below which Home Assistant looks for devices",
    ),
    Setting(
        "NVR_MQTT_CA_FILE",
        parsers.file,
        "",
        "PEM file of the authorities that the broker's certificate is checked with; empty for "
        "those of the system",
    ),
    Setting(
        "NVR_MQTT_PICTURE_SECONDS",
        Integer(1, 86400),
        "10",
        "least seconds between two pictures of a camera on MQTT",
    ),
    Setting(
        "NVR_MQTT_PICTURE_WIDTH",
        Integer(16, 2160),
        "1280",
        "largest width of a picture on MQTT, in pixels",
    ),
    Setting(
        "NVR_LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
        "DEBUG, INFO, WARNING or ERROR, to stderr",
    ),
)


def public_url(config: Mapping[str, Any]) -> str:
    """The URL under which others reach the service, without a slash at its end."""
    if config["NVR_PUBLIC_URL"]:
        return str(config["NVR_PUBLIC_URL"])
    host = config["NVR_HOST"]
    with contextlib.suppress(ValueError):  # a name
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{config['NVR_PORT']}"

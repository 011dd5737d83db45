"""Is every setting read, and every bad one refused by name?"""

import os

import pytest

from app.config import SETTINGS, BadSetting
from app.environment import read_settings
from app.layout import PROJECT

MIB = 1024 * 1024
DEFAULTS = {
    "NVR_FOSCAM_BASE_PATH": "/export/foscam",
    "NVR_DATABASE_URL": f"{PROJECT}/instance/nvr.db",
    "NVR_DATABASE_ANYWHERE": "0",
    "NVR_HOST": "127.0.0.1",
    "NVR_PORT": 8000,
    "NVR_ANONYMOUS": "auto",
    "NVR_TRUSTED_HOSTS": (),
    "NVR_TRUSTED_PROXIES": (),
    "NVR_PUBLIC_URL": "",
    "NVR_THREADS": 4,
    "NVR_ONE_PROCESSOR": "auto",
    "NVR_MAX_BODY_BYTES": MIB,
    "NVR_MAX_PICTURE_BYTES": 16 * MIB,
    "NVR_CLIENT_SECONDS": 10,
    "NVR_RETENTION_DAYS": 0,
    "NVR_RETENTION_ROWS": 0,
    "NVR_AUDIT_RETENTION_DAYS": 0,
    "NVR_OFFLINE_AFTER_SECONDS": 86400,
    "NVR_KEEP_DAYS": 0,
    "NVR_KEEP_BYTES": 0,
    "NVR_KEEP_FREE_BYTES": 0,
    "NVR_TIMEZONE": "",
    "NVR_WALL_TITLE": "Wall",
    "NVR_WALL_REFRESH_SECONDS": 10,
    "NVR_LAST_SEEN_FLUSH_SECONDS": 30,
    "NVR_WATCH": "auto",
    "NVR_MQTT_URL": (),
    "NVR_MQTT_PREFIX": "nvr",
    "NVR_MQTT_DISCOVERY_PREFIX": "homeassistant",
    "NVR_MQTT_CA_FILE": "",
    "NVR_MQTT_PICTURE_SECONDS": 10,
    "NVR_MQTT_PICTURE_WIDTH": 1280,
    "NVR_LOG_LEVEL": "INFO",
}
NO_NUMBERS = [
    "",
    " ",
    "x",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    "1_0",
    " 1",
    "1 ",
    "\u0661",
    "9" * 5000,
]
GOOD = [
    ("NVR_FOSCAM_BASE_PATH", "/srv//uploads/../in/", "/srv/in"),
    ("NVR_FOSCAM_BASE_PATH", "uploads", os.path.abspath("uploads")),
    ("NVR_FOSCAM_BASE_PATH", "/", "/"),
    ("NVR_DATABASE_URL", "sqlite:////var/lib/nvr.db", "/var/lib/nvr.db"),
    ("NVR_DATABASE_URL", "sqlite:///nvr.db", os.path.abspath("nvr.db")),
    ("NVR_DATABASE_URL", "sqlite:////var/a%20b.db", "/var/a b.db"),
    ("NVR_HOST", "0.0.0.0", "0.0.0.0"),
    ("NVR_HOST", "[::1]", "::1"),
    ("NVR_HOST", "::", "::"),
    ("NVR_HOST", "nvr.local", "nvr.local"),
    ("NVR_PORT", "0", 0),
    ("NVR_PORT", "65535", 65535),
    ("NVR_PORT", "08000", 8000),
    ("NVR_ANONYMOUS", "None", "none"),
    ("NVR_TRUSTED_HOSTS", " ", ()),
    ("NVR_TRUSTED_HOSTS", "nvr, Cameras.Example.com", ("nvr", "Cameras.Example.com")),
    ("NVR_TRUSTED_PROXIES", "", ()),
    ("NVR_TRUSTED_PROXIES", "127.0.0.1,::1", ("127.0.0.1/32", "::1/128")),
    ("NVR_TRUSTED_PROXIES", "10.0.0.0/8 , fd00::/8", ("10.0.0.0/8", "fd00::/8")),
    ("NVR_THREADS", "1", 1),
    ("NVR_THREADS", "64", 64),
    ("NVR_MAX_BODY_BYTES", "1024", 1024),
    ("NVR_MAX_PICTURE_BYTES", "1", 1),
    ("NVR_LOG_LEVEL", "debug", "DEBUG"),
    ("NVR_LOG_LEVEL", "Warning", "WARNING"),
]
BAD = [
    ("NVR_FOSCAM_BASE_PATH", ""),
    ("NVR_FOSCAM_BASE_PATH", "/a\0b"),
    ("NVR_DATABASE_URL", ""),
    ("NVR_DATABASE_URL", "nvr.db"),
    ("NVR_DATABASE_URL", "/var/lib/nvr.db"),
    ("NVR_DATABASE_URL", "sqlite:///"),
    ("NVR_DATABASE_URL", "sqlite://nvr.db"),
    ("NVR_DATABASE_URL", "sqlite:///:memory:"),
    ("NVR_DATABASE_URL", "sqlite:///a%00b"),
    ("NVR_DATABASE_URL", "postgresql://localhost/nvr"),
    ("NVR_HOST", ""),
    ("NVR_HOST", "a b"),
    ("NVR_HOST", "http://0.0.0.0"),
    ("NVR_HOST", "user@host"),
    ("NVR_HOST", "host\n"),
    ("NVR_PORT", "65536"),
    ("NVR_PORT", "0" * 30 + "65536"),
    ("NVR_ANONYMOUS", ""),
    ("NVR_ANONYMOUS", "admin"),
    *(
        ("NVR_TRUSTED_HOSTS", text)
        for text in ("*", "a,,b", "a,", "a:80", "http://a", "a b", "a.")
    ),
    *(("NVR_TRUSTED_PROXIES", text) for text in ("*", "nginx", "10.0.0.1/8", "::1,", "1.2.3")),
    ("NVR_THREADS", "0"),
    ("NVR_THREADS", "65"),
    ("NVR_MAX_BODY_BYTES", "1023"),
    ("NVR_MAX_BODY_BYTES", str(64 * MIB + 1)),
    ("NVR_CLIENT_SECONDS", "0"),
    ("NVR_MAX_PICTURE_BYTES", "0"),
    ("NVR_MAX_PICTURE_BYTES", str(256 * MIB + 1)),
    ("NVR_WATCH", "on"),
    ("NVR_RETENTION_DAYS", "36501"),
    ("NVR_LOG_LEVEL", ""),
    ("NVR_LOG_LEVEL", "loud"),
    ("NVR_LOG_LEVEL", "CRITICAL"),
]


def test_without_an_environment_every_setting_has_its_default():
    assert read_settings({}) == DEFAULTS


def test_the_table_names_each_setting_once_and_explains_it():
    assert [setting.name for setting in SETTINGS] == list(DEFAULTS)
    assert all(setting.help and "\n" not in setting.help for setting in SETTINGS)


def test_other_variables_are_not_read():
    assert read_settings({"PORT": "1", "nvr_port": "2", "NVR_POTR": "x"}) == DEFAULTS


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_valid_value_is_read(name, text, value):
    assert read_settings({name: text}) == DEFAULTS | {name: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [*BAD, *(("NVR_PORT", text) for text in NO_NUMBERS)],
    ids=lambda text: ascii(text[:30]),
)
def test_a_bad_value_is_refused_in_one_line_that_names_it(name, text):
    with pytest.raises(BadSetting) as caught:
        read_settings({name: text})
    line = str(caught.value)
    assert line.startswith(f"{name}={text!r} cannot be used: give ")
    assert line.isprintable()


def test_a_value_that_is_no_text_is_shown_without_harm():
    with pytest.raises(BadSetting) as caught:
        read_settings({"NVR_LOG_LEVEL": "\udcff\x1b[2J\n"})
    assert str(caught.value).isascii()

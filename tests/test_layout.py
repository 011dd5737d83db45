"""Where does the data go, and does a wheel hold every package?"""

from configparser import ConfigParser
from pathlib import Path

import pytest

from app import environment, layout
from app.config import BadSetting
from app.environment import read_settings
from app.layout import PROJECT, data_folder

HOME = {"HOME": "/home/nvr"}
INSTALLED = [
    (HOME, "/home/nvr/.local/state/nvr-cameras"),
    (HOME | {"XDG_STATE_HOME": "/data"}, "/data/nvr-cameras"),
    (HOME | {"XDG_STATE_HOME": ""}, "/home/nvr/.local/state/nvr-cameras"),
    (HOME | {"XDG_STATE_HOME": "relative"}, "/home/nvr/.local/state/nvr-cameras"),
    ({"STATE_DIRECTORY": "/var/lib/nvr-cameras"}, "/var/lib/nvr-cameras"),
    ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/data"}, "/var/lib/a"),
]


@pytest.mark.parametrize(("environ", "folder"), INSTALLED)
def test_an_installed_service_keeps_its_data_in_the_state_folder(environ, folder):
    assert data_folder(environ, is_installed=True) == Path(folder)


@pytest.mark.parametrize("environ", [environ for environ, _ in INSTALLED])
def test_a_checkout_keeps_its_data_in_instance(environ):
    assert data_folder(environ) == PROJECT / "instance"
    assert read_settings(environ)["NVR_DATABASE_URL"] == f"{PROJECT}/instance/nvr.db"


def test_a_default_folder_with_special_characters_is_taken_as_it_is(monkeypatch):
    monkeypatch.setattr(layout, "data_folder", lambda _: Path("/data/100%25 {mine}?"))
    assert read_settings({})["NVR_DATABASE_URL"] == "/data/100%25 {mine}?/nvr.db"


def test_without_a_home_folder_the_database_must_be_named(monkeypatch):
    def no_home(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(environment.layout, "data_folder", no_home)
    with pytest.raises(BadSetting, match=r"^NVR_DATABASE_URL must be set: Could not"):
        read_settings({})
    assert read_settings({"NVR_DATABASE_URL": "sqlite:////nvr.db"})


def test_a_wheel_holds_every_package():
    """If this fails, name the new package in setup.cfg."""
    setup = ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    named = setup["options"]["packages"].split()
    rooms = [path.parent for path in sorted(PROJECT.glob("app/**/__init__.py"))]
    packages = {
        ".".join(("nvr_cameras", *room.relative_to(PROJECT / "app").parts)) for room in rooms
    }
    assert set(named) == packages | {"nvr_cameras.migrations"}
    assert len(named) == len(set(named))

"""Is it said truly how far the way to a folder leads, and never what lies outside?"""

import errno
import os

import pytest

from app.diagnostics.folder_access import place, reached
from app.diagnostics.folder_advice import OBSTACLES
from app.storage import safe_open
from tests.unprivileged import as_nobody, base_of_nobody


def facts(base, folder_path):
    """obstacle, inside, exists, readable, and where the way ended below the base."""
    with reached(str(base), folder_path) as reach:
        assert (reach.descriptor is None) == bool(reach.obstacle)
        assert not reach.obstacle or OBSTACLES[reach.obstacle](reach, str(base))
        at = reach.at.removeprefix(f"{base}/")
        return reach.obstacle, reach.inside, reach.exists, reach.readable, at


def test_a_folder_that_can_be_listed_is_open_in_the_block_only(base):
    (base / "front").mkdir()
    with reached(str(base), "./front/") as reach:
        assert os.listdir(reach.descriptor) == []
        assert (reach.folder, reach.exists, reach.readable) == (f"{base}/front", True, True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reach.descriptor)


def test_what_stands_in_the_way_is_named(base):
    (base / "front").mkdir()
    (base / "front/file").touch()
    (base / "link").symlink_to("front")
    missing = ("folder_missing", True, False, False)
    assert facts(base, "side/deep") == (*missing, "side")
    assert facts(base, "front/deep") == (*missing, "front/deep")
    assert facts(base, "x" * 300) == (*missing, "x" * 300)
    assert facts(base, "front/file/x") == ("not_a_folder", True, False, False, "front/file")
    assert facts(base, "link/x") == ("link_on_the_way", False, None, None, "link")
    gone = base / "gone"
    assert facts(gone, "front") == ("base_path_missing", True, None, None, str(gone))


def test_nothing_is_said_of_what_lies_outside(base, monkeypatch):
    opened = []
    really_open = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: opened.append(a[0]) or really_open(*a, **k))
    for path in ("/etc", "/etc/passwd", "/nonexistent", "../outside"):
        assert facts(base, path)[:4] == ("outside_base", False, None, None)
    assert set(opened) <= {str(base)}


def test_missing_rights_are_told_from_a_missing_folder():
    with base_of_nobody() as base:
        for name in ("listed", "entered/below"):
            (base / name).mkdir(parents=True)
        (base / "listed").chmod(0o311)
        (base / "entered").chmod(0o600)
        with as_nobody():
            listed, below = facts(base, "listed"), facts(base, "entered/below")
        (base / "listed").chmod(0o700)
        (base / "entered").chmod(0o700)
    assert listed == ("not_readable", True, True, False, "listed")
    assert below == ("not_readable", True, None, False, "entered")


def test_a_disk_that_fails_is_no_missing_folder(base, monkeypatch):
    def fail(*_):
        raise safe_open.FolderNotFound(1, errno.EIO)

    monkeypatch.setattr(safe_open, "open_folder", fail)
    assert facts(base, "front") == ("folder_unavailable", True, None, False, "front")


def test_a_name_that_is_nearly_right_is_found(base):
    for name in ("Front Door", "front-door", "frontdoors", "cams/Side_1", "FRONT.DOOR"):
        (base / name).mkdir(parents=True)
    (base / "front door").touch()
    with reached(str(base), "front_door/x") as reach:
        assert reach.similar == ("FRONT.DOOR", "Front Door", "front-door")
        assert "there is “FRONT.DOOR” or “Front Door”" in OBSTACLES["folder_missing"](reach, "")
    with reached(str(base), "cams/side 1") as reach:
        assert reach.similar == ("cams/Side_1",)
    with reached(str(base), "garden") as reach:
        assert reach.similar == ()
        assert f"install -d -m 755 -o FTP_USER {base}/garden" in OBSTACLES["folder_missing"](
            reach, ""
        )


def test_one_folder_has_one_place_however_it_is_written(base, tmp_path):
    (tmp_path / "linked").symlink_to(base)
    linked = str(tmp_path / "linked")
    ways = ["a/b", "./a//b/.", f"{linked}/a/b", f"{base}/a/b/", "x/../a/b", f"/{linked}/a/b"]
    assert {place(linked, way) for way in ways} == {f"{linked}/a/b"}
    assert place(linked, "/etc//x/") == "/etc/x"
    assert place(linked, ".") == place(linked, str(base)) == linked

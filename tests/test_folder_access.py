"""Is it found out why a folder cannot be listed, without a look outside the base path?"""

import errno
import os
from unicodedata import normalize

import pytest

from app.diagnostics.folder_access import access_folder, advice, canonical_path
from app.storage import safe_open
from tests.unprivileged import as_nobody, base_of_nobody


def found(base, folder_path):
    """The problem, inside, exists, readable, and which path below the base was not opened."""
    with access_folder(str(base), folder_path) as access:
        assert (access.descriptor is None) == bool(access.problem) == bool(advice(access, base))
        at = access.at.removeprefix(f"{base}/")
        return access.problem, access.inside, access.exists, access.readable, at


def test_a_folder_that_can_be_listed_is_open_only_inside_the_block(base):
    (base / "front").mkdir()
    with access_folder(str(base), "./front/") as access:
        assert os.listdir(access.descriptor) == []
        assert (access.folder, access.exists, access.readable) == (f"{base}/front", True, True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(access.descriptor)


def test_several_folders_whose_names_read_alike_are_listed_byte_by_byte(base):
    for name in (normalize("NFD", "Tür").encode(), "Tür".encode("latin-1")):
        os.mkdir(os.fsencode(base) + b"/" + name)
    assert found(base, "Tür/x") == ("folder_ambiguous", True, False, False, "Tür")
    with access_folder(str(base), "Tür") as access:
        sentence = advice(access, str(base))
    assert f"read like {base}/Tür" in sentence
    assert "“$'Tu\\xcc\\x88r'” or “$'T\\xfcr'”" in sentence


def test_a_folder_that_may_be_meant_is_named_as_it_reads(base):
    os.mkdir(os.fsencode(base) + "/TÜR 1".encode("latin-1"))
    with access_folder(str(base), "tür-1") as access:
        assert "but there is “TÜR 1”." in advice(access, str(base))


def test_each_reason_why_a_folder_cannot_be_listed_has_its_code(base):
    (base / "front").mkdir()
    (base / "front/file").touch()
    (base / "link").symlink_to("front")
    missing = ("folder_missing", True, False, False)
    assert found(base, "side/deep") == (*missing, "side")
    assert found(base, "front/deep") == (*missing, "front/deep")
    assert found(base, "x" * 300) == (*missing, "x" * 300)
    assert found(base, "front/file/x") == ("not_a_folder", True, False, False, "front/file")
    assert found(base, "link/x") == ("link_on_the_way", False, None, None, "link")
    gone = base / "gone"
    assert found(gone, "front") == ("base_path_missing", True, None, None, str(gone))


def test_nothing_outside_the_base_path_is_opened(base, monkeypatch):
    opened = []
    really_open = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: opened.append(a[0]) or really_open(*a, **k))
    for path in ("/etc", "/etc/passwd", "/nonexistent", "../outside"):
        assert found(base, path)[:4] == ("outside_base", False, None, None)
    assert set(opened) <= {str(base)}


def test_a_folder_without_rights_is_not_reported_as_missing():
    with base_of_nobody() as base:
        for name in ("listed", "entered/below"):
            (base / name).mkdir(parents=True)
        (base / "listed").chmod(0o311)
        (base / "entered").chmod(0o600)
        with as_nobody():
            listed, below = found(base, "listed"), found(base, "entered/below")
        (base / "listed").chmod(0o700)
        (base / "entered").chmod(0o700)
    assert listed == ("not_readable", True, True, False, "listed")
    assert below == ("not_readable", True, None, False, "entered")


def test_a_disk_error_is_not_reported_as_a_missing_folder(base, monkeypatch):
    def fail(*_):
        raise safe_open.FolderNotFound(1, errno.EIO)

    monkeypatch.setattr(safe_open, "open_folder", fail)
    assert found(base, "front") == ("folder_unavailable", True, None, False, "front")


def test_folders_with_similar_names_are_suggested(base):
    for name in ("Front Door", "front-door", "frontdoors", "cams/Side_1", "FRONT.DOOR"):
        (base / name).mkdir(parents=True)
    (base / "front door").touch()
    with access_folder(str(base), "front_door/x") as access:
        assert access.similar == ("FRONT.DOOR", "Front Door", "front-door")
        assert "there is “FRONT.DOOR” or “Front Door”" in advice(access, str(base))
    with access_folder(str(base), "cams/side 1") as access:
        assert access.similar == ("cams/Side_1",)
    with access_folder(str(base), "garden") as access:
        assert access.similar == ()
        command = f"install -d -m 755 -o FTP_USER {base}/garden"
        assert command in advice(access, str(base))


def test_a_folder_has_one_canonical_path_however_it_is_written(base, tmp_path):
    (tmp_path / "linked").symlink_to(base)
    linked = str(tmp_path / "linked")
    paths = ["a/b", "./a//b/.", f"{linked}/a/b", f"{base}/a/b/", "x/../a/b", f"/{linked}/a/b"]
    assert {canonical_path(linked, path) for path in paths} == {f"{linked}/a/b"}
    assert canonical_path(linked, "/etc//x/") == "/etc/x"
    assert canonical_path(linked, ".") == canonical_path(linked, str(base)) == linked

"""Is a folder found whose name on the disk is in another encoding or normalisation?"""

import errno
import os
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.storage import safe_open
from app.storage.names import as_text, folders_that_read, normalised
from tests.unprivileged import as_nobody, base_of_nobody

NFC, NFD = normalize("NFC", "Küche é"), normalize("NFD", "Küche é")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"front", "front"),
        (NFC.encode(), NFC),
        (NFD.encode(), NFD),
        (NFC.encode("latin-1"), NFC),
        ("北门".encode("gbk"), "北门"),
        ("北门1".encode("gb18030"), "北门1"),
        # Four of eight bytes are not half of them and one more.
        ("北门1234".encode("gbk"), "±±ÃÅ1234"),
        (b"\xff", "ÿ"),
        (b"\xe9t\xe9", "été"),
        # A name that was cut off within a character.
        ("门门".encode("gbk")[:-1], "ÃÅÃ"),
    ],
)
def test_a_name_is_utf_8_else_gb18030_else_latin_1(data, text):
    assert as_text(os.fsdecode(data)) == text


@given(st.binary(min_size=1, max_size=20))
def test_every_name_has_a_text_that_utf_8_can_hold(data):
    as_text(os.fsdecode(data)).encode()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_text_reads_like_itself_in_every_normalisation(text):
    assert as_text(text) == text
    assert (
        normalised(normalize("NFD", text))
        == normalised(normalize("NFC", text))
        == normalised(text)
    )


def make(base, *components):
    """A folder of these names, as text in UTF-8 or as bytes."""
    path = os.path.join(os.fsencode(base), *map(os.fsencode, components))
    os.makedirs(path)
    return path


def opened(base, folder_path):
    """Which folder is opened, in bytes."""
    folder = safe_open.open_folder(str(base), folder_path)
    try:
        return os.fsencode(safe_open.real_path(folder))
    finally:
        os.close(folder)


@pytest.mark.parametrize("name", [NFC, NFD, NFC.encode("latin-1")])
@pytest.mark.parametrize("folder_path", [NFC, NFD])
def test_the_only_folder_that_reads_like_the_path_is_opened(base, name, folder_path):
    path = make(base, name)
    (base / "Kuche e").mkdir()
    assert opened(base, folder_path) == path
    assert opened(base, f"{base}/{folder_path}/.") == path


def test_each_component_may_have_an_encoding_of_its_own(base):
    path = make(base, "北门".encode("gbk"), "plain", NFC.encode("latin-1"), NFD)
    assert opened(base, f"北门/plain/{NFC}/{NFC}") == path


def test_a_name_too_long_in_utf_8_is_found_in_gbk(base):
    path = make(base, ("门" * 100).encode("gbk"))
    assert opened(base, "门" * 100) == path


def test_the_folder_named_by_exactly_these_bytes_comes_first(base):
    paths = {text: make(base, text) for text in (NFC, NFD)}
    make(base, NFC.encode("latin-1"))
    for text, path in paths.items():
        assert opened(base, text) == path


def test_several_folders_that_read_alike_are_not_found(base):
    for name in (NFD, NFC.encode("latin-1")):
        make(base, name, "1")
    for folder_path in (NFC, f"{NFC}/1"):
        with pytest.raises(safe_open.FolderNotFound) as raised:
            opened(base, folder_path)
        assert (raised.value.depth, raised.value.reason) == (0, errno.ENOTUNIQ)


def test_links_and_files_whose_names_read_alike_do_not_count(base, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (base / NFD).symlink_to(tmp_path / "elsewhere")
    os.close(os.open(os.fsencode(base) + b"/" + NFC.encode("latin-1"), os.O_CREAT))
    with pytest.raises(safe_open.FolderNotFound) as raised:
        opened(base, NFC)
    assert raised.value.reason == errno.ENOENT
    (base / NFC).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(safe_open.OutsideBase):
        opened(base, NFC)


def test_a_missing_folder_is_not_looked_for_where_its_name_is_ascii(base, monkeypatch):
    monkeypatch.setattr(os, "scandir", lambda _: 1 / 0)
    with pytest.raises(safe_open.FolderNotFound):
        opened(base, "missing")
    assert folders_that_read("missing", 0) == []


def test_where_the_parent_may_not_be_listed_the_exact_bytes_are_needed():
    with base_of_nobody() as base:
        os.makedirs(os.path.join(base, "above", NFD))
        os.chmod(os.path.join(base, "above"), 0o711)
        with as_nobody():
            assert opened(base, f"above/{NFD}")
            with pytest.raises(safe_open.FolderNotFound):
                opened(base, f"above/{NFC}")

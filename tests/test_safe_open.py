"""Does any path lead out of the base path, or make an open wait?"""

import errno
import os
import signal
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.storage import safe_open
from app.storage.safe_open import (
    NOT_ANSWERING,
    FileNotReadable,
    FolderNotFound,
    OutsideBase,
    OutsideFolder,
    StorageNotAnswering,
)

EXHAUSTED = [errno.EMFILE, errno.ENFILE, errno.ENOMEM]
PIECES = [
    *("front", "deep", "inner", "missing", "picture.jpg", "out", "in", "loop", "fifo"),
    *("", ".", "..", "...", " ", "~", "\\", "%2e%2e", "..;", "é", "\0", "\ud800", "x" * 300),
    *("proc", "self", "root", "fd", "cwd", "etc"),
]


@pytest.fixture(autouse=True)
def never_waits():
    """An open that blocks is interrupted, and the test fails."""

    def interrupt(*_):
        raise AssertionError("it blocks")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def outside(tmp_path):
    """A folder beside the base, with a picture that must never be seen."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "picture.jpg").write_bytes(b"secret")
    return folder


@pytest.fixture
def tree(base, outside):
    """A base with folders, a picture, and links that lead out, in and in circles."""
    (base / "front" / "deep" / "inner").mkdir(parents=True)
    (base / "front" / "picture.jpg").write_bytes(b"picture")
    (base / "out").symlink_to(outside)
    (base / "in").symlink_to("front")
    (base / "loop").symlink_to("loop")
    (base / "front" / "out").symlink_to(outside)
    (base / "front" / "in").symlink_to("deep")
    os.mkfifo(base / "fifo")
    return base


@pytest.fixture
def front(tree):
    """A descriptor of the folder ``front``."""
    folder = safe_open.open_folder(str(tree), "front")
    yield folder
    os.close(folder)


def opened(base, path):
    """Where ``path`` really leads to."""
    folder = safe_open.open_folder(str(base), str(path))
    try:
        return os.readlink(f"/proc/self/fd/{folder}")
    finally:
        os.close(folder)


def read(folder, *components):
    file = safe_open.open_file(folder, list(components))
    with os.fdopen(file, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("written", "really"),
    [
        ("front", "front"),
        ("front/deep/inner", "front/deep/inner"),
        ("front/", "front"),
        ("./front//deep/.", "front/deep"),
        ("front/deep/..", "front"),
        ("missing/../front", "front"),
        ("out/../front", "front"),
        (".", "."),
        ("", "."),
        ("front/..", "."),
    ],
)
def test_a_folder_is_named_relative_or_absolute(tree, written, really):
    assert opened(tree, written) == str(tree / really)
    assert opened(tree, f"{tree}/{written}") == str(tree / really)
    assert opened(tree, f"/{tree}//{written}") == str(tree / really)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "..", "../outside", "../base2", "front/../..", "/etc", "//etc"),
        *("/proc/self/root", "/proc/self/cwd", "../base/../outside", "../../../../../../etc"),
    ],
)
def test_a_path_outside_is_refused_whether_or_not_it_exists(tree, path):
    for existing in (path, f"{path}/", f"{path}/missing", f"{path}/../missing/x"):
        with pytest.raises(OutsideBase):
            safe_open.open_folder(str(tree), existing)


def test_paths_through_proc_are_outside(tree):
    for trick in ("/proc/self/root", "/proc/thread-self/root", "/dev/fd/../../proc/self/root"):
        with pytest.raises(OutsideBase):
            safe_open.open_folder(str(tree), f"{trick}{tree}/front")


def test_a_sibling_that_begins_like_the_base_is_outside(tree, tmp_path):
    (tmp_path / "base2").mkdir()
    with pytest.raises(OutsideBase):
        safe_open.open_folder(str(tree), f"{tree}2")


@pytest.mark.parametrize("link", ["out", "in", "loop", "front/out", "front/in"])
def test_no_link_is_followed_to_a_folder_wherever_it_leads(tree, link):
    for path in (link, f"{link}/", f"{link}/.", f"{link}/deep", f"{link}/missing", f"./{link}//"):
        for written in (path, f"{tree}/{path}"):
            with pytest.raises(OutsideBase):
                safe_open.open_folder(str(tree), written)


def test_a_dangling_link_gives_the_same_answer_as_any_link(tree):
    (tree / "dangling").symlink_to("/nowhere")
    with pytest.raises(OutsideBase):
        safe_open.open_folder(str(tree), "dangling")


def test_a_chain_of_links_is_not_followed(tree, outside):
    (tree / "link0").symlink_to(outside)
    for number in range(1, 41):
        (tree / f"link{number}").symlink_to(f"link{number - 1}")
    for number in (0, 1, 17, 39, 40):
        with pytest.raises(OutsideBase):
            safe_open.open_folder(str(tree), f"link{number}/deep")


@pytest.mark.parametrize("path", ["missing", "missing/x", "front/picture.jpg", "fifo", "x" * 300])
def test_a_file_or_nothing_inside_the_base_is_not_found(tree, path):
    for written in (path, f"{path}/", f"{path}/x"):
        with pytest.raises(FolderNotFound):
            safe_open.open_folder(str(tree), written)


def test_with_a_missing_base_folders_inside_are_not_found_and_others_outside(tmp_path):
    gone = str(tmp_path / "gone")
    for inside in ("", "front", gone):
        with pytest.raises(FolderNotFound):
            safe_open.open_folder(gone, inside)
    for outside in ("/etc", "..", str(tmp_path)):
        with pytest.raises(OutsideBase):
            safe_open.open_folder(gone, outside)


def test_a_base_that_is_a_link_may_be_named_by_the_link_or_its_target(tree, tmp_path):
    (tmp_path / "link").symlink_to("link2")
    (tmp_path / "link2").symlink_to(tree)
    for path in ("front", tmp_path / "link" / "front", tree / "front"):
        assert opened(tmp_path / "link", path) == str(tree / "front")
    assert opened(tmp_path / "link", tmp_path / "link") == str(tree)
    assert opened(tmp_path / "link", tree) == str(tree)
    for path in (tmp_path / "outside", tmp_path, tmp_path / "link" / "out", tree / "in"):
        with pytest.raises(OutsideBase):
            safe_open.open_folder(str(tmp_path / "link"), str(path))


def test_a_base_may_be_the_root(tree):
    assert opened("/", tree / "front") == str(tree / "front")
    with pytest.raises(OutsideBase):
        safe_open.open_folder("/", str(tree / "out"))
    with pytest.raises(OutsideBase):
        safe_open.open_folder("/", f"/proc/self/root{tree}/front")


def test_a_path_longer_than_the_kernel_takes_is_walked(tree):
    names = ["x" * 250] * 20
    reached = os.open(tree, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=reached)
        above, reached = reached, os.open(name, os.O_RDONLY, dir_fd=reached)
        os.close(above)
    os.symlink("/etc", "out", dir_fd=reached)
    wanted = os.fstat(reached)
    os.close(reached)
    folder = safe_open.open_folder(str(tree), "/".join(names))
    assert os.path.samestat(os.fstat(folder), wanted)
    os.close(folder)
    with pytest.raises(OutsideBase):
        safe_open.open_folder(str(tree), "/".join([*names, "out"]))
    with pytest.raises(OutsideBase):
        safe_open.open_folder(str(tree), "/".join([*names, *[".."] * 21]))


def test_a_folder_swapped_for_a_link_on_the_way_serves_nothing_from_outside(
    tree, outside, monkeypatch
):
    open_file = os.open

    def swap_then_open(path, *how, **where):
        if path == "deep":
            (tree / "front").rename(tree / "moved")
            (tree / "front").symlink_to(outside)
        return open_file(path, *how, **where)

    monkeypatch.setattr(os, "open", swap_then_open)
    assert opened(tree, "front/deep") == str(tree / "moved" / "deep")


def test_a_name_swapped_for_a_link_after_the_check_serves_nothing_from_outside(
    tree, front, outside
):
    (tree / "front").rename(tree / "moved")
    (tree / "front").symlink_to(outside)
    assert read(front, "picture.jpg") == b"picture"
    (tree / "moved" / "picture.jpg").unlink()
    (tree / "moved" / "picture.jpg").symlink_to(outside / "picture.jpg")
    with pytest.raises(OutsideFolder):
        safe_open.open_file(front, ["picture.jpg"])


def test_a_file_is_reached_below_its_folder(tree, front):
    (tree / "front" / "deep" / "inner" / "b.jpg").write_bytes(b"b")
    assert read(front, "picture.jpg") == b"picture"
    assert read(front, "deep", "inner", "b.jpg") == b"b"


@pytest.mark.parametrize(
    "components",
    [
        ["missing.jpg"],
        ["deep"],
        ["deep", "missing.jpg"],
        ["picture.jpg", "x.jpg"],
        ["picture.jpg", ""],
        ["fifo.jpg"],
        ["socket.jpg"],
        ["deep", "fifo.jpg"],
        ["a\0.jpg"],
        ["\ud800.jpg"],
        ["x" * 300],
        ["x" * 300, "y.jpg"],
        [""],
    ],
    ids=ascii,
)
def test_only_regular_files_are_opened(tree, front, components):
    (tree / "front" / "deep" / "a.jpg").write_bytes(b"a")
    os.mkfifo(tree / "front" / "fifo.jpg")
    os.mkfifo(tree / "front" / "deep" / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{front}/socket.jpg")
        with pytest.raises(FileNotReadable):
            safe_open.open_file(front, components)


@pytest.mark.parametrize(
    "components", [["out", "picture.jpg"], ["in", "a.jpg"], ["linked.jpg"], ["inside.jpg"]]
)
def test_no_link_is_followed_to_a_file(tree, front, outside, components):
    (tree / "front" / "deep" / "a.jpg").write_bytes(b"a")
    (tree / "front" / "linked.jpg").symlink_to(outside / "picture.jpg")
    (tree / "front" / "inside.jpg").symlink_to("picture.jpg")
    with pytest.raises(OutsideFolder):
        safe_open.open_file(front, components)


@pytest.mark.parametrize("number", NOT_ANSWERING)
@pytest.mark.parametrize("at", ["base", "front", "deep", "."])
def test_a_folder_whose_storage_fails_is_not_reported_missing(tree, monkeypatch, number, at):
    refuse_opening(monkeypatch, str(tree) if at == "base" else at, number)
    with pytest.raises(StorageNotAnswering):
        safe_open.open_folder(str(tree), "front/deep" if at != "front" else "front/deep/x")
    with pytest.raises(StorageNotAnswering if at == "base" else OutsideBase):
        safe_open.open_folder(str(tree), "/elsewhere")


@pytest.mark.parametrize("number", NOT_ANSWERING)
def test_a_file_whose_storage_fails_is_not_readable(front, monkeypatch, number):
    refuse_opening(monkeypatch, "picture.jpg", number)
    with pytest.raises(FileNotReadable):
        safe_open.open_file(front, ["picture.jpg"])


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_file_that_may_not_be_read_is_not_found(tree, front, monkeypatch, number):
    refuse_opening(monkeypatch, "deep", number)
    refuse_opening(monkeypatch, "picture.jpg", number)
    with pytest.raises(FolderNotFound):
        safe_open.open_folder(str(tree), "front/deep")
    with pytest.raises(FileNotReadable):
        safe_open.open_file(front, ["picture.jpg"])


@pytest.mark.parametrize("number", EXHAUSTED)
@pytest.mark.parametrize("at", ["base", "front", "deep", "."])
def test_without_descriptors_a_folder_is_not_reported_missing(tree, monkeypatch, number, at):
    """The last case opens every component of the path; a path of one component is opened alone."""
    refuse_opening(monkeypatch, str(tree) if at == "base" else at, number)
    with pytest.raises(OSError, match=os.strerror(number)):
        safe_open.open_folder(str(tree), "front" if at == "front" else "front/deep")


@pytest.mark.parametrize("number", EXHAUSTED)
def test_without_descriptors_a_file_is_not_reported_missing(front, monkeypatch, number):
    refuse_opening(monkeypatch, "picture.jpg", number)
    with pytest.raises(OSError, match=os.strerror(number)):
        safe_open.open_file(front, ["picture.jpg"])


def test_a_subfolder_is_opened_unless_it_is_a_link(tree, front):
    os.close(safe_open.open_below(front, ["deep"]))
    for link in ("in", "out"):
        with pytest.raises(OutsideBase):
            safe_open.open_below(front, [link])
    for missing in ("missing", "picture.jpg"):
        with pytest.raises(FolderNotFound):
            safe_open.open_below(front, [missing])


def test_no_descriptor_is_passed_on_to_another_program(tree, front):
    file = safe_open.open_file(front, ["picture.jpg"])
    assert not os.get_inheritable(file)
    assert not os.get_inheritable(front)
    os.close(file)


@settings(max_examples=5 * settings.default.max_examples)
@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=8),
    start=st.sampled_from(["", "/", "//", "{base}", "{base}/", "/proc/self/root{base}/"]),
)
@example(pieces=["out", "..", "outside"], start="")
@example(pieces=["in", "deep"], start="{base}/")
@example(pieces=["..", "outside"], start="")
def test_no_generated_path_leads_out_of_the_base(tree, pieces, start):
    path = start.replace("{base}", str(tree)) + "/".join(pieces)
    try:
        reached = opened(tree, path)
    except (OutsideBase, FolderNotFound):
        return
    assert reached == str(tree) or reached.startswith(f"{tree}/")
    assert reached == safe_open.normalise(str(tree), path)


@pytest.mark.parametrize(
    ("folder_path", "depth", "reason"),
    [
        ("missing/x", 0, errno.ENOENT),
        ("front/missing", 1, errno.ENOENT),
        ("front/deep/missing/x", 2, errno.ENOENT),
        ("front/picture.jpg", 1, errno.ENOTDIR),
        ("front/a\0", 1, errno.ENOENT),
    ],
    ids=ascii,
)
def test_the_error_says_how_many_components_were_passed(tree, folder_path, depth, reason):
    with pytest.raises(FolderNotFound) as refused:
        safe_open.open_folder(str(tree), folder_path)
    assert (refused.value.depth, refused.value.reason) == (depth, reason)


def test_the_error_says_where_the_link_is(tree, base, monkeypatch):
    for folder_path, depth in (("out", 0), ("front/in/inner", 1), ("/etc", None)):
        with pytest.raises(OutsideBase) as outside:
            safe_open.open_folder(str(tree), folder_path)
        assert outside.value.depth == depth
    with pytest.raises(FolderNotFound) as missing:
        safe_open.open_folder(str(base / "gone"), "front")
    assert (missing.value.depth, missing.value.reason) == (-1, errno.ENOENT)
    refuse_opening(monkeypatch, ".", errno.EACCES)
    with pytest.raises(FolderNotFound) as closed:
        safe_open.open_folder(str(tree), "front/deep")
    assert (closed.value.depth, closed.value.reason) == (2, errno.EACCES)


@given(st.text(), st.text())
def test_different_spellings_of_a_folder_are_normalised_to_one(name, other):
    plain = safe_open.normalise("/b", f"x{name}")
    assert safe_open.normalise("/b", f"./x{name}//.") == plain
    assert safe_open.normalise("/b", f"//b/x{name}/") == plain
    assert safe_open.normalise("/b", f"y{other.replace('/', '')}/../x{name}") == plain


def refuse_opening(monkeypatch, name, number):
    """Opening exactly ``name`` fails with ``number`` from now on."""
    really_open = os.open

    def refuse(path, *args, **kwargs):
        if path == name:
            raise OSError(number, os.strerror(number))
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)

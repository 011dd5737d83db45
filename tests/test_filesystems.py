"""Which mount holds a path, by the text of /proc/self/mountinfo, and how is a change noticed?"""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.storage import filesystems
from app.storage.filesystems import Mounts, MountTable
from tests.mounts import mounted, needs_mount

TABLE = r"""20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw - proc proc rw
22 20 0:30 / /srv/nas rw shared:7 master:2 - nfs4 nas:/x rw
23 22 0:31 / /srv/nas/fast rw - tmpfs tmpfs rw
24 20 0:32 / /srv/two\040words\134x rw - vboxsf share rw
25 20 0:33 / /srv/stacked rw - ext4 /dev/sdb1 rw
26 25 0:34 / /srv/stacked rw - fuse.sshfs host: rw
27 20 0:35 / /srv/hidden/below rw - cifs //nas/x rw
28 20 8:2 / /srv/hidden rw - xfs /dev/sdc1 rw
29 20 8:1 /bound /srv/bound rw - ext4 /dev/sda1 rw
"""


def kind(path: str, text: str = TABLE) -> str:
    return MountTable(text).way(path)[-1].kind


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "ext4"),
        ("/srv", "ext4"),
        ("/srv/nas", "nfs4"),
        ("/srv/nas/cameras/front", "nfs4"),
        ("/srv/nasty", "ext4"),
        ("/srv/nas/fast/front", "tmpfs"),
        ("/srv/two words\\x/front", "vboxsf"),
        ("/srv/stacked/front", "fuse.sshfs"),
        ("/srv/hidden/below/front", "xfs"),
        ("/srv/bound", "ext4"),
    ],
)
def test_a_path_lies_on_the_mount_that_a_lookup_reaches(path, expected):
    assert kind(path) == expected


def test_in_a_chroot_that_is_no_mount_point_the_file_system_is_unknown():
    text = "21 20 0:5 / /proc rw - proc proc rw\n"
    assert not MountTable(text).way("/srv/front")[-1].is_local
    assert kind("/proc/self", text) == "proc"


def test_mounts_below_a_folder_are_found_but_not_hidden_ones():
    below = [mount.point for mount in MountTable(TABLE).around("/srv")[1:]]
    assert below == [
        *("/srv/nas", "/srv/nas/fast", "/srv/two words\\x"),
        *("/srv/stacked", "/srv/hidden", "/srv/bound"),
    ]


LOCAL = "ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs tmpfs overlay vfat exfat ntfs3"
OTHERS = (
    "fuse fuseblk fuse.sshfs fuse.bindfs nfs nfs4 cifs smb3 9p virtiofs vboxsf hgfs "
    "fuse.vmhgfs-fuse prl_fs ceph glusterfs afs lustre autofs ecryptfs ramfs iso9660 proc newfs"
)


@pytest.mark.parametrize("name", LOCAL.split())
def test_changes_on_a_known_local_file_system_are_trusted(name):
    assert MountTable(f"1 0 8:1 / / rw - {name} x rw").way("/srv")[-1].is_local


@pytest.mark.parametrize("name", OTHERS.split())
def test_changes_on_any_other_file_system_are_not_trusted(name):
    assert not MountTable(f"1 0 8:1 / / rw - {name} x rw").way("/srv")[-1].is_local


def test_links_on_the_way_are_resolved(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    os.symlink("real/deep", tmp_path / "relative")
    os.symlink(tmp_path / "relative", tmp_path / "absolute")
    os.symlink("loop", tmp_path / "loop")
    table = filesystems.mounts.table()
    assert table.without_links(f"{tmp_path}/absolute/x/") == f"{tmp_path}/real/deep/x"
    assert table.without_links(f"{tmp_path}/relative/../y") == f"{tmp_path}/real/y"
    assert table.without_links("/../") == "/"
    assert table.without_links(f"{tmp_path}/loop/z") == f"{tmp_path}/loop/z"


def test_links_on_a_file_system_that_may_hang_are_not_read(tmp_path):
    os.symlink("/", tmp_path / "link")
    table = MountTable(f"1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / {tmp_path} rw - nfs nas:/ rw")
    assert table.without_links(f"{tmp_path}/link/x") == f"{tmp_path}/link/x"


def test_without_proc_every_file_system_is_unknown(monkeypatch):
    monkeypatch.setattr(filesystems, "MOUNTS", ("/nowhere", "mountinfo"))
    assert not filesystems.mount_of("/tmp").is_local


@needs_mount
def test_a_mount_and_an_unmount_are_noticed_at_once(tmp_path):
    known = Mounts()
    # More than once, because other tests may mount something at that moment.
    assert any(known.table() is known.table() for _ in range(10))
    with mounted(tmp_path, "-t", "tmpfs", "nvr"):
        assert known.table().way(str(tmp_path))[-1].point == str(tmp_path)
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
    assert known.table().way(str(tmp_path))[-1].point != str(tmp_path)
    known.close()


def test_threads_that_ask_first_at_the_same_time_all_get_the_table(monkeypatch):
    table = MountTable

    def read_slowly(text):
        time.sleep(0.1)
        return table(text)

    known = Mounts()
    monkeypatch.setattr(filesystems, "MountTable", read_slowly)
    with ThreadPoolExecutor(4) as pool:
        tables = [future.result() for future in [pool.submit(known.table) for _ in range(4)]]
    known.close()
    assert all(each.mounts for each in tables)

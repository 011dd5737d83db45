"""Can a folder change without this machine's kernel knowing? Its file system tells."""

import ctypes

# Changes made on another machine raise no event here: statfs(2), linux/magic.h.
REMOTE = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x65735546: "FUSE",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x0BD00BD0: "Lustre",
}


def remote_kind(folder: int) -> str | None:
    """What the network file system that holds the descriptor is called; None on a local one."""
    return REMOTE.get(filesystem_type(folder))


def filesystem_type(folder: int) -> int:
    """The magic number of the file system, the first field of what fstatfs(2) fills in."""
    buffer = (ctypes.c_long * 64)()
    if ctypes.CDLL(None).fstatfs(folder, buffer) != 0:
        return 0
    return buffer[0] & 0xFFFFFFFF

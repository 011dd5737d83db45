"""Which files are in the cameras' folders?"""

import os
import time
from pathlib import Path

NEWEST_BYTES = 200 * 1024
LARGE_BYTES = 2 * 1024 * 1024
OTHER_BYTES = 128
LARGE = "snap_0.jpg"


def fill(base: Path, folders: dict[int, str]) -> None:
    """Make each folder with its number of files that look like JPEG; ``snap_0.jpg`` is the newest.

    Only the newest has the size of a picture, because no server reads the others.
    """
    for files, name in folders.items():
        folder = base / name
        folder.mkdir(parents=True)
        for number in range(files):
            file = folder / f"snap_{number}.jpg"
            newest = LARGE_BYTES if files == 1 else NEWEST_BYTES
            file.write_bytes(_jpeg(OTHER_BYTES if number else newest))
            moment = time.time() - 60 - number
            os.utime(file, (moment, moment))


def _jpeg(size: int) -> bytes:
    return b"\xff\xd8\xff\0" + os.urandom(size - 6) + b"\xff\xd9"

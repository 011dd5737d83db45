"""Real pictures, made by Pillow."""

import io
import os
from functools import cache
from pathlib import Path

from PIL import Image

# 2025-12-23, 03:12:00 UTC, in seconds since the epoch.
NIGHT = 1766459520
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".gif": "GIF"}


@cache
def picture(suffix: str = ".jpg", shade: int = 0, size: tuple[int, int] = (320, 240)) -> bytes:
    """The bytes of a picture of one format; another ``shade`` (0 to 255) is another picture."""
    gradient = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (gradient, gradient.rotate(90), Image.new("L", size, shade)))
    out = io.BytesIO()
    image.save(out, FORMATS[suffix])
    return out.getvalue()


def put(path: Path, data: bytes, age: float = 0, now: float | None = None) -> Path:
    """Write ``data`` to ``path``, last changed ``age`` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if age or now is not None:
        moment = (now if now is not None else path.stat().st_mtime) - age
        os.utime(path, (moment, moment))
    return path


def upload(
    base: Path,
    name: str,
    taken: int = NIGHT,
    data: bytes = b"\xff\xd8\xff picture",
    folder: str = "front",
) -> Path:
    """Write a file into a camera's folder, with the time at which it was taken."""
    return put(base / folder / name, data, now=taken)


def etag_of(path: Path) -> str:
    """The strong ETag of the file as it is now, without quotes."""
    status = path.stat()
    times = f"{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"
    return f"{status.st_ino:x}-{status.st_size:x}-{times}"

"""Real pictures, made by Pillow."""

import io
import os
from functools import cache
from pathlib import Path

from PIL import Image

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


def etag_of(path: Path) -> str:
    """The strong ETag of the file as it is now, without quotes."""
    status = path.stat()
    times = f"{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"
    return f"{status.st_ino:x}-{status.st_size:x}-{times}"

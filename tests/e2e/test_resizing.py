"""How much memory does the worst picture take that the real service makes smaller?"""

import io
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from PIL import Image

from tests.e2e.process import peak_mib
from tests.e2e.test_liveness import register
from tests.pictures import picture, put

# More than the service needs before it resizes its first picture.
MOST_MIB = 150
# How long a client retries while the service asks it to, in seconds.
PATIENCE_SECONDS = 60
# The most that the service serves. What trails behind a JPEG's end belongs to the file.
FILE_BYTES = 16 * 1024 * 1024 - 1


def jpeg(mode: str, width: int, height: int, progressive: bool) -> bytes:
    """A JPEG of one colour without subsampling."""
    out = io.BytesIO()
    form = {"progressive": progressive, "subsampling": 0, "quality": 50}
    Image.new(mode, (width, height)).save(out, "JPEG", **form)
    return out.getvalue()


def gif(width: int, height: int) -> bytes:
    """A GIF of several transparent frames."""
    frames = [Image.new("P", (width, height), n % 2) for n in range(5)]
    out = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "disposal": 2, "transparency": 1}
    frames[0].save(out, "GIF", **more)
    return out.getvalue()


def png(width: int, height: int, *, bits: int, colour: int, interlaced: bool = False) -> bytes:
    """A PNG of zeros. ``colour``: 2 for RGB, 4 for grey and 6 for RGB with alpha."""
    pixel_bytes = {2: 3, 4: 2, 6: 4}[colour] * bits // 8
    # The passes of Adam7: the first column and row, and the distance to the next.
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    packer, packed = zlib.compressobj(1), b""
    for left, top, across, down in passes:
        row = bytes(1 + pixel_bytes * -(-(width - left) // across))
        for _ in range(top, height, down):
            packed += packer.compress(row)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = (b"IHDR", header), (b"IDAT", packed + packer.flush()), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


# The largest of each kind that is decoded at all, and others that were expensive.
WORST = {
    "two 4K pictures side by side": lambda: png(7680, 2160, bits=8, colour=2),
    "alpha": lambda: png(3800, 3800, bits=8, colour=6),
    "16 bits, alpha, interlaced": lambda: png(3800, 3800, bits=16, colour=6, interlaced=True),
    "16 bits, grey, alpha": lambda: png(3800, 3800, bits=16, colour=4),
    "one pixel wide": lambda: png(1, 65_535, bits=8, colour=6),
    "four colours, progressive": lambda: jpeg("CMYK", 3120, 3120, True).ljust(FILE_BYTES, b"\0"),
    "progressive": lambda: jpeg("RGB", 3420, 3420, True),
    "large, progressive": lambda: jpeg("RGB", 4120, 4120, True),
    "wide, progressive": lambda: jpeg("RGB", 65_500, 259, True),
    "four colours": lambda: jpeg("CMYK", 4120, 4120, False),
    "frames": lambda: gif(3800, 3800),
}


def fetch(url: str, **query: int) -> requests.Response:
    """The answer, after more attempts where it is a 503 with Retry-After, as a client would do."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = requests.get(url, params=query)
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            return answer
        assert time.monotonic() < deadline, answer.text
        time.sleep(float(answer.headers["Retry-After"]))


@pytest.mark.slow
def test_no_picture_takes_more_than_150_mib_to_resize(server):
    urls = []
    for name, make in (WORST | {"small": picture}).items():
        suffix = "png" if "bits" in name else "gif" if name == "frames" else "jpg"
        put(server.base / name / f"a.{suffix}", make())
        urls.append(f"{server.url}{register(server, name)}/snapshot")
    assert fetch(urls.pop(), width=16).status_code == 200
    before, statuses = peak_mib(server.process.pid), []
    for url in urls:
        for width in (2160, 2060, 64):
            answer = fetch(url, width=width)
            assert answer.status_code in (200, 422), answer.text
            statuses.append(answer.status_code)
        assert peak_mib(server.process.pid) - before <= MOST_MIB, url
    assert statuses.count(200) >= 25, statuses


@pytest.mark.slow
def test_pictures_that_are_resized_at_once_take_the_memory_of_one(server):
    """But for their files, which are read before."""
    names = [f"camera {number}" for number in range(8)]
    for name in names:
        put(server.base / name / "a.png", WORST["alpha"]())
    urls = [f"{server.url}{register(server, name)}/snapshot?width=2160" for name in names]
    put(server.base / "small" / "a.jpg", picture())
    assert fetch(f"{server.url}{register(server, 'small')}/snapshot", width=16).status_code == 200
    before = peak_mib(server.process.pid)
    with ThreadPoolExecutor(len(urls)) as pool:
        answers = list(pool.map(fetch, urls))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert peak_mib(server.process.pid) - before <= MOST_MIB

"""Random operations on an upload folder, like those of cameras, FTP servers and people.

Three things are left out, because inotify reports them to nobody who watches only folders:
link(2) from a watched name to one that is not watched, hiding the second name before the first
query after link(2), and writing on through a descriptor whose name was deleted while the file
has another one (inotify(7) names the event after the descriptor's own name, which is gone).
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

from tests.inotify import queue_length
from tests.renames import exchange

NAMES = (
    *("a.jpg", "b.JPG", "c.png", "d.gif", "e.jpeg", ".hidden.jpg", "note.txt", "f.jpg"),
    *("a.mp4", "g.TS"),
)
FOLDERS = ("", "20251223", "20251223/12", "20251224", ".tmp", "#recycle", "x.jpg")
BYTES = (b"", b"\xff\xd8\xff", b"GIF89a" * 50)
HOURS = (-40, -3, -1, 0, 0, 0, 2, 30)
# One operation of this many makes more changes than the kernel queues.
OVERFLOW_EVERY = 1000
REFUSED = " refused"


class Uploads:
    """Applies random operations to ``root``, without using the index."""

    def __init__(self, root: Path, outside: Path, seed: int, now: float) -> None:
        self.root, self.outside, self.now = root, outside, now
        self.random = random.Random(seed)
        self.open: list = []
        # By how many seconds the box's clock is ahead of that of the kernel, which sets ctime, and
        # how many have passed that the kernel knows nothing of.
        self.clock_ahead = self.passed = 0
        # The inodes of files that were written to and never closed.
        self.truncated: set[int] = set()
        self.operations: list[Callable[[], None]] = [
            *[self.write] * 4,
            *[self.write_in_chunks] * 3,
            *[self.close] * 3,
            *[self.rename] * 4,
            *[self.delete] * 3,
            *[self.touch] * 4,
            *[self.make_folder] * 2,
            *[self.set_clock] * 2,
            self.let_time_pass,
            *(self.truncate, self.swap, self.symlink, self.hard_link, self.temporary_file),
            *(self.forget_link, self.move_link_out),
            *(self.remove_folder, self.move_folder, self.move_out_and_in, self.chmod),
            *(self.swap_folders, self.exchange, self.link_folder, self.unlink_folder),
            *(self.move_root, *[self.bring_root_back] * 3),
        ]

    def step(self) -> str:
        """Do one operation that the system allows; returns its name."""
        operation = self.random.choice(self.operations)
        if self.random.randrange(OVERFLOW_EVERY) == 0:
            operation = self.overflow
        try:
            operation()
        except OSError:
            return operation.__name__ + REFUSED
        return operation.__name__

    def some(self) -> list[str]:
        """Do one or a few operations; a new hard link is the last of them."""
        names: list[str] = []
        for _ in range(self.random.choice((1, 1, 1, 3, 20))):
            names.append(self.step())
            if names[-1] == "hard_link":
                break
        return names

    def end(self) -> None:
        """Close what is still open."""
        for file in self.open:
            file.close()
        self.open.clear()

    def may_grow(self, path: str) -> bool:
        """Whether the file is open for writing, or was not closed after writing."""
        held = {os.fstat(file.fileno()).st_ino for file in self.open}
        return (self.root / path).stat().st_ino in held | self.truncated

    def path(self) -> Path:
        return self.root / self.random.choice(FOLDERS) / self.random.choice(NAMES)

    def folder(self) -> Path:
        return self.root / self.random.choice(FOLDERS[1:])

    def write(self) -> None:
        self.path().write_bytes(self.random.choice(BYTES))

    def write_in_chunks(self) -> None:
        if len(self.open) < 4:
            file = self.path().open("ab", buffering=0)
            if os.fstat(file.fileno()).st_nlink > 1:
                file.close()
                return
            self.open.append(file)
        self.random.choice(self.open).write(self.random.choice(BYTES))

    def close(self) -> None:
        if self.open:
            self.open.pop(self.random.randrange(len(self.open))).close()

    def rename(self) -> None:
        self.path().rename(self.path())

    def delete(self) -> None:
        self.path().unlink()

    def touch(self) -> None:
        moment = self.now + 3600 * self.random.choice(HOURS) + self.random.randrange(5)
        os.utime(self.path(), (moment, moment), follow_symlinks=False)

    def set_clock(self) -> None:
        """By a clock that is behind, a file that was just written lies in the future."""
        self.clock_ahead = 3600 * self.random.choice((0, 0, 2, -2))

    def let_time_pass(self) -> None:
        """Without setting the clock."""
        seconds = self.random.choice((1, 9, 1200, 3600))
        self.clock_ahead += seconds
        self.passed += seconds

    def truncate(self) -> None:
        path = self.path()
        os.truncate(path, self.random.randrange(9))
        self.truncated.add(path.stat().st_ino)

    def swap(self) -> None:
        take_turns(self.path(), self.path(), self.root / ".aside")

    def swap_folders(self) -> None:
        take_turns(self.folder(), self.folder(), self.root / ".aside")

    def exchange(self) -> None:
        """Exchange two folders, or a folder and a file, in one step."""
        exchange(self.folder(), self.random.choice((self.folder(), self.path())))

    def overflow(self) -> None:
        """Equal events that follow each other are one; these take turns."""
        touched = self.root / "a.jpg", self.root / "f.jpg"
        for path in touched:
            path.write_bytes(self.random.choice(BYTES))
        for number in range(queue_length() + 10):
            os.utime(touched[number % 2], (self.now, self.now), follow_symlinks=False)
        self.write()

    def symlink(self) -> None:
        self.path().symlink_to(self.random.choice((self.outside, self.root / "a.jpg")))

    def hard_link(self) -> None:
        """Within what was left out: see above."""
        new = self.root / self.random.choice(("a.jpg", "20251223/c.png", "20251224/f.jpg"))
        if new.parent.is_symlink() or self.root.is_symlink():
            return
        self.end()
        os.link(self.random.choice((self.path(), self.outside / "far.jpg")), new)

    def move_link_out(self) -> None:
        self.path().rename(self.outside / "far.jpg")

    def forget_link(self) -> None:
        (self.outside / "far.jpg").unlink()

    def temporary_file(self) -> None:
        parent = self.path().parent
        file = os.open(parent, os.O_TMPFILE | os.O_WRONLY)
        try:
            os.write(file, b"GIF89a")
            os.link(f"/proc/self/fd/{file}", parent / "t.jpg", follow_symlinks=True)
        finally:
            os.close(file)

    def make_folder(self) -> None:
        self.folder().mkdir(parents=True)

    def remove_folder(self) -> None:
        self.folder().rmdir()

    def move_folder(self) -> None:
        self.folder().rename(self.folder())

    def move_out_and_in(self) -> None:
        away = self.outside / "away"
        (away if away.exists() else self.folder()).rename(self.folder() if away.exists() else away)

    def chmod(self) -> None:
        (self.path() if self.random.random() < 0.5 else self.folder()).chmod(
            self.random.choice((0o644, 0o755, 0o700))
        )

    def link_folder(self) -> None:
        """Replace a folder by a link to one outside."""
        folder = self.folder()
        folder.rename(self.outside / f"was{self.random.randrange(10**9)}")
        folder.symlink_to(self.outside)

    def unlink_folder(self) -> None:
        self.folder().unlink()

    def move_root(self) -> None:
        """Replace the camera's folder by nothing, a new folder, the one from before, or a link to
        the folder itself."""
        away, link = self.outside / "root", self.root
        if away.exists() and not link.is_symlink():
            take_turns(self.root, away, self.outside / "aside")
            return
        self.root.rename(away)
        self.random.choice((lambda: None, link.mkdir, lambda: link.symlink_to(away)))()

    def bring_root_back(self) -> None:
        if self.root.is_symlink():
            self.root.unlink()
        if not self.root.exists():
            (self.outside / "root").rename(self.root)


def take_turns(one: Path, other: Path, aside: Path) -> None:
    """Exchange the names of two files; if that is impossible, both keep theirs."""
    one.rename(aside)
    try:
        other.rename(one)
    except OSError:
        aside.rename(one)
        raise
    aside.rename(other)

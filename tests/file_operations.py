"""Random operations on a folder of uploads, as cameras, FTP servers and people do them."""

import os
import random
from collections.abc import Callable
from pathlib import Path

NAMES = ("a.jpg", "b.JPG", "c.png", "d.gif", "e.jpeg", ".hidden.jpg", "note.txt", "f.jpg")
FOLDERS = ("", "20251223", "20251223/12", "20251224", ".tmp", "x.jpg")
BYTES = (b"", b"\xff\xd8\xff", b"GIF89a" * 50)
HOURS = (-40, -1, 0, 0, 0, 23, 30)


class Uploads:
    """Applies one random operation after the other below ``root``; knows no index."""

    def __init__(self, root: Path, outside: Path, seed: int, now: float) -> None:
        self.root, self.outside, self.now = root, outside, now
        self.random = random.Random(seed)
        self.open: list = []
        self.operations: list[Callable[[], None]] = [
            *[self.write] * 4,
            *[self.write_in_chunks] * 3,
            *[self.close] * 3,
            *[self.rename] * 4,
            *[self.delete] * 3,
            *[self.touch] * 4,
            *[self.make_folder] * 2,
            *(self.truncate, self.swap, self.symlink, self.hard_link, self.temporary_file),
            *(self.forget_link, self.move_link_out),
            *(self.remove_folder, self.move_folder, self.move_out_and_in, self.chmod),
        ]

    def step(self) -> str:
        """One operation; its name. What the system refuses is no operation."""
        operation = self.random.choice(self.operations)
        try:
            operation()
        except OSError:
            return f"{operation.__name__} refused"
        return operation.__name__

    def some(self) -> list[str]:
        """One or a few operations before the next question; none comes after a new hard link."""
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

    def truncate(self) -> None:
        os.truncate(self.path(), self.random.randrange(9))

    def swap(self) -> None:
        one, other, aside = self.path(), self.path(), self.root / ".aside"
        one.rename(aside)
        try:
            other.rename(one)
        finally:
            aside.rename(other)

    def symlink(self) -> None:
        self.path().symlink_to(self.random.choice((self.outside, self.root / "a.jpg")))

    def hard_link(self) -> None:
        """Its new name is one that is watched, for link(2) tells the watchers of no other folder;
        for the same reason `some` asks before anything hides that name, and nobody writes on
        through a descriptor that was opened under one of two names."""
        new = self.root / self.random.choice(("a.jpg", "20251223/c.png", "20251224/f.jpg"))
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

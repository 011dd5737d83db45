"""Which pictures and clips of a camera match, page by page? By the table and unwritten changes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .. import clock
from ..models import NotFound, Row
from ..models.keyset import cursor_signer, read_cursor
from ..models.picture_folders import TOTALS
from ..models.pictures import IndexedPicture, Key, Picture
from ..models.uploads import count_changed
from ..storage.names import as_text
from .camera_index import CameraIndex
from .files import content_type, id_of, parse_id
from .overlay import Corrections

KINDS = ("picture", "clip")
# How many rows are in memory when all are read.
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """Which pictures are listed, in which order; None is any.

    ``start_us``: not before; ``end_us``: before, clips before ``clips_end_us`` where that is
    given; ``kind``: of `KINDS`.
    """

    start_us: int | None = None
    end_us: int | None = None
    kind: str | None = None
    kept: bool | None = None
    newest_first: bool = True
    clips_end_us: int | None = None

    @property
    def kinds(self) -> Sequence[bool]:
        """The kinds that are listed: False for pictures, True for clips."""
        return (False, True) if self.kind is None else (self.kind == KINDS[True],)

    def given(self, is_clip: bool) -> Row:
        """The bounds and marks that the row of a clip, or of a picture, must have."""
        end_us = self._end_us(is_clip)
        values = {"start_us": self.start_us, "end_us": end_us, "kept": self.kept}
        return {name: value for name, value in values.items() if value is not None}

    def match(self, row: IndexedPicture) -> bool:
        """Whether the row is listed."""
        end_us = self._end_us(row.is_clip)
        return (
            row.is_clip in self.kinds
            and (self.start_us is None or row.taken_us >= self.start_us)
            and (end_us is None or row.taken_us < end_us)
            and self.kept in (None, row.kept)
        )

    def _end_us(self, is_clip: bool) -> int | None:
        return self.clips_end_us if is_clip and self.clips_end_us is not None else self.end_us


class Page(NamedTuple):
    """Rows in the order of the list, and the cursors of the pages after and before it."""

    rows: list[IndexedPicture]
    next_cursor: str | None
    previous_cursor: str | None


class Listing:
    """The pictures of one camera, for one response. Reads only the index."""

    def __init__(self, index: CameraIndex) -> None:
        self._index, self.state = index, index.state
        self._camera_id = index.lookups.finder.camera_id

    def page(
        self, filters: Filters, limit: int, cursor: str | None = None, around: int | None = None
    ) -> Page:
        """At most ``limit`` rows: those of the cursor, or those from the row nearest to ``around``
        on (of two, the older), or the first ones. Raises `BadCursor`.
        """
        signer = cursor_signer(f"pictures {self._camera_id} {filters}")
        is_backwards, key = False, None
        if cursor is not None:
            is_backwards, taken_us, tag = read_cursor(signer, cursor)
            key = taken_us, bytes.fromhex(tag)
        elif around is not None:
            key = self._before_nearest(filters, around)
        rows = self._rows(filters, key, limit, filters.newest_first != is_backwards)
        if not rows:
            return Page([], None, None)
        rows = rows[::-1] if is_backwards else rows

        def cursor_at(row: IndexedPicture, is_backwards: bool) -> str | None:
            if not self._rows(filters, row.key, 1, filters.newest_first != is_backwards):
                return None
            return str(signer.dumps([is_backwards, row.taken_us, row.tag.hex()]))

        return Page(rows, cursor_at(rows[-1], False), cursor_at(rows[0], True))

    def count(self, filters: Filters) -> int:
        """How many rows match; without bounds and marks that is stored, not counted."""
        with self.state() as (row, corrections):
            kinds = filters.kinds
            return sum(self._count(filters, row, corrections, is_clip) for is_clip in kinds)

    def count_changed(self, before_us: int) -> int:
        """How many files last changed before a time, by their ctime."""
        with self.state() as (row, corrections):
            changes = sum(
                sign * (each.changed_us < before_us)
                for rows, sign in ((corrections.added, 1), (corrections.removed, -1))
                for each in rows
            )
            return changes + (count_changed(row["id"], before_us) if row["id"] else 0)

    def totals(self) -> Row:
        """``pictures``, ``picture_bytes``, ``clips`` and ``clip_bytes`` of the camera."""
        with self.state() as (row, corrections):
            return {name: row[name] + corrections.totals.get(name, 0) for name in TOTALS}

    def find(self, picture_id: str) -> IndexedPicture:
        """The row of this id; raises `NotFound`."""
        facts = parse_id(picture_id)
        if facts is None:
            raise NotFound("picture")
        with self.state() as (camera, corrections):
            for row in corrections.added:
                if row.tag == facts.tag and id_of(row) == picture_id:
                    return row
            found = Picture.tagged(camera["id"], *facts)
        if found is None or (found.is_clip, found.key) in corrections.hidden:
            raise NotFound("picture")
        return found

    def at(self, paths: Iterable[str]) -> dict[str, IndexedPicture]:
        """The rows of the files at these paths below the camera's folder that are listed."""
        folders: dict[str, list[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(name)
        overlay, found = self._index.lookups.overlay, []
        with self.state() as (camera, _):
            for folder, names in folders.items():
                changes = overlay.changes_in(folder)
                rows = {row.name: row for row in Picture.named(camera["id"], folder, names)}
                found += [changes[n].now if n in changes else rows.get(n) for n in names]
        return {row.path: row for row in found if row is not None}

    def first(self, filters: Filters, limit: int) -> list[IndexedPicture]:
        """The first rows that match, in the order of the list."""
        return self._rows(filters, None, limit, filters.newest_first)

    def iterate(self, filters: Filters) -> Iterator[IndexedPicture]:
        """All rows that match; only some are in memory at a time."""
        for rows in self.parts(filters, ROWS_AT_ONCE):
            yield from rows

    def parts(self, filters: Filters, rows_at_once: int) -> Iterator[list[IndexedPicture]]:
        """All rows that match, in lists of at most ``rows_at_once``."""
        key: Key | None = None
        while rows := self._rows(filters, key, rows_at_once, filters.newest_first):
            yield rows
            key = rows[-1].key

    def _count(self, filters: Filters, row: Row, corrections: Corrections, is_clip: bool) -> int:
        changes = sum(
            sign * (each.is_clip == is_clip and filters.match(each))
            for rows, sign in ((corrections.added, 1), (corrections.removed, -1))
            for each in rows
        )
        given = filters.given(is_clip)
        if not given:
            return int(row["clips" if is_clip else "pictures"]) + changes
        number = row["id"]
        return changes + (Picture.count_of(number, is_clip, given) if number else 0)

    def _before_nearest(self, filters: Filters, around: int) -> Key | None:
        """The key after which a page around a moment begins, in the order of the list."""
        older = self._rows(filters, (around + 1, b""), 1, newest_first=True)
        newer = self._rows(filters, (around + 1, b""), 1, newest_first=False)
        nearest = [row.taken_us for row in (*older, *newer)]
        if not nearest:
            return None
        moment = min(nearest, key=lambda taken_us: abs(taken_us - around))
        return (moment + 1, b"") if filters.newest_first else (moment, b"")

    def _rows(
        self, filters: Filters, beyond: Key | None, limit: int, newest_first: bool
    ) -> list[IndexedPicture]:
        """The next rows in an order, from the table and from unwritten changes."""
        with self.state() as (row, corrections):
            found = [
                added
                for added in corrections.added
                if filters.match(added)
                and added.key != beyond
                and (beyond is None or (added.key < beyond) == newest_first)
            ]
            for is_clip in filters.kinds if row["id"] else ():
                of_kind = row["id"], is_clip, filters.given(is_clip)
                found += _stored(of_kind, beyond, limit, newest_first, corrections)
        return sorted(found, key=lambda row: row.key, reverse=newest_first)[:limit]


def _stored(
    of_kind: tuple[int, bool, Row],
    beyond: Key | None,
    limit: int,
    newest_first: bool,
    corrections: Corrections,
) -> list[IndexedPicture]:
    """Rows of the table that are not hidden, at most a few more than ``limit``.

    ``of_kind``: the first parameters of `Picture.ordered`.
    """
    rows: list[IndexedPicture] = []
    while len(rows) < limit:
        some = Picture.ordered(*of_kind, beyond, limit, newest_first)
        rows += [row for row in some if (row.is_clip, row.key) not in corrections.hidden]
        if len(some) < limit:
            break
        beyond = some[-1].key
    return rows


def picture_row(row: IndexedPicture, camera_id: str) -> Row:
    """A row as the API sends it."""
    return {
        "id": id_of(row),
        "camera_id": camera_id,
        "taken_at": clock.rfc3339_us(row.taken_us),
        "kind": KINDS[row.is_clip],
        "name": as_text(row.path),
        "size": row.size,
        "content_type": content_type(row.name),
        "kept": row.kept,
    }

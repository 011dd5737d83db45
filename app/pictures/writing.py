"""How are the changes of the index written into its tables?"""

from functools import partial

from ..db import writer
from ..models import Row
from ..models.picture_folders import PictureCamera, PictureFolder
from ..models.picture_writing import put_pictures, remove_named, remove_some
from ..models.pictures import IndexedPicture, Picture
from ..models.uploads import PictureHour
from .camera_index import CameraIndex
from .overlay import Batch, Change, FolderFacts, add_to_hours, add_to_totals, is_same


def write(index: CameraIndex, batch: Batch) -> Row | None:
    """Write the changes, and then the facts of folders; return the camera's row before that.

    Returns None, and writes nothing, if the table now belongs to another index. Where its rows
    have changed since the batch was taken, those of the same files stay.
    """
    known, row = index.lookups.number, index.row()
    if not known and not row["id"]:
        row = PictureCamera.begin(index.lookups.finder.camera_id, *index.found_by)
    if known not in (0, row["id"]):
        return None
    number, keeps_stored = row["id"], row["version"] != batch.version
    totals: Row = {}
    hours: dict[int, int] = {}
    for folder, changes in batch.changes.items():
        for picture, sign in _write_files(number, folder, changes, keeps_stored):
            add_to_totals(totals, picture, sign)
            add_to_hours(hours, picture, sign)
    for folder, facts in batch.folders.items():
        _write_facts(number, folder, facts)
    PictureCamera.add(number, totals)
    PictureHour.add(number, {hour: size for hour, size in hours.items() if size})
    if batch.compared_us:
        PictureCamera.change(number, {"compared_us": batch.compared_us})
    return row


def delete_detached(most_rows: int) -> None:
    """Delete some rows of cameras that were deleted, or have another folder or pattern now."""
    for number in PictureCamera.detached()[:1]:
        writer.run(partial(_delete_some, number, most_rows), alone=True)


def _write_files(
    number: int, folder: str, changes: dict[str, Change], keeps_stored: bool
) -> list[tuple[IndexedPicture, int]]:
    """Write the changes of a folder's files; return the removed rows with -1, and the new with 1.

    ``keeps_stored``: whether a stored row of the same file stays.
    """
    folder_id = _folder_id(number, folder)
    rows = {name: change.now for name, change in changes.items() if change.now is not None}
    before = Picture.in_folder(folder_id, changes)
    for stored in before:
        if keeps_stored and is_same(stored, rows.get(stored.name)):
            rows[stored.name] = stored
    remove_named(folder_id, changes.keys() - rows.keys())
    put_pictures(number, folder_id, [*rows.values()])
    return [*((stored, -1) for stored in before), *((now, 1) for now in rows.values())]


def _write_facts(number: int, folder: str, facts: FolderFacts | None) -> None:
    folder_id = _folder_id(number, folder)
    if facts is None and not Picture.names_in(number, folder, "", 1):
        PictureFolder.remove(folder_id)
    else:  # a folder that has rows again was created anew
        PictureFolder.change(folder_id, (facts or FolderFacts())._asdict())


def _folder_id(number: int, path: str) -> int:
    known = PictureFolder.at(number, path)
    return int(known["id"]) if known else PictureFolder.begin(number, path)


def _delete_some(number: int, most_rows: int) -> None:
    if not remove_some(number, most_rows):
        PictureHour.remove_all(number)
        PictureCamera.remove(number)

"""What crosses the wire about camera diagnostics and about folders that no camera uses?"""

from marshmallow import fields, validate

from ..diagnostics.survey import BEING_WRITTEN, CUT_SHORT, TEMPORARY_NAME
from ..models import STATUSES
from .common import ResponseSchema

EXAMPLE_DIAGNOSTICS = {
    "camera_id": "123e4567-e89b-12d3-a456-426614174000",
    "folder": "/export/foscam/front_door",
    "inside_base": True,
    "exists": True,
    "readable": True,
    "shared_with": [],
    "newest": {
        "name": "20251223/0500.jpg",
        "modified_at": "2025-12-23T12:00:00.000000Z",
        "bytes": 48213,
        "age_seconds": 7200,
    },
    "pictures": {"count": 412, "complete": True},
    "unfinished_uploads": [
        {
            "name": "20251223/0501.tmp",
            "modified_at": "2025-12-23T12:00:09.000000Z",
            "bytes": 16384,
            "because": TEMPORARY_NAME,
        }
    ],
    "watching": {"mode": "watching", "reason": None, "remedy": None},
    "status": "online",
    "last_seen_at": "2025-12-23T12:00:00.000000Z",
    "problems": [
        {
            "code": "unfinished_uploads",
            "message": "Uploads that were never finished: 1, for example 20251223/0501.tmp. The "
            "connection breaks off: check the camera's network, the free space and the FTP "
            "server's time-outs. What is left of these uploads can be deleted.",
        }
    ],
}
EXAMPLE_FOLDER = {
    "name": "garden",
    "folder_path": "garden",
    "pictures": {"count": 412, "complete": True},
    "newest_at": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_FOLDERS = {"folders": [EXAMPLE_FOLDER], "count": 1}
UNKNOWN = "Null where the folder cannot be read"


class PicturesSchema(ResponseSchema):
    """How many pictures a folder and its sub-folders hold."""

    count = fields.Integer()
    complete = fields.Boolean(
        metadata={
            "description": "False where counting stopped early: there are at least this many"
        }
    )


class NeighbourSchema(ResponseSchema):
    id = fields.UUID()
    name = fields.String()


class FileSchema(ResponseSchema):
    name = fields.String(metadata={"description": "Path below the folder, made printable"})
    modified_at = fields.AwareDateTime()
    bytes = fields.Integer()


class NewestSchema(FileSchema):
    """The picture that the snapshot shows."""

    age_seconds = fields.Integer(
        metadata={"description": "Negative where its time lies in the future"}
    )


class UnfinishedSchema(FileSchema):
    because = fields.String(validate=validate.OneOf((TEMPORARY_NAME, BEING_WRITTEN, CUT_SHORT)))


class WatchingSchema(ResponseSchema):
    mode = fields.String(validate=validate.OneOf(("watching", "polling")))
    reason = fields.String(allow_none=True)
    remedy = fields.String(allow_none=True)


class TroubleSchema(ResponseSchema):
    code = fields.String(metadata={"description": "A stable code for programs"})
    message = fields.String(metadata={"description": "What is wrong and what to do about it"})


class DiagnosticsSchema(ResponseSchema):
    """What a person needs to know to repair a silent camera."""

    camera_id = fields.UUID()
    folder = fields.String(metadata={"description": "folder_path joined with the base path"})
    inside_base = fields.Boolean(metadata={"description": "If false, nothing else was checked"})
    exists = fields.Boolean(allow_none=True)
    readable = fields.Boolean(allow_none=True)
    shared_with = fields.List(
        fields.Nested(NeighbourSchema),
        metadata={"description": "The other cameras of the same folder"},
    )
    newest = fields.Nested(NewestSchema, allow_none=True, metadata={"description": UNKNOWN})
    pictures = fields.Nested(PicturesSchema, allow_none=True, metadata={"description": UNKNOWN})
    unfinished_uploads = fields.List(
        fields.Nested(UnfinishedSchema), allow_none=True, metadata={"description": UNKNOWN}
    )
    watching = fields.Nested(WatchingSchema, allow_none=True, metadata={"description": UNKNOWN})
    status = fields.String(validate=validate.OneOf(STATUSES))
    last_seen_at = fields.AwareDateTime(allow_none=True)
    problems = fields.List(
        fields.Nested(TroubleSchema),
        metadata={"description": "The most important first; empty if all is well"},
    )


class FolderSchema(ResponseSchema):
    """A folder that no camera uses."""

    name = fields.String()
    folder_path = fields.String(metadata={"description": "Ready to be sent to POST /api/cameras"})
    pictures = fields.Nested(PicturesSchema)
    newest_at = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "Time of the newest picture counted; null where there is none"},
    )


class FolderListSchema(ResponseSchema):
    folders = fields.List(fields.Nested(FolderSchema))
    count = fields.Integer(metadata={"description": "How many folders there are"})

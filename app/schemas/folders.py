"""What crosses the wire about the folders below the base path?"""

from marshmallow import Schema, fields

from .common import PicturesSchema

EXAMPLE_FOLDER = {
    "name": "garden",
    "folder_path": "garden",
    "pictures": {"count": 412, "complete": True},
    "newest_at": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_FOLDERS = {"folders": [EXAMPLE_FOLDER], "count": 1}


class FolderSchema(Schema):
    """A folder that no camera uses."""

    name = fields.String(required=True)
    folder_path = fields.String(
        required=True, metadata={"description": "Ready to be sent to POST /api/cameras"}
    )
    pictures = fields.Nested(PicturesSchema, required=True)
    newest_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Time of the newest picture counted; null where there is none"},
    )


class FolderListSchema(Schema):
    """All such folders, by name."""

    folders = fields.List(fields.Nested(FolderSchema), required=True)
    count = fields.Integer(required=True, metadata={"description": "How many folders there are"})

"""What crosses the wire about the folders below the base path?"""

from marshmallow import fields

from .common import PicturesSchema, ResponseSchema

EXAMPLE_FOLDER = {
    "name": "garden",
    "folder_path": "garden",
    "pictures": {"count": 412, "complete": True},
    "newest_at": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_FOLDERS = {"folders": [EXAMPLE_FOLDER], "count": 1}


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
    """All such folders, by name."""

    folders = fields.List(fields.Nested(FolderSchema))
    count = fields.Integer(metadata={"description": "How many folders there are"})

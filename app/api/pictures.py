"""How is a picture sent? Whole, in part or smaller, or a placeholder in its place.

HTTP headers, conditions and ranges for the bytes that the storage found.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from os.path import splitext
from unicodedata import category, combining, normalize
from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.datastructures import MIMEAccept, Range
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import http_date

from .. import clock
from ..access.headers import is_not_modified
from ..images import placeholder
from ..images.placeholder import Placeholder
from ..images.resize import MaxSize
from ..models import Row
from ..storage import safe_open, snapshots
from ..storage.checks import StoredPicture
from ..storage.folders import Folders
from ..storage.snapshots import SnapshotRequest

# How a placeholder is encoded, by its type, the preferred one first. A Generic Camera of Home
# Assistant accepts all types, and takes the type of the first picture for that of all others.
ENCODINGS: dict[str, tuple[Callable[[Placeholder], bytes], str]] = {
    "image/jpeg": (Placeholder.jpeg, ".jpg"),
    "image/png": (Placeholder.png, ".png"),
    "image/svg+xml": (Placeholder.svg, ".svg"),
}
# A placeholder may replace these. An unknown camera and a folder outside the base path are
# mistakes in the configuration, which a placeholder would hide.
MISSING = (
    safe_open.FolderNotFound,
    snapshots.NoSnapshot,
    snapshots.PictureNotFound,
    snapshots.SnapshotTooOld,
)
# RFC 8187, section 3.2.1: attr-char besides letters and digits.
ATTR_CHAR = "!#$&+-.^_`|~"
# Control, format (which holds the bidirectional controls), surrogate (bytes that are not UTF-8),
# line and paragraph separator characters act on a terminal, a header or the order of reading.
HARMFUL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
# A percent sign is read as an escape by some browsers (RFC 6266, appendix D). No name holds a
# slash, but what some characters decompose to does.
UNQUOTABLE = '"\\%/'
# How many names of pictures are kept in the form that they are sent in.
CACHED_NAMES = 512
CONTENT_SECURITY_POLICY = "sandbox; default-src 'none'"
# `Cache-Control` of a URL whose picture changes, and of one that always has the same bytes.
REVALIDATE, IMMUTABLE = "private, no-cache", "private, max-age=31536000, immutable"


def base_path() -> str:
    """The folder that every picture lies in."""
    return str(current_app.config["NVR_FOSCAM_BASE_PATH"])


def folders() -> Folders:
    """The app's index of the cameras' folders."""
    known: Folders = current_app.extensions["folders"]
    return known


def snapshot_response(
    query: Row,
    camera: Row,
    take: Callable[[SnapshotRequest], StoredPicture],
    file_pattern: str | None = None,
) -> Response:
    """The picture that ``take`` finds for the query, or the placeholder if the query asks for it.

    ``file_pattern``: of the camera, where it bounds what ``take`` may find.

    Raises what ``take`` and `Folders.ask` do, `resize.NotResizable` and `resize.NotInstalled`.
    """
    most = MaxSize(query["width"], query["height"])
    wanted = _snapshot_request(camera["folder_path"], query["max_age"], most, file_pattern)
    try:
        picture = current_app.extensions["clip_frames"].newest_picture(wanted, take)
    except MISSING as missing:
        if not query["placeholder"]:
            raise
        return placeholder_response(camera["name"], missing, most, query["disposition"])
    return picture_response(picture, most, wanted.now, query["disposition"])


def picture_response(
    picture: StoredPicture,
    most: MaxSize,
    now: datetime,
    disposition: str,
    cache_control: str = REVALIDATE,
    stem: str | None = None,
) -> Response:
    """The picture at most this large: 200, 206, or 304 where it comes without data.

    ``stem``: the name to save it by, without its suffix; by default the name of its file.

    Raises `RequestedRangeNotSatisfiable`, `resize.NotResizable` and `resize.NotInstalled`.
    """
    tag = picture_etag(picture, most)
    if picture.data is not None and any(most):
        picture = current_app.extensions["resizer"].resize(picture, most)
    name = picture.name if stem is None else stem + splitext(picture.name)[1].lower()
    headers = file_headers(tag, _modified(picture, now), name, disposition, cache_control)
    headers["X-Snapshot-Age"] = str(max(0, int(picture.age(now))))
    if picture.data is None:
        return Response(status=304, headers=headers)
    return _body_response(picture.data, picture.content_type, headers)


def _body_response(data: bytes, content_type: str, headers: dict[str, str]) -> Response:
    """200 with the data, or 206 with the range that is asked for."""
    wanted = requested_range(len(data), headers)
    if wanted is None:
        return Response(data, headers=headers, mimetype=content_type)
    selected = wanted.range_for_length(len(data))
    if selected is None:
        raise RequestedRangeNotSatisfiable(len(data))
    headers["Content-Range"] = str(wanted.make_content_range(len(data)))
    return Response(data[slice(*selected)], 206, headers, mimetype=content_type)


def file_headers(
    tag: str, modified: int, name: str, disposition: str, cache_control: str
) -> dict[str, str]:
    """The headers of a picture or a clip, except its age and those of its body.

    ``tag``: its entity tag, without quotes; ``modified``: its time in seconds since the epoch;
    ``name``: to save it by; ``disposition``: ``attachment`` or ``inline``.
    """
    return {
        "ETag": f'"{tag}"',
        "Last-Modified": http_date(modified),
        "Accept-Ranges": "bytes",
        "Content-Disposition": content_disposition(disposition, name),
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": cache_control,
    }


def placeholder_response(
    name: str, missing: Exception, most: MaxSize, disposition: str
) -> Response:
    """200 or 304 with a placeholder, of the accepted type that the client prefers; else PNG."""
    accepted = request.accept_mimetypes or MIMEAccept([("*/*", 1)])
    # `best_match` alone would choose a type that is refused (`q=0`) where `*/*` is accepted.
    offered = [kind for kind in ENCODINGS if accepted.quality(kind) > 0]
    kind = accepted.best_match(offered, "image/png")
    encode, suffix = ENCODINGS[kind]
    size = placeholder.size(most.pixels)
    body = encode(Placeholder(name, placeholder.reason(missing), size))
    tag = placeholder.tag(body)
    headers = {
        "ETag": f'"{tag}"',
        "Content-Disposition": content_disposition(disposition, f"placeholder{suffix}"),
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "X-Snapshot-Placeholder": "true",
    }
    if is_not_modified(tag):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers, content_type=kind)


def _snapshot_request(
    folder_path: str, max_age: int | None, most: MaxSize, file_pattern: str | None
) -> SnapshotRequest:
    """Which picture this request accepts now."""
    now = clock.now()
    return SnapshotRequest(
        base_path(),
        folder_path,
        now,
        folders(),
        max_age,
        file_pattern,
        partial(client_has, most=most, now=now),
    )


def client_has(picture: StoredPicture, most: MaxSize, now: datetime) -> bool:
    """Whether the request says that the client has the picture at this size."""
    return is_not_modified(picture_etag(picture, most), _modified(picture, now))


def picture_etag(picture: StoredPicture, most: MaxSize) -> str:
    """The ETag of the picture at this size; strong, like that of the file."""
    return f"{picture.etag}-{most.width or 0}x{most.height or 0}" if any(most) else picture.etag


@lru_cache(CACHED_NAMES)
def content_disposition(kind: str, name: str) -> str:
    """The header's value for a file of this name, by RFC 6266 and RFC 8187.

    ``kind``: ``attachment`` or ``inline``. Harmful characters are replaced; other Unicode goes
    into ``filename*`` beside a plain fallback.
    """
    shown = "".join("_" if category(c) in HARMFUL_CATEGORIES else c for c in name)
    plain = "".join(_plain(c) for c in normalize("NFKD", shown) if not combining(c))
    value = f'{kind}; filename="{plain}"'
    return value if plain == shown else f"{value}; filename*=UTF-8''{quote(shown, safe=ATTR_CHAR)}"


def _plain(character: str) -> str:
    return character if character.isascii() and character not in UNQUOTABLE else "_"


def requested_range(size: int, headers: dict[str, str]) -> Range | None:
    """The one range of bytes that a GET asks for, of a picture of ``size`` bytes.

    Ignored are other methods and units, several ranges, invalid ranges, and a range of another
    picture than this one (RFC 9110, sections 14.2 and 13.1.5).
    """
    wanted = request.range if "HTTP_RANGE" in request.environ else None
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition not in (None, headers["ETag"], headers["Last-Modified"]):
        return None
    start, stop = wanted.ranges[0]
    return Range("bytes", [(max(start, -size), stop)])


def _modified(picture: StoredPicture, now: datetime) -> int:
    """The picture's time since the epoch, never later than now, nor before the year 1."""
    return max(min(picture.time_ns // 10**9, int(now.timestamp())), clock.EARLIEST_SECONDS)

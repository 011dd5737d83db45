"""How does a picture leave? Headers, conditions and ranges of HTTP around its bytes."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from unicodedata import category, combining, normalize
from urllib.parse import quote

from flask import Response, current_app, request, send_file
from werkzeug.datastructures import Range
from werkzeug.http import http_date, parse_range_header

from app import clock
from app.api import conditions
from app.disk.pictures import Picture
from app.disk.snapshots import Terms
from app.index.folders import Folders

# RFC 8187, section 3.2.1: attr-char besides letters and digits.
ATTR_CHAR = "!#$&+-.^_`|~"
# Control, format (which holds the bidirectional controls), surrogate (bytes that are not UTF-8),
# line and paragraph separator characters act on a terminal, a header or the order of reading.
HARMFUL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
# A percent sign is read as an escape by some browsers (RFC 6266, appendix D). No name holds a
# slash, but what some characters decompose to does.
UNQUOTABLE = '"\\%/'
FIXED_HEADERS = (
    ("Cache-Control", "private, no-cache"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)


def base_path() -> str:
    """The folder that every picture lies in."""
    return str(current_app.config["NVR_FOSCAM_BASE_PATH"])


def terms_of(max_age: int | None, tag: Callable[[Picture], str]) -> Terms:
    """What this request, now, accepts as a picture; ``tag`` names what would be sent of it."""
    most_bytes = current_app.config["NVR_MAX_PICTURE_BYTES"]
    known = partial(is_known, tag=tag)
    return Terms(clock.now(), most_bytes, folders().newest, max_age, known)


def folders() -> Folders:
    """What the app knows of every folder."""
    known: Folders = current_app.extensions["folders"]
    return known


def is_known(picture: Picture, tag: Callable[[Picture], str]) -> bool:
    """Whether the client has the picture already; raises `PreconditionFailed`."""
    return conditions.are_given() and conditions.is_known(tag(picture), _last_modified(picture))


def send_picture(picture: Picture, tag: str, now: datetime, disposition: str) -> Response:
    """200, 206 or 304 with the picture's own headers; 416 rises as an exception."""
    own = [
        ("Accept-Ranges", "bytes"),
        ("Content-Disposition", content_disposition(disposition, picture.name)),
        ("X-Snapshot-Age", str(max(0, int(picture.age(now))))),
        *FIXED_HEADERS,
    ]
    if picture.data is None:
        modified = http_date(_last_modified(picture))
        return Response(
            status=304, headers=[("ETag", f'"{tag}"'), ("Last-Modified", modified), *own]
        )
    response = _whole_or_part(picture, tag)
    response.headers.remove("Cache-Control")
    response.headers.remove("Accept-Ranges")
    response.headers.extend(own)
    return response


def _whole_or_part(picture: Picture, tag: str) -> Response:
    response = send_file(
        BytesIO(picture.data or b""),
        mimetype=picture.content_type,
        etag=tag,
        last_modified=_last_modified(picture),
        conditional=False,
    )
    if wanted := _wanted_range(response, picture.size):
        # The other conditions were met before the picture was read.
        environ = {"REQUEST_METHOD": "GET", "HTTP_RANGE": wanted}
        response.make_conditional(environ, accept_ranges=True, complete_length=picture.size)
    return response


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


def _wanted_range(response: Response, size: int) -> str | None:
    """The one range of bytes that is asked for, no longer than the picture of ``size`` bytes.

    Other units, several ranges, what is no range, and a range of another picture than this one
    are ignored (RFC 9110, sections 14.2 and 13.1.5).
    """
    same = (None, response.headers["ETag"], response.headers["Last-Modified"])
    wanted = parse_range_header(request.headers.get("Range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if request.headers.get("If-Range") not in same:
        return None
    start, stop = wanted.ranges[0]
    return Range("bytes", [(max(start, -size), stop)]).to_header()


def _last_modified(picture: Picture) -> datetime:
    """The file's time, kept within the years that HTTP's date format has."""
    seconds = min(max(picture.mtime_ns // 10**9, -62135596800), 253402300799)
    return datetime.fromtimestamp(seconds, UTC)

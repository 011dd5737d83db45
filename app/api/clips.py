"""How is a clip sent? In pieces, so that one of any size takes little memory."""

import os
from contextlib import ExitStack

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from .. import clock
from ..access.headers import is_not_modified
from ..storage.clips import CONTENT_TYPES, OpenClip
from .pictures import file_headers, requested_range

# In bytes. A server without its own `wsgi.file_wrapper` (PEP 3333) reads this much at once.
PIECE_BYTES = 128 * 1024


def clip_response(
    clip: OpenClip, tag: str, modified: int, name: str, disposition: str, cache_control: str
) -> Response:
    """200 or 206 that sends the clip or a range of it, or 304. The clip is closed in any case.

    If the file changes while it is sent, the connection is closed. The other parameters are those
    of `file_headers`.

    Raises `RequestedRangeNotSatisfiable` and `PreconditionFailed`.
    """
    headers = file_headers(tag, modified, name, disposition, cache_control)
    headers["X-Snapshot-Age"] = str(max(0, int(clock.now().timestamp() - modified)))
    with ExitStack() as unless_sent:
        unless_sent.callback(clip.close)
        if is_not_modified(tag, modified):
            return Response(status=304, headers=headers)
        response = _in_pieces(clip, headers)
        response.mimetype = CONTENT_TYPES[os.path.splitext(name)[1].lower()]
        if request.method != "HEAD":
            unless_sent.pop_all()
        return response


def _in_pieces(clip: OpenClip, headers: dict[str, str]) -> Response:
    status, size = 200, clip.end
    wanted = requested_range(size, headers)
    if wanted is not None:
        selected = wanted.range_for_length(size)
        if selected is None:
            raise RequestedRangeNotSatisfiable(size)
        status, (clip.position, clip.end) = 206, selected
        headers["Content-Range"] = str(wanted.make_content_range(size))
    headers["Content-Length"] = str(clip.end - clip.position)
    body = wrap_file(request.environ, clip, PIECE_BYTES)  # type: ignore[arg-type]
    return Response(body, status, headers, direct_passthrough=True)

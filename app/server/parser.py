"""What is a request, and how is one refused? In waitress' own classes."""

from http import HTTPStatus

import orjson
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from ..access.headers import EVERY, POLICY
from ..problems import CONTENT_TYPE, PROBLEMS

# What waitress refuses before the app sees it. 501 is its answer to a transfer coding other than
# chunked: the client's fault, so 400 here.
REFUSALS = {413: "payload_too_large", 431: "headers_too_large", 500: "internal_error"}


class Parser(HTTPRequestParser):
    """waitress' own, for whom a body ends in one way only."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header; raises `ParsingError`.

        Two framings, or chunks in HTTP/1.0, may end elsewhere for a proxy than here: what is left
        would be a request that nobody has sent (RFC 9112, section 6.1).
        """
        super().parse_header(header_plus)
        other = "CONTENT_LENGTH" if self.chunked else "TRANSFER_ENCODING"
        if other in self.headers:
            raise ParsingError("conflicting framing")


class Refusal(ErrorTask):
    """The answer to what is not a request that the app can be given."""

    def execute(self) -> None:
        """Write the problem and close; the client may still be sending meanwhile."""
        problem = PROBLEMS[self._code()]
        body = orjson.dumps(problem.body(), option=orjson.OPT_APPEND_NEWLINE)
        self.status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        self.response_headers += [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store")]
        self.response_headers += [*EVERY, POLICY]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.refused = True
        self.write(b"" if getattr(self.request, "command", "") == "HEAD" else body)

    def _code(self) -> str:
        """A header that is too large and still in its first line is all URL."""
        code = REFUSALS.get(self.request.error.code, "bad_request")
        in_first_line = b"\n" not in self.request.header_plus.lstrip()
        return "uri_too_long" if code == "headers_too_large" and in_first_line else code

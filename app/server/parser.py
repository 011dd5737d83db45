"""Which bytes are a request, and which are refused before anything expensive parses them?

Regular expressions of waitress, and parsers of header values in the app, take quadratic time for
some headers: a request line of 25,000 digits took minutes, and so did 60,000 blanks before a NUL.
So each line of a header is first checked here, in linear time, and its blanks are collapsed. A
request that two programs could interpret differently is refused (RFC 9112).
"""

import re
from collections import defaultdict
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import (
    BadRequest,
    Error,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
)

# Request line and headers together, in bytes.
HEADER_BYTES = 64 * 1024
# The request line, and the values of one header in all its lines. RFC 9112, section 3, recommends
# 8,000; browsers send cookies of 4 KiB, and the longest URL of the API has 1 KiB.
LINE_BYTES = 8 * 1024
HEADER_LINES = 100
# Sizes of chunks, their extensions and the trailer of one body, in bytes. A chunk of one byte
# takes five more, and each costs 6 µs.
FRAMING_BYTES = 64 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# RFC 9112, sections 3 and 5. Each matches in one way only, so none backtracks.
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Z]+) ([\x21-\x7e\x80-\xff]+) HTTP/(1\.[01])")
# What is in no header: control characters, and half a line end. It is refused as soon as it comes:
# its sender may wait for the answer before it sends anything that ends the header.
NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
HEADER_LINE = re.compile(rb"(" + TOKEN + rb"):([\t\x20-\x7e\x80-\xff]*)")
ABSOLUTE_TARGET = re.compile(rb"https?://[^/?#@]+(?:[/?#]|$)", re.IGNORECASE)
# One more digit than any body that a setting allows; int() refuses 4,301 of them.
CONTENT_LENGTH = re.compile(rb"[0-9]{1,18}")
# Headers that may occur only once: of two, programs use different ones.
SINGLE = (b"host", b"content-length", b"content-type", b"transfer-encoding")


class HeaderTooLarge(Exception):
    """A line of a header is too long, or it has too many."""


class UriTooLong(BadRequest):
    """waitress' error for a request line that is longer than `LINE_BYTES`."""

    code = 414
    reason = "URI Too Long"


class RequestParser(HTTPRequestParser):
    """waitress' parser, which gets a header only after it is complete and checked."""

    # The server reads them also where the header was refused.
    command = path = ""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self._head = bytearray()

    def received(self, data: bytes) -> int:
        """Receive bytes of the request; return how many of them belong to it."""
        if self.completed:
            return 0
        return self._receive_body(data) if self.headers_finished else self._receive_head(data)

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a header that `checked_head` has passed; raises `ParsingError`."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of urllib, for a host in brackets that is no address
            raise ParsingError(str(error)) from error
        # waitress compares the whole value, which may be a list (RFC 9110, section 7.6.1).
        connection = self.headers.get("CONNECTION", "").lower()
        options = {option.strip(" ") for option in connection.split(",")}
        if "close" in options:
            self.headers["CONNECTION"] = "close"
        elif "keep-alive" in options:
            self.headers["CONNECTION"] = "keep-alive"
        self.path = self.path or "/"  # of http://host (RFC 9110, section 4.2.3)
        if self.proxy_netloc:  # counts instead of the Host header (RFC 9112, section 3.2.2)
            self.headers["HOST"] = self.proxy_netloc

    def _receive_head(self, data: bytes) -> int:
        start = 0
        if not self._head:  # empty lines before a request are ignored (RFC 9112, section 2.2)
            start = len(data) - len(data.lstrip(b"\r\n"))
            if start == len(data):
                self.empty = self.completed = True
                return start
        before = len(self._head)
        self._head += data[start:]
        if self._head.startswith(b"HEAD "):  # a refusal must have no body either
            self.command = "HEAD"
        end = self._head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            if len(self._head) > HEADER_BYTES:
                self._refuse(too_large(bytes(self._head)))
            elif NEVER.search(self._head, max(0, before - 1)):
                self._refuse(BadRequest("a character is not allowed in a header"))
            return len(data)
        self._parse(bytes(self._head[:end]))
        self._head.clear()
        return start + end + len(b"\r\n\r\n") - before

    def _parse(self, head: bytes) -> None:
        try:
            super().received(checked_head(head))
        except ParsingError as error:
            self._refuse(BadRequest(str(error)))
        except HeaderTooLarge:
            self._refuse(too_large(head))
        largest = self.adj.max_request_body_size - FRAMING_BYTES
        if self.content_length > largest and not self.error:
            self._refuse(RequestEntityTooLarge("the body is too large"))
        if self.completed:  # there is no body that the client waits to send
            self.expect_continue = False

    def _receive_body(self, data: bytes) -> int:
        consumed = int(super().received(data))
        if self.chunked and not self.error:
            self._check_chunks(self.body_rcv)
        return consumed

    def _check_chunks(self, body: Any) -> None:
        """Refuse chunks that are too large, also one that only announces it, and a bad trailer."""
        framing = self.body_bytes_received - len(body)
        if framing > FRAMING_BYTES or body.chunk_remainder > self.adj.max_request_body_size:
            self._refuse(RequestEntityTooLarge("the chunks are too large"))
        trailer = body.trailer.strip(b"\r\n") if self.completed else b""
        if trailer and not all(HEADER_LINE.fullmatch(line) for line in trailer.split(b"\r\n")):
            self._refuse(BadRequest("a line of the trailer is not valid"))

    def _refuse(self, error: Error) -> None:
        self.error, self.completed = error, True


def too_large(head: bytes) -> Error:
    """The error for a ``head`` that is too large: in its request line, or in its headers."""
    if len(head.partition(b"\r\n")[0]) > LINE_BYTES:
        return UriTooLong("the request line is too long")
    return RequestHeaderFieldsTooLarge("the headers are too large")


def checked_head(head: bytes) -> bytes:
    """``head``, which comes without its last empty line, complete and in a form that waitress
    parses fast.

    Raises `ParsingError` and `HeaderTooLarge`.
    """
    first, *lines = head.split(b"\r\n")
    if len(first) > LINE_BYTES or len(lines) > HEADER_LINES or len(head) > HEADER_BYTES:
        raise HeaderTooLarge
    version = _check_request_line(first)
    fields: dict[bytes, list[bytes]] = defaultdict(list)
    for line in lines:
        # A line that begins with a blank continues the last (obsolete: RFC 9112, section 5.2).
        field = HEADER_LINE.fullmatch(line)
        if field is None:
            raise ParsingError("a header line is not valid")
        fields[field[1].lower()].append(b" ".join(field[2].split()))
    if any(sum(map(len, values)) > LINE_BYTES for values in fields.values()):
        raise HeaderTooLarge
    _check_framing(fields, version)
    cleaned = [name + b": " + value for name, values in fields.items() for value in values]
    return b"\r\n".join([first, *cleaned, b"", b""])


def _check_request_line(line: bytes) -> bytes:
    """The version; raises `ParsingError` where the line is not one of RFC 9112, section 3."""
    parts = REQUEST_LINE.fullmatch(line)
    if parts is None:
        raise ParsingError("the request line is not valid")
    method, target, version = parts.groups()
    in_general = target == b"*" and method == b"OPTIONS"
    if not (target.startswith(b"/") or in_general or ABSOLUTE_TARGET.match(target)):
        raise ParsingError("the target is not valid")
    return version


def _check_framing(fields: dict[bytes, list[bytes]], version: bytes) -> None:
    """Raise `ParsingError` where the end of the request or its host is ambiguous."""
    if any(len(fields.get(name, ())) > 1 for name in SINGLE):
        raise ParsingError("a header occurs twice")
    if version == b"1.1" and b"host" not in fields:
        raise ParsingError("there is no Host")
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if length and not CONTENT_LENGTH.fullmatch(length[0]):
        raise ParsingError("the Content-Length is not valid")
    if coding and (length or version == b"1.0" or coding[0].lower() != b"chunked"):
        raise ParsingError("the Transfer-Encoding is not valid")

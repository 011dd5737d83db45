"""What does the description say of an endpoint's answers?"""

from collections.abc import Callable
from typing import Any

from ..problems import CONTENT_TYPE, PROBLEMS
from ..schemas.common import ProblemSchema
from . import security

WRITING = ("post", "patch", "delete")
KNOWN = "The client has this already"
HEADERS = {
    "ETag": {"schema": {"type": "string"}, "description": "Strong; names just these bytes"},
    "Last-Modified": {"schema": {"type": "string"}, "description": "The file's time"},
    "Content-Disposition": {
        "schema": {"type": "string"},
        "description": "The file's name",
        "example": 'attachment; filename="image_name.jpg"',
    },
    "X-Snapshot-Age": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Age of the picture in whole seconds",
    },
    "X-Snapshot-Placeholder": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "This is no picture, but the card that `placeholder=1` asks for",
    },
}


def with_problems(doc: Any, doc_info: Any, *, method: str, app: Any, **_: Any) -> Any:
    """Every problem that the endpoint can answer, by status, each with its example."""
    is_open, writes = doc_info.get("open_to_all", False), method in WRITING
    codes = ["validation_failed", *security.problems(is_open, writes)]
    codes += doc_info.get("problems", ())
    if "requestBody" in doc:
        codes += ["malformed_json", "payload_too_large"]
    if writes:
        codes += ["database_busy", "database_read_only", "storage_full"]
    responses = {
        status: answer
        for status, answer in doc.get("responses", {}).items()
        if not isinstance(answer, str)
    }
    for code in (*codes, "unsupported_media_type", "internal_error"):
        problem = PROBLEMS[code]
        answer = responses.setdefault(
            problem.status,
            {"description": "", "content": {CONTENT_TYPE: {"schema": ProblemSchema}}},
        )
        examples = answer["content"][CONTENT_TYPE].setdefault("examples", {})
        examples[code] = {"value": problem.body()}
        answer["description"] = ", ".join(f"`{name}`" for name in examples)
    shown = security.tokens(app, is_open, writes, "pictures" in doc_info)
    return {**doc, "security": shown, "responses": responses}


def with_examples(doc: Any, doc_info: Any, **_: Any) -> Any:
    """What makes an example has made it."""
    for answer in doc_info.get("manual_doc", {}).get("responses", {}).values():
        for shown in answer.get("content", {}).values():
            if callable(shown.get("example")):
                shown["example"] = shown["example"]()
    return doc


def described(view: Any, *decorators: Callable[[Any], Any], **more: Any) -> Any:
    """``view`` itself, with what the decorators and ``more`` say of it.

    flask-smorest's wrap it, which would cost each request a call or two for nothing.
    """
    described = view
    for decorator in decorators:
        described = decorator(described)
    view._apidoc = described._apidoc | more
    return view


def taking(arguments: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """flask-smorest's ``arguments``, which would copy all that is said of the view already."""

    def decorate(view: Any) -> Any:
        said = view.__dict__.pop("_apidoc", {})
        decorated = arguments(view)
        view._apidoc, new = said, decorated._apidoc["arguments"]
        old = said.get("arguments", {"parameters": [], "responses": {}})
        both = {
            "parameters": old["parameters"] + new["parameters"],
            "responses": old["responses"] | new["responses"],
        }
        decorated._apidoc = said | {"arguments": both}
        return decorated

    return decorate

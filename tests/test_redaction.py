"""Is a token hidden wherever it might be written down, and nothing else?"""

import pytest

from app.redaction import without_tokens

SECRET = "nvr_" + "aB3-_9" * 7 + "x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, "nvr_(hidden)"),
        (f"GET /x?token={SECRET}&y=1", "GET /x?token=nvr_(hidden)&y=1"),
        (f"{SECRET} {SECRET}", "nvr_(hidden) nvr_(hidden)"),
        (f"{SECRET}AAAA", "nvr_(hidden)"),
        (SECRET.replace("-", "%2d").replace("_", "%5F"), "nvr_(hidden)"),
        (SECRET[:-1], SECRET[:-1]),
        ("nvr_database /var/lib/nvr_cameras/nvr.db NVR_HOST", None),
        ("", None),
    ],
)
def test_tokens_are_hidden(text, shown):
    assert without_tokens(text) == (text if shown is None else shown)

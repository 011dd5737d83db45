"""How does a receiver verify that a webhook comes from this service? By its signature.

Source: Standard Webhooks (github.com/standard-webhooks/standard-webhooks), symmetric signatures.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES, MADE_BYTES = 24, 64, 32


def make_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(MADE_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether it is `PREFIX` and the base64 of 24 to 64 bytes."""
    return LEAST_BYTES <= len(_key(text)) <= MOST_BYTES


def make_message_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


def headers(secret: str, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt, which begins this many seconds after the epoch."""
    signed = f"{message_id}.{seconds}.".encode() + body
    digest = hmac.digest(_key(secret), signed, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    """The bytes of the key; none where the text is no secret."""
    if not secret.startswith(PREFIX) or not secret.isascii():
        return b""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return b""

"""Signatures of Standard Webhooks, version 1: HMAC-SHA256 over id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
_KEY_BYTES: Final = 32


def new_key() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)


def shown(key: bytes) -> str:
    """The form in which a receiver is given its secret."""
    return PREFIX + base64.b64encode(key).decode()


def headers(message_id: str, at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """What goes with a body. While a secret is being rotated there are two keys, and a signature
    by each: a receiver that knows either one is content."""
    seconds = str(int(at.timestamp()))
    signed = b"%s.%s.%s" % (message_id.encode(), seconds.encode(), body)
    marks = (base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }

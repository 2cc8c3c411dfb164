"""Titles as people typed them, made safe to store, compare and show."""

from __future__ import annotations

import re
from typing import Final

#: Longest subject Exchange keeps, in UTF-16 units.
TITLE_LIMIT: Final = 255

# Invisible characters that change what a reader sees: C0 and C1 controls, soft hyphen,
# zero-width and joiner characters, bidirectional overrides and isolates (the "Trojan Source"
# set), interlinear marks, tags, and lone surrogates (which no database can store).
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def clean_title(raw: str | None) -> str | None:
    """A title on one line, without control characters, of at most 255 characters; blank → None.

    Line breaks and tabs become blanks. Idempotent.
    """
    if not isinstance(raw, str):
        return None
    if len(raw) <= TITLE_LIMIT and raw.isascii() and raw.isprintable():
        return " ".join(raw.split()) or None
    # A hostile subject may be megabytes long; what is kept comes from its beginning.
    text = " ".join(_UNSAFE.sub("", raw[: 64 * TITLE_LIMIT]).split())
    return _cut(text) or None


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")[: TITLE_LIMIT * 2]
    return units.decode("utf-16-le", "ignore").rstrip()

"""MimeContent of calendar items: iCalendar in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import bad_request

if TYPE_CHECKING:
    from ..zones import Zone
    from .call import Call
    from .fields import Draft
    from .xml import Node


def read(call: Call, node: Node, draft: Draft, home: Zone) -> None:
    """A MimeContent into a draft."""
    raise bad_request("MIME is not read yet.", "ErrorUnsupportedMimeConversion")

"""Our cursor: that of the platform's feed, and the parts in which bookings were shown under it.

Which suffixes a booking had is known nowhere else: once its rule is simpler they must be told as
gone. There are few such bookings (see ``mapping.split``), and most rooms have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from calsync.bounded_json import read_json


@dataclass(frozen=True, slots=True)
class Place:
    feed: str
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def encode(place: Place) -> str:
    doc: dict[str, object] = {"feed": place.feed}
    if place.parts:
        doc["parts"] = {key: list(suffixes) for key, suffixes in sorted(place.parts.items())}
    return json.dumps(doc, separators=(",", ":"))


def decode(text: str) -> Place | None:
    """None for what ``encode`` did not make."""
    try:
        doc = read_json(text)
    except ValueError:
        return None
    match doc:
        case {"feed": str(feed), **rest} if feed and set(rest) <= {"parts"}:
            parts = rest.get("parts", {})
            if isinstance(parts, dict) and all(
                isinstance(suffixes, list) and all(isinstance(s, str) for s in suffixes)
                for suffixes in parts.values()
            ):
                return Place(feed, {key: tuple(suffixes) for key, suffixes in parts.items()})
    return None

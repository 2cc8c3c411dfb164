"""How a booking blocks the room: ``Busy`` ↔ the JSCalendar members status and freeBusyStatus.

JSCalendar knows free and busy, confirmed and tentative. ``showAs`` adds what Exchange knows
beyond; it counts only where the other two say confirmed and busy, so that a patch of one of
them never contradicts a ``showAs`` that the client does not know.
"""

from __future__ import annotations

from typing import Final

from calsync.mapping.booking_form import Form
from calsync.model import Busy

STATUS: Final = "status"
FREE_BUSY: Final = "freeBusyStatus"
PRIVACY: Final = "privacy"

_SHOW_AS: Final = {"busy": Busy.BUSY, "oof": Busy.OOF, "workingElsewhere": Busy.ELSEWHERE}


def busy_to_json(busy: Busy, *, always: bool = False) -> dict[str, object]:
    """``always``: say ``showAs`` even where it is plain busy (in a patch of an occurrence)."""
    doc: dict[str, object] = {
        STATUS: "tentative" if busy is Busy.TENTATIVE else "confirmed",
        FREE_BUSY: "free" if busy is Busy.FREE else "busy",
    }
    if busy in (Busy.OOF, Busy.ELSEWHERE) or always:
        doc["showAs"] = busy.value if busy in (Busy.OOF, Busy.ELSEWHERE) else "busy"
    return doc


def read_busy(form: Form, default: Busy = Busy.BUSY) -> Busy:
    """What the three members say together; ``default`` stands in for those that are missing."""
    tentative = form.choice(
        STATUS, {"confirmed": False, "tentative": True}, default is Busy.TENTATIVE
    )
    free = form.choice(FREE_BUSY, {"free": True, "busy": False}, default is Busy.FREE)
    kind = form.choice("showAs", _SHOW_AS, default if default in _SHOW_AS.values() else Busy.BUSY)
    if free:
        return Busy.FREE
    return Busy.TENTATIVE if tentative else kind

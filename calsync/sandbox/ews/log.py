"""The log of writes, in the words of the Graph front: it judges a run, whichever front was used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ..items import Item

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from .call import Call


@dataclass(frozen=True, slots=True)
class Done:
    """What a write did: in which folder, to what, to which members."""

    box: Mailbox
    item: Item
    day: date | None = None
    changed: tuple[str, ...] = ()


def written(call: Call, kind: str, write: Callable[[], Done]) -> Done:
    """Do a write and log it. The line is taken first, so that what follows from the write comes
    after it; a refused write leaves none."""
    world = call.world
    line = world.note("app", kind)
    try:
        done = write()
    except BaseException:
        if world.log[-1] is line:
            world.log.pop()
        raise
    line |= {
        "app": call.account.name,
        "method": call.operation,
        "path": "/EWS/Exchange.asmx",
        "mailbox": done.box.address,
        "changed": list(done.changed),
        "status": 200,
        "id": done.box.id_of(done.item, done.day),
        "immutableId": done.box.id_of(done.item, done.day, immutable=True),
        "iCalUId": done.item.uid,
        "date": done.day.isoformat() if done.day else None,
    }
    return done

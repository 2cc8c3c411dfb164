"""What calsync writes over though nobody could have told it, on a server that takes no
preconditions: such a server answers as if nothing had been, and what was written over cannot be
read any more.

That is so where people act while a write is under way, and where the copy of the mailbox that was
read just before the write does not know yet what they did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from calsync.model import Side
from calsync.sandbox import Response
from simulation.company import Company
from simulation.people import People

#: A second, in the ticks of the sandbox.
_TICKS = 10_000_000
_READINGS = frozenset({"read", "list", "find", "delta", "batch"})


@dataclass(slots=True)
class Overwritten:
    """``unconditional``: operations for which the server takes no preconditions. ``_late``: of each
    mailbox, what the last reading did not show yet, and whose that is, by the item's uid."""

    company: Company
    people: People
    unconditional: set[str] = field(default_factory=set)
    _late: dict[str, dict[str, str]] = field(default_factory=dict)

    def under_way(self, operation: str) -> Callable[[Callable[[], object]], None]:
        """A write that arrives late (fault 3) to a server that takes no precondition writes over
        what people did to its item since it was sent."""
        since = len(self.people.acts)

        def carry_out(handle: Callable[[], object]) -> None:
            names = {
                self.company.box(place).items[one.key].uid: one.name
                for place in self.company.places
                for one in self.people.images(Side.CALENDAR, place)
            }
            before = len(self.company.control.world.log)
            handle()
            if operation not in self.unconditional:
                return
            uids = self._written(before)
            written = {name for uid, name in names.items() if uid in uids}
            acts = self.people.acts[since:]
            self.people.unseen |= {a.name for a in acts if a.side is Side.CALENDAR} & written

        return carry_out

    def handled(
        self, operation: str, mailbox: str, late_s: float, handle: Callable[[], Response]
    ) -> Response:
        """The answer to a request. ``late_s``: it shows what stood there so many seconds ago
        (fault 28). What such a reading did not show, a write that follows it writes over; any other
        reading of the mailbox in between would have told."""
        if operation in _READINGS:
            got = handle()
            self._late[mailbox] = self._hidden(mailbox, got.body, late_s) if late_s else {}
            return got
        late = self._late.get(mailbox)
        if not late or operation not in self.unconditional:
            return handle()
        before = len(self.company.control.world.log)
        got = handle()
        uids = self._written(before)
        self.people.unseen |= {name for uid, name in late.items() if uid in uids}
        return got

    def _written(self, before: int) -> set[object]:
        log = self.company.control.world.log[before:]
        return {line.get("iCalUId") for line in log if line["who"] == "app"}

    def _hidden(self, mailbox: str, body: bytes, late_s: float) -> dict[str, str]:
        """Items of which ``body`` shows what stood there before the last act of people."""
        world, views = self.company.control.world, self.people.views
        box = world.box(mailbox)
        hidden: dict[str, str] = {}
        for key, (tick, old) in box.previous.items() if box is not None else ():
            item = box.items.get(key) if box is not None else None
            if item is None or old is None or world.tick() - tick >= late_s * _TICKS:
                continue
            if box is None or item.uid.encode() not in body:
                continue
            shown, stands = views.item(box, old), views.item(box, item)
            if shown is None or stands is None:
                continue
            acts = (a for a in reversed(self.people.acts) if a.name == stands.name)
            act = next((a for a in acts if a.side is Side.CALENDAR), None)
            if act is not None and act.after == stands.features() != shown.features():
                hidden[item.uid] = stands.name
        return hidden

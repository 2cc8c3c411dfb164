"""One item as EWS sees it: its values, whatever member shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..graph.render import change_key, shown_body
from ..items import Attendee, Instance, Item, whole
from .call import Call
from .store import Folder, Store, item_id
from .zones import shown

APPOINTMENT = "IPM.Appointment"
# Set while a meeting was saved and its requests were not sent.
UNSENT = "meetingUnsent"
# Item class -> element. Longest first.
ELEMENTS = {
    "IPM.Schedule.Meeting.Request": "MeetingRequest",
    "IPM.Schedule.Meeting.Resp": "MeetingResponse",
    "IPM.Schedule.Meeting.Canceled": "MeetingCancellation",
    "IPM.Appointment": "CalendarItem",
    "IPM.Note": "Message",
    "IPM.Contact": "Contact",
    "IPM.Task": "Task",
    "IPM.Post": "PostItem",
}


@dataclass(slots=True)
class View:
    """An instance (or a whole item) of one folder, for one call."""

    call: Call
    store: Store
    folder: Folder
    found: Instance
    text: bool | None = None
    listed: bool = False
    tags: Mapping[str, tuple[str, str]] | None = None

    @property
    def item(self) -> Item:
        """The item, a series for an instance."""
        return self.found.item

    @property
    def item_class(self) -> str:
        """ItemClass; instances of a series have one of their own."""
        said = str(self.item.props.get("itemClass") or APPOINTMENT)
        if said == APPOINTMENT and self.found.day is not None:
            return (
                "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
                if self.found.override
                else APPOINTMENT
            )
        return said

    @property
    def element(self) -> str:
        """Element that shows the item."""
        if self.is_calendar:
            return "CalendarItem"
        said = self.item_class
        return next((name for kind, name in ELEMENTS.items() if said.startswith(kind)), "Item")

    @property
    def is_calendar(self) -> bool:
        """Whether it is a calendar item."""
        said = self.item.props.get("itemClass")
        return said is None or str(said).startswith(APPOINTMENT)

    @property
    def is_exception(self) -> bool:
        """Whether it is a changed instance."""
        return self.found.override is not None

    def prop(self, name: str, default: Any = None) -> Any:
        """A plain member."""
        return self.found.prop(name, default)

    @property
    def subject(self) -> str:
        """Subject."""
        return str(self.prop("subject", "") or "")

    @property
    def location(self) -> str | None:
        """Location, None where there is none."""
        place = self.prop("location")
        return (place.get("displayName") or None) if place else None

    @property
    def id(self) -> str:
        """ItemId."""
        return item_id(self.folder.drawer, self.item, self.found.day)

    @property
    def change_key(self) -> str:
        """ChangeKey: that of the whole series for an instance."""
        return change_key(self.folder.drawer, self.item)

    @property
    def start(self) -> datetime:
        """Start, naive UTC. All-day events begin at midnight of the zone they were made in."""
        slot = self.found.when
        return slot.start_zone.to_utc(slot.start) if slot.all_day else slot.start_utc

    @property
    def end(self) -> datetime:
        """End, as `start`."""
        slot = self.found.when
        return slot.end_zone.to_utc(slot.end) if slot.all_day else slot.end_utc

    @property
    def people(self) -> tuple[Attendee, ...]:
        """Attendees, those of the instance where it has its own."""
        changed = self.found.override
        if changed is not None and changed.attendees is not None:
            return changed.attendees
        return self.item.attendees

    @property
    def response(self) -> tuple[str, int]:
        """The mailbox's own answer and its time."""
        changed = self.found.override
        return changed.response if changed and changed.response else self.item.response

    @property
    def is_cancelled(self) -> bool:
        """IsCancelled."""
        changed = self.found.override
        return self.item.is_cancelled or bool(changed and changed.is_cancelled)

    @property
    def is_meeting(self) -> bool:
        """Whether people are invited."""
        return bool(self.people) or not self.item.own

    @property
    def state(self) -> int:
        """PidLidAppointmentStateFlags: meeting 1, received 2, cancelled 4."""
        return self.is_meeting * 1 + (not self.item.own) * 2 + self.is_cancelled * 4

    @property
    def sequence(self) -> int:
        """AppointmentSequenceNumber."""
        return int(self.item.props.get("sequence", 0))

    @property
    def number(self) -> int:
        """The change number at which the item came into its folder."""
        return self.folder.drawer.seq_at(self.item.created)

    @property
    def size(self) -> int:
        """A size that grows with the content."""
        return 1024 + len(self.subject) * 2 + len(self.body(text=False)["content"])

    def body(self, *, text: bool) -> dict[str, str]:
        """Body as stored or converted."""
        stored = self.prop("body")
        if stored is None and text:
            return {"contentType": "text", "content": ""}
        return shown_body(stored, text=text)

    def display(self, which: str) -> str:
        """DisplayTo and the like."""
        kinds = {"to": ("required", "to"), "cc": ("optional", "cc"), "bcc": ("resource", "bcc")}[
            which
        ]
        return "; ".join(one.person.name for one in self.people if one.kind in kinds)

    def when(self, value: datetime) -> str:
        """A time of an answer, in the zone of the call."""
        return shown(value, self.call.zone, precise=bool(self.call.flags.get("precise")))


def original(view: View) -> datetime:
    """Where the pattern puts an instance, naive UTC."""
    base, day = view.item.when, view.found.day or view.item.when.start.date()
    return base.start_zone.to_utc(datetime.combine(day, base.start.time()))


def view_of(call: Call, store: Store, folder: Folder, item: Item) -> View:
    """The item itself."""
    return View(call, store, folder, whole(item))

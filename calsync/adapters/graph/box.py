"""One room's mailbox: the single requests that reading and writing are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from calsync.adapters.graph.batch import Part, run_batch
from calsync.adapters.graph.clouds import Cloud
from calsync.adapters.graph.links import event_path, is_id, user_path
from calsync.adapters.shared.seal import Mark, Seal
from calsync.adapters.shared.theirs import mark_of
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.mapping import zones
from calsync.model import Occupancy, Pair, Reaction

#: Our mark on events we create: a named single-value extended property. The GUID is calsync's
#: own property set; name and GUID may never change, they are stored in customers' mailboxes.
TAG_PROPERTY = "String {aa2c9132-e0dd-43a3-8ccf-417a4d60af36} Name calsync"

#: What bookings of several rooms that are one meeting have in common.
MEETING_PROPERTY = "String {aa2c9132-e0dd-43a3-8ccf-417a4d60af36} Name calsyncMeeting"

#: What is asked of an event: the compared fields, identity, and who may change it. Never the body.
FIELDS = (
    "id,changeKey,createdDateTime,lastModifiedDateTime,iCalUId,transactionId,type,seriesMasterId,"
    "start,end,originalStart,originalStartTimeZone,originalEndTimeZone,isAllDay,isCancelled,"
    "isOrganizer,isDraft,showAs,sensitivity,subject,organizer,responseStatus,recurrence"
)
#: Only where the room's rules ask for how many people it is; no more than their number is kept.
PEOPLE = "attendees,hideAttendees"


def _told_in(zone: str) -> str:
    """UTC is what Graph answers in where nothing is preferred."""
    return "" if zone == "UTC" else f'outlook.timezone="{zone}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The mailbox of a pair, with what is needed to call it. ``now`` is aware UTC.

    ``subject_fallback``: the subject written where titles are not carried for the room.
    ``seal``: what makes a tag ours. ``at``: the mailbox of a person in which the meeting with the
    room lies; empty: the room's own.
    """

    caller: Caller
    cloud: Cloud
    pair: Pair
    now: datetime
    subject_fallback: str
    seal: Seal
    at: str = ""

    @property
    def mailbox(self) -> str:
        return self.at or self.pair.mailbox

    @property
    def counts_people(self) -> bool:
        """Whether the number of people of a meeting is asked for at all."""
        return self.pair.reactions.seats is not Reaction.NOTHING

    @property
    def _plain(self) -> str:
        return f"?$select={self._fields}"

    @property
    def _fields(self) -> str:
        """Of a person's meeting the attendees are read, too: what the room said stands there."""
        return f"{FIELDS},{PEOPLE}" if self.counts_people or self.at else FIELDS

    @property
    def _with_parts(self) -> str:
        parts = "cancelledOccurrences,exceptionOccurrences&$expand=exceptionOccurrences"
        return f"{self._plain},{parts}"

    @property
    def zone(self) -> str:
        """The room's zone by Graph's name: that of most series."""
        return zones.outgoing(self.pair.zone) or "UTC"

    def sealed(self, tag: str) -> str:
        """A tag as it stands on events of this mailbox."""
        return self.seal.close(self.mailbox, tag)

    def opened(self, sealed: str) -> Mark:
        """The tag, if it was made here for this mailbox."""
        return self.seal.open(self.mailbox, sealed)

    def get_events(
        self, keys: Sequence[str], *, operation: str, zone: str = "UTC"
    ) -> list[Answer | None]:
        """Each event by id, a master with its exceptions where the cloud has them. ``zone``: the
        one in which start and end are told (by Graph's name)."""
        query = self._with_parts if self.cloud.series_parts else self._plain
        paths = [event_path(self.mailbox, key) + query for key in keys]
        return self.get_each(paths, operation=operation, zone=zone)

    def get_each(
        self, paths: Sequence[str], *, operation: str, zone: str = "UTC"
    ) -> list[Answer | None]:
        """What stands at each of these addresses; several are asked for in one batch."""
        if len(paths) == 1:
            return [self.get(paths[0], operation=operation, zone=zone)]
        return run_batch(
            self.caller,
            [Part(method="GET", path=path, prefer=_told_in(zone)) for path in paths],
            operation=operation,
            mailbox=self.mailbox,
            now=self.now,
            repeatable=True,
        )

    def get_event(self, key: str, *, zone: str = "UTC") -> Answer:
        """One event. Whether a single may be asked for the parts of a series, and whether this
        cloud has them, no document says for sure: a refused query is asked again without."""
        query = self._with_parts if self.cloud.series_parts else self._plain
        path = event_path(self.mailbox, key)
        answer = self.get(path + query, operation="read event", zone=zone)
        if answer.status == 400 and self.cloud.series_parts:
            return self.get_plain(key, zone=zone)
        return answer

    def get_plain(self, key: str, *, zone: str = "UTC") -> Answer:
        """The event without the parts of a series."""
        return self.get(
            event_path(self.mailbox, key) + self._plain, operation="read event", zone=zone
        )

    def get(self, target: str, *, operation: str, zone: str = "UTC") -> Answer:
        return self.caller.call(
            Call(
                method="GET",
                target=target,
                operation=operation,
                mailbox=self.mailbox,
                prefer=_told_in(zone),
                repeatable=True,
            )
        )

    def post_event(self, body: dict[str, Any]) -> Answer:
        return self._write("POST", f"{user_path(self.mailbox)}/events", "create event", body)

    def patch(self, key: str, body: dict[str, Any], *, etag: str = "") -> Answer:
        return self._write("PATCH", event_path(self.mailbox, key), "change event", body, etag)

    def delete(self, key: str, *, etag: str = "") -> Answer:
        return self._write("DELETE", event_path(self.mailbox, key), "delete event", None, etag)

    def decline(self, key: str, *, comment: str, tell: bool) -> Answer:
        # Nobody is told: then Graph refuses any comment, an empty one too (ErrorInvalidParameter).
        body = {"comment": comment, "sendResponse": True} if tell else {"sendResponse": False}
        path = f"{event_path(self.mailbox, key)}/decline"
        return self._write("POST", path, "decline event", body)

    def wants_no_answer(self, key: str) -> bool:
        """True where the organizer of a meeting asked for no answers: Graph sends none then."""
        path = f"{event_path(self.mailbox, key)}?$select=responseRequested"
        answer = self.get(path, operation="read event")
        return answer.ok and (answer.body or {}).get("responseRequested") is False

    def answers(self) -> bool:
        """True where the mailbox itself can be opened: the second check before "gone"."""
        return self.get(f"{user_path(self.mailbox)}/calendar?$select=id", operation="probe").ok

    def tagged(self, tag: str) -> str:
        """Address of the list of events that carry our tag."""
        return self._marked(TAG_PROPERTY, self.sealed(tag))

    def of_bookings(self, uid: str) -> str:
        """Address of the list of meetings made for bookings of this uid."""
        return self._marked(MEETING_PROPERTY, self.sealed(mark_of(uid)))

    def _marked(self, name: str, text: str) -> str:
        value = text.replace("'", "''")
        wanted = (
            f"singleValueExtendedProperties/Any(ep: ep/id eq '{name}' and ep/value eq '{value}')"
        )
        return f"{user_path(self.mailbox)}/events?$select=id&$filter={quote(wanted, safe='')}"

    def named(self, uid: str) -> str:
        """Address of the list of events with this iCalUId: it stays when an item is made anew."""
        wanted = "iCalUId eq '" + uid.replace("'", "''") + "'"
        return f"{user_path(self.mailbox)}/events?$select=id&$filter={quote(wanted, safe='')}"

    def created_by(self, transaction_id: str) -> str:
        """Address of the list of events that were created with this transactionId."""
        wanted = "transactionId eq '" + transaction_id.replace("'", "''") + "'"
        return f"{user_path(self.mailbox)}/events?$select=id&$filter={quote(wanted, safe='')}"

    def at_time_of(self, target: Occupancy, transaction: str) -> list[str]:
        """Keys of events at the (first) time of the target that carry the transactionId."""
        zone = target.zone or self.pair.zone
        low, high = zones.to_utc(target.start, zone), zones.to_utc(target.end, zone)
        path = (
            f"{user_path(self.mailbox)}/calendarView?startDateTime={low:%Y-%m-%dT%H:%M:%SZ}"
            f"&endDateTime={high:%Y-%m-%dT%H:%M:%SZ}&$select=id,transactionId,seriesMasterId&$top=100"
        )
        answer = self.get(path, operation="find")
        rows = (answer.body or {}).get("value") if answer.ok else None
        found = [row for row in rows or () if isinstance(row, dict)]
        mine = [row for row in found if row.get("transactionId") == transaction]
        keys = [row.get("seriesMasterId") or row.get("id") for row in mine]
        return [key for key in keys if is_id(key)]

    def instances(self, key: str, start: datetime, end: datetime) -> str:
        """Address of the instances of a series that meet a span (aware UTC)."""
        span = f"startDateTime={start:%Y-%m-%dT%H:%M:%SZ}&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}"
        fields = self._fields if self.at else FIELDS
        return f"{event_path(self.mailbox, key)}/instances?{span}&$select={fields}&$top=500"

    def _write(
        self, method: str, target: str, operation: str, body: dict[str, Any] | None, etag: str = ""
    ) -> Answer:
        return self.caller.call(
            Call(
                method=method,
                target=target,
                operation=operation,
                mailbox=self.mailbox,
                body=body,
                headers={"If-Match": etag} if etag else {},
            )
        )

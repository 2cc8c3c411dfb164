"""The history of a booking as sentences that a help desk can read out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from calsync.mapping import zones
from calsync.model import Side
from calsync.ports import AuditEntry, AuditStep, NoticeState
from calsync.store.reports import ConflictRecord, NoticeRecord, Story

_PLACE = {Side.BOOKING.value: "on the platform", Side.CALENDAR.value: "in Outlook"}
_TRIED = {
    "create event": "asked Exchange to put it into the room's calendar",
    "change event": "asked Exchange to change it in the room's calendar",
    "delete event": "asked Exchange to take it out of the room's calendar",
    "decline event": "had the room decline the meeting",
    "create booking": "put it on the platform",
    "change booking": "changed it on the platform",
    "delete booking": "cancelled it on the platform",
    "confirm booking": "confirmed it on the platform",
    "reject booking": "rejected it on the platform",
}
_DONE = {
    "create event": "the room's calendar has it",
    "change event": "the room's calendar has the change",
    "delete event": "it is out of the room's calendar",
    "decline event": "the meeting is declined, and Exchange tells its organiser",
    "create booking": "the platform has it",
    "change booking": "the platform has the change",
    "delete booking": "it is cancelled on the platform",
    "confirm booking": "the booking is confirmed",
    "reject booking": "the booking is rejected",
}
_PLANS = {
    "create event": "put it into the room's calendar",
    "change event": "change it in the room's calendar",
    "write event": "change it in the room's calendar",
    "delete event": "take it out of the room's calendar",
    "decline event": "decline the meeting",
    "decline dates": "decline some dates of the meeting",
    "create booking": "put it on the platform",
    "change booking": "change it on the platform",
    "write booking": "change it on the platform",
    "write both": "bring both sides together",
    "delete booking": "cancel it on the platform",
    "confirm booking": "confirm it",
    "reject booking": "reject it",
    "create event again": "put it into the room's calendar again",
    "create booking again": "put it on the platform again",
    "rebase": "take what both sides show as agreed",
    "join": "take the two for one booking",
    "bury": "close the case",
    "warn": "warn the organiser and carry it over",
    "park": "leave it alone until a person decides",
    "set apart": "leave what is back alone until a person decides",
    "answer": "do as the admin answered",
    "give the move up": "take it back to the time that it had",
}


#: Decisions that are sentences already.
_SAYS_ITSELF = frozenset({"retention", "privacy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What happened at a time (UTC), for people."""

    at: datetime
    text: str


def timeline(story: Story) -> list[Sentence]:
    """Everything that is known of a booking, in order; what says the same twice in a row, once."""
    found = [
        *(Sentence(at=entry.at, text=_entry(entry)) for entry in story.entries),
        *(Sentence(at=record.at, text=_conflict(record)) for record in story.conflicts),
        *(s for notice in story.notices for s in _notice(notice)),
    ]
    found.sort(key=lambda one: one.at)
    return list(_once(found))


def _once(found: Iterable[Sentence]) -> Iterator[Sentence]:
    before = ""
    for one in found:
        if one.text != before:
            yield one
        before = one.text


def told(sentences: Iterable[Sentence], zone: str) -> Iterator[str]:
    """Lines with the wall time of a zone; the day stands where it changes."""
    where: ZoneInfo = zones.zone_info(zone or "UTC")
    day = ""
    for one in sentences:
        at = one.at.astimezone(where)
        today = f"{at:%Y-%m-%d}"
        yield f"{today if today != day else '':10}  {at:%H:%M:%S}  {one.text}"
        day = today


def _entry(entry: AuditEntry) -> str:
    match entry.step:
        case AuditStep.ACT:
            return _act(entry.what)
        case AuditStep.OBSERVATION:
            return _observation(entry)
        case AuditStep.DECISION:
            verb, _, why = entry.what.partition(": ")
            if verb in _SAYS_ITSELF:
                return why
            plan = _PLANS.get(verb)
            return f"calsync decided to {plan}: {why}" if plan else f"calsync decided: {entry.what}"
        case AuditStep.CALL:
            return f"calsync {_TRIED.get(entry.what, entry.what)}"
        case AuditStep.CONFIRMATION:
            return _confirmation(entry.what)


def _act(what: str) -> str:
    verb, _, rest = what.partition(" on the ")
    place = _PLACE.get(rest.removesuffix(" side"), rest)
    return f"somebody {'booked' if verb == 'created' else verb} it {place}"


def _observation(entry: AuditEntry) -> str:
    presence, _, rest = entry.what.partition(" on the ")
    place = _PLACE.get(rest.removesuffix(" side"), rest)
    why = str((entry.detail or {}).get("reason", ""))
    match presence:
        case "present":
            text = f"calsync saw it {place}"
        case "gone":
            text = f"calsync saw that it is gone {place}"
        case _:
            text = f"calsync could not tell whether it is {place}"
    return f"{text}: {why}" if why else text


def _confirmation(what: str) -> str:
    verb, _, said = what.partition(": ")
    if said in ("confirmed", "confirmed in part"):
        part = " (not all of it yet)" if said != "confirmed" else ""
        return f"{_DONE.get(verb, verb)}{part}"
    return f"that did not work out ({verb}): {said}"


def _conflict(record: ConflictRecord) -> str:
    conflict = record.conflict
    if conflict.winner is None:
        return f"{conflict.kind.value}, left for a person to decide: {conflict.reason}"
    return (
        f"{conflict.kind.value}: the {conflict.winner.value} side kept it"
        f" ({conflict.reason}; policy {conflict.policy})"
    )


def _notice(record: NoticeRecord) -> Iterator[Sentence]:
    kind, to = record.notice.kind.value, record.notice.recipient or "nobody"
    yield Sentence(at=record.queued_at, text=f"a message “{kind}” to {to} was made ready")
    match record.state:
        case NoticeState.SENT:
            text = f"the message “{kind}” was sent to {to}"
        case NoticeState.DOUBTFUL:
            text = f"whether the message “{kind}” reached {to} is not known; it is not sent again"
        case NoticeState.FAILED:
            text = f"the message “{kind}” to {to} could not be sent"
        case _:
            return
    why = f": {record.reason}" if record.reason else ""
    yield Sentence(at=record.changed_at, text=f"{text}{why}")

"""Samples for the tests of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Effect,
    EffectKind,
    Half,
    Link,
    Notice,
    NoticeKind,
    Occupancy,
    Pair,
    Person,
    Presence,
    Side,
)
from calsync.ports import AuditEntry, AuditStep

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PAIR = Pair(
    id="p1", room_id="atrium", connection="main", mailbox="atrium@x.test", zone="Europe/Berlin"
)
ANN = Person("Ann", "ann@x.test")


class FixedClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def wait(self, **span: float) -> None:
        self.time += timedelta(**span)


def meeting(hour: int = 0, *, title: str | None = None) -> Occupancy:
    """One hour, so many hours after the morning of the test's day."""
    start = datetime(2026, 11, 20, 10, 0) + timedelta(hours=hour)
    return Occupancy(start=start, end=start + timedelta(hours=1), zone="UTC", title=title)


def equal_link(number: int = 0, **changes: object) -> Link:
    """A link at rest: both sides show the base."""
    base = changes.pop("base", None) or meeting(number)
    assert isinstance(base, Occupancy)
    mark = fingerprint(base)
    half = Half(presence=Presence.PRESENT, fingerprint=mark, created=NOW, version="1", mark=number)
    link = Link(
        id=f"link{number}",
        pair_id=PAIR.id,
        origin=Side.CALENDAR,
        booking=replace(half, key=f"bk{number}"),
        event=replace(half, key=f"ev{number}", owned=False, uid=f"uid{number}"),
        base=base,
        base_fingerprint=mark,
        revision=1,
        person=ANN,
    )
    return replace(link, **changes)  # type: ignore[arg-type]


def effect_of(link: Link, *, id: str = "") -> Effect:
    return Effect(
        id=id or f"eff-{link.id}",
        kind=EffectKind.CHANGE_EVENT,
        link_id=link.id,
        revision=link.revision,
        key=link.event.key,
        version=link.event.version,
        fingerprint=link.base_fingerprint,
        why="the booking was moved",
    )


def notice_of(link: Link, *, revision: str = "1") -> Notice:
    assert link.base is not None
    assert link.booking.key is not None
    return Notice(
        kind=NoticeKind.CONFIRMED,
        link_id=link.id,
        booking_key=link.booking.key,
        revision=revision,
        person=link.person,
        occupancy=link.base,
    )


def entry_of(link: Link, what: str = "write event") -> AuditEntry:
    return AuditEntry(
        at=NOW,
        pair_id=link.pair_id,
        link_id=link.id,
        step=AuditStep.DECISION,
        what=what,
        detail={"revision": link.revision},
    )

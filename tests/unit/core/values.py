"""Values that the tests of the core are written with: meetings at hours of one day, and people who
act at minutes of another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Effect,
    EffectKind,
    Frequency,
    Half,
    Interval,
    Link,
    LinkState,
    Occupancy,
    Pair,
    Presence,
    Recurrence,
    Rule,
    Seen,
    Side,
    Window,
)

BOOKING, CALENDAR = Side.BOOKING, Side.CALENDAR
DAY = datetime(2026, 3, 2)
WINDOW = Window(DAY.replace(tzinfo=UTC), DAY.replace(tzinfo=UTC) + timedelta(days=28))
PAIR = Pair(id="p", room_id="r", connection="c", mailbox="r@x.example", zone="UTC", titles=True)


def at(minute: float) -> datetime:
    """When people did something."""
    return datetime(2026, 2, 2, 10, tzinfo=UTC) + timedelta(minutes=minute)


NOW = at(1000)


def occ(start: float, end: float, **more: Any) -> Occupancy:
    """Busy from one hour of ``DAY`` to another."""
    plain = Occupancy(
        start=DAY + timedelta(hours=start), end=DAY + timedelta(hours=end), zone="UTC"
    )
    return replace(plain, **more)


def span(start: float, end: float) -> Interval:
    """The same hours in UTC."""
    midnight = DAY.replace(tzinfo=UTC)
    return Interval(midnight + timedelta(hours=start), midnight + timedelta(hours=end))


def daily(start: float, end: float, *, count: int | None = 3, **more: Any) -> Occupancy:
    """A series; ``more``: of its recurrence."""
    rule = Rule(frequency=Frequency.DAILY, count=count)
    return occ(start, end, recurrence=Recurrence(rule=rule, **more))


def seen(what: Occupancy, *, key: str = "k", mark: int = 5, **more: Any) -> Seen:
    """An item as a side shows it; its version goes with its mark."""
    given: dict[str, Any] = {"version": f"v{mark}", "created": at(0), **more}
    return Seen(key=key, occupancy=what, fingerprint=fingerprint(what), mark=mark, **given)


def there(what: Occupancy, *, key: str = "k", mark: int = 5, **more: Any) -> Half:
    """The half of an item that is present, with its own state."""
    given: dict[str, Any] = {"version": f"v{mark}", "created": at(0), "since": at(0), **more}
    return Half(
        presence=Presence.PRESENT,
        key=key,
        mark=mark,
        seen=what,
        fingerprint=fingerprint(what),
        **given,
    )


def gone(*, key: str = "k", mark: int = 6, **more: Any) -> Half:
    return Half(presence=Presence.GONE, key=key, mark=mark, **more)


def unknown(*, key: str = "k", mark: int = 5, reason: str = "timeout", **more: Any) -> Half:
    return Half(presence=Presence.UNKNOWN, key=key, mark=mark, reason=reason, **more)


def link(
    booking: Half | None = None,
    event: Half | None = None,
    *,
    base: Occupancy | None = None,
    id: str = "x",
    origin: Side = BOOKING,
    **more: Any,
) -> Link:
    """A link; a half that shows just the base keeps no state of its own, as in the store."""

    def kept(half: Half | None) -> Half:
        half = half or Half()
        return replace(half, seen=None) if half.seen is not None and half.seen == base else half

    return Link(
        id=id,
        pair_id="p",
        origin=origin,
        booking=kept(booking),
        event=kept(event),
        base=base,
        base_fingerprint=fingerprint(base) if base is not None else "",
        **more,
    )


def agreed(what: Occupancy, **more: Any) -> Link:
    """Both sides show ``what``, and did so before."""
    return link(there(what, key="b"), there(what, key="e"), base=what, **more)


def buried(**more: Any) -> Link:
    return link(gone(key="b"), gone(key="e"), state=LinkState.BURIED, **more)


def effect(kind: EffectKind, **more: Any) -> Effect:
    given: dict[str, Any] = {"id": "x:1", "link_id": "x", "revision": 1, "why": "w", **more}
    target = given.get("target")
    if target is not None:
        given.setdefault("fingerprint", fingerprint(target))
    return Effect(kind=kind, **given)

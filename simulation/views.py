"""What an all-seeing observer finds on both sides, in words that both share.

A title is ``name.version``: the name stays with a booking for life, the version grows with
every act that retitles it. Where a title cannot be seen (private, or rewritten by the room's
attendant), the global uid tells whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from calsync.mapping.booking_values import Booking
from calsync.mapping.expand import instances
from calsync.model import Busy, Interval, Occupancy
from calsync.sandbox.items import Instance, Item, expand, generated
from calsync.sandbox.mailbox import Mailbox

_NAME = re.compile(r"\b([nx]\d+)\.(\d+)\b")
#: The time in which both sides are compared; well inside every window.
_SPAN = Interval(datetime(2026, 11, 21, tzinfo=UTC), datetime(2027, 10, 1, tzinfo=UTC))
LOW, HIGH = _SPAN.start.replace(tzinfo=None), _SPAN.end.replace(tzinfo=None)


#: From this number on, names are those of the thousands of items that fill a room (fault 56).
CROWD = 900_000


def name_in(title: str | None) -> tuple[str, int] | None:
    found = _NAME.search(title or "")
    return (found[1], int(found[2])) if found else None


#: ("title", version) or ("at", start, end): what an act may add to a booking or take from it.
Feature = tuple[str, object, object]


@dataclass(frozen=True, slots=True)
class Image:
    """One item of a store. ``times``: its live instances (UTC, naive; days for what lasts all
    day), ``taken``: the same in UTC always, ``busy``: takes the room.
    ``count``: how many live instances it has (two may come to lie at one time).
    ``apart``: the title is that of its only date, not of the series.
    ``key`` is the store's own; ``title`` may be empty where it cannot be seen. ``changed``: the
    store's own order of changes."""

    key: str
    name: str
    version: int | None
    title: str
    private: bool
    busy: bool
    times: frozenset[tuple[datetime, datetime]]
    taken: frozenset[tuple[datetime, datetime]]
    all_day: bool
    series: bool
    own: bool
    changed: int
    count: int
    apart: bool = False

    def times_said(self) -> tuple[str, ...]:
        return tuple(f"{start:%F %H:%M}/{end:%F %H:%M}" for start, end in sorted(self.times))

    def features(self) -> frozenset[Feature]:
        made: set[Feature] = {("at", start, end) for start, end in self.times}
        if self.version is not None:
            made.add(("title", self.version, None))
        return frozenset(made)


class Views:
    """Images of both stores, each made once per version of its item."""

    def __init__(self) -> None:
        self.uids: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._items: dict[tuple[str, str], tuple[int, Image]] = {}
        self._bookings: dict[str, tuple[tuple[int, str], Image]] = {}

    # -- calendar ---------------------------------------------------------------------------

    def calendar(self, box: Mailbox) -> list[Image]:
        """Live items of a room's mailbox."""
        return [image for item in box.items.values() if (image := self.item(box, item)) is not None]

    def name(self, box: Mailbox, key: str, name: str) -> None:
        """Say whose an item is."""
        self.uids[box.items[key].uid] = name
        del self._items[box.address, key]

    def name_booking(self, key: str, name: str) -> None:
        """Say whose a booking is."""
        self.ids[key] = name
        del self._bookings[key]

    def item(self, box: Mailbox, item: Item) -> Image | None:
        """None where nothing of it lives (declined, cancelled)."""
        place = (box.address, item.key)
        known = self._items.get(place)
        if known is not None and known[0] == item.change:
            return known[1] if known[1].times else None
        image = self._item(item)
        self._items[place] = (item.change, image)
        return image if image.times else None

    def _item(self, item: Item) -> Image:
        live = [one for one in expand(item, LOW, HIGH) if one.live]
        title = _only({str(one.prop("subject", "")) for one in live})
        title = title if title is not None else str(item.props.get("subject", ""))
        named = name_in(title)
        return Image(
            key=item.key,
            name=self.uids.get(item.uid) or (named[0] if named else f"?{item.uid[-8:]}"),
            version=named[1] if named else None,
            title=title,
            private=_private(item),
            busy=_takes(live[0]) if live else False,
            times=frozenset(_span_of(one) for one in live),
            taken=frozenset((one.when.start_utc, one.when.end_utc) for one in live),
            all_day=item.when.all_day,
            series=item.rule is not None,
            own=item.own,
            changed=item.modified,
            count=len(live),
            apart=title != str(item.props.get("subject", "")),
        )

    def declined(self, box: Mailbox, name: str) -> frozenset[Feature]:
        """The dates of a meeting that the room's own attendant declined."""
        return frozenset(
            ("at", *_span_of(Instance(item, day, generated(item, day))))
            for item in box.items.values()
            if item.declined and self.uids.get(item.uid) == name
            for day in item.declined
        )

    # -- bookings ---------------------------------------------------------------------------

    def bookings(self, found: list[Booking], zone: str) -> list[Image]:
        """Live bookings of one room."""
        made = []
        for booking in found:
            version = (booking.content_revision, booking.fingerprint)
            known = self._bookings.get(booking.id)
            if known is None or known[0] != version:
                known = (version, self._booking(booking, zone))
                self._bookings[booking.id] = known
            if known[1].times:
                made.append(known[1])
        return made

    def _booking(self, booking: Booking, zone: str) -> Image:
        occ = booking.content
        found = list(instances(occ, _SPAN, zone))
        title = _only({_title(occ, one.recurrence_id) for one in found})
        title = title if title is not None else occ.title or ""
        named = name_in(title)
        name = self.ids.get(booking.id) or self.uids.get(booking.uid)
        shown = ZoneInfo(zone) if occ.all_day else UTC
        times = frozenset((_naive(one.start, shown), _naive(one.end, shown)) for one in found)
        return Image(
            key=booking.id,
            name=name or (named[0] if named else f"?{booking.uid[-8:]}"),
            version=named[1] if named else None,
            title=title,
            private=occ.private,
            busy=occ.busy is not Busy.FREE,
            times=times,
            taken=frozenset((_naive(one.start, UTC), _naive(one.end, UTC)) for one in found),
            all_day=occ.all_day,
            series=occ.recurrence is not None,
            own=booking.editable,
            changed=booking.mark,
            count=len(found),
            apart=title != (occ.title or ""),
        )


def _span_of(one: Instance) -> tuple[datetime, datetime]:
    """UTC; for all-day items their dates, which are those of the room wherever it is."""
    slot = one.when
    return (slot.start, slot.end) if slot.all_day else (slot.start_utc, slot.end_utc)


def _title(occ: Occupancy, day: datetime | None) -> str:
    """What a date shows: an exception may have a title of its own."""
    series = occ.recurrence
    mine = [o.title for o in series.overrides if o.recurrence_id == day] if series else []
    return (mine[0] if mine else occ.title) or ""


def _only(titles: set[str]) -> str | None:
    """The title that all dates share; None where there are several, or none."""
    return next(iter(titles)) if len(titles) == 1 else None


def _naive(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _private(item: Item) -> bool:
    return str(item.props.get("sensitivity", "normal")) in ("private", "confidential")


def _takes(one: Instance) -> bool:
    return str(one.prop("showAs", "busy")) != "free"


def meetings(images: Sequence[Image], began: datetime = LOW) -> list[tuple[Image, Image]]:
    """Each two images that take the same time, and not all of it before ``began``, in their order.
    What has no length takes none.

    Nothing is compared with what does not lie beside it: a room may have thousands of items.
    """
    spans = sorted(
        (start, end, number)
        for number, image in enumerate(images)
        if image.busy
        for start, end in image.taken
        if max(start, began) < end
    )
    found: set[tuple[int, int]] = set()
    under_way: list[tuple[datetime, int]] = []
    for start, end, number in spans:
        while under_way and under_way[0][0] <= start:
            heappop(under_way)
        found |= {(min(number, n), max(number, n)) for _, n in under_way if n != number}
        heappush(under_way, (end, number))
    return [(images[one], images[other]) for one, other in sorted(found)]

"""To whom a notice goes: the person who booked, and the shared channels that want to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from calsync.engine.context import Context
from calsync.model import NOBODY, Link, Notice, Occupancy, Pair, Person
from calsync.reconcile.told import by_its_person


def addressed(
    ctx: Context, pair: Pair, notice: Notice, link: Link | None = None
) -> Iterator[Notice]:
    """One notice for each recipient. What a channel is not to say is not even stored for it.
    ``link``: nobody is told what they did themselves to a meeting in their own calendar."""
    own = link is not None and by_its_person(link, notice)
    if notice.kind in ctx.notices and notice.person.address and not own:
        yield notice
    for audience in ctx.audiences:
        if notice.kind not in audience.kinds:
            continue
        if audience.rooms and pair.room_id not in audience.rooms:
            continue
        open_to_all = audience.details and not notice.occupancy.private
        was = None if notice.was is None else _bare(notice.was)
        yield replace(
            notice,
            channel=audience.name,
            person=Person(notice.person.name) if open_to_all else NOBODY,
            occupancy=notice.occupancy if open_to_all else _bare(notice.occupancy),
            was=was,
        )


def _bare(occupancy: Occupancy) -> Occupancy:
    """Only when it is; changed dates of a series may bear titles of their own."""
    series = occupancy.recurrence
    if series is not None:
        plain = tuple(replace(one, title=None) for one in series.overrides)
        series = replace(series, overrides=plain)
    return replace(occupancy, title=None, recurrence=series)

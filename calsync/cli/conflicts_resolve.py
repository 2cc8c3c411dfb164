"""``calsync conflicts resolve``: keep this, keep that, or keep both, one of them elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.carry import carry_out, tell
from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, bookings_here, opened
from calsync.cli.output import print_json, print_line
from calsync.cli.times import span
from calsync.errors import UsageError

if TYPE_CHECKING:
    from calsync.bootstrap import Home
    from calsync.setup.questions import Question, Version


class Keep(StrEnum):
    """Which of the two stays."""

    THIS = "this"
    THAT = "that"
    BOTH = "both"


def resolve(
    conflict: Annotated[str, typer.Argument(help="Its id, as conflicts list shows it.")],
    keep: Annotated[
        Keep, typer.Option(help="What stays: this, that, or both, one of them in another room.")
    ],
    room: Annotated[
        str, typer.Option(help="With --keep both: the other room; without it a free one is chosen.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Settle a conflict: keep this, keep that, or keep both elsewhere.

    See with calsync conflicts show which is which. Of two bookings that want one time the other
    one is rejected or declined, with the reason and free rooms. One that was decided already can
    be turned round: what lost is booked again, if its time is free. Done by calsync serve if it
    runs, else at once.
    """
    from calsync.cli.conflicts import find
    from calsync.setup.questions import State, questions

    if room and keep is not Keep.BOTH:
        raise UsageError("--room goes with --keep both")
    with opened(settings) as home:
        found = find(questions(home, home.store.pairs(), every=True), conflict)
        if found.state is State.ANSWERED:
            raise UsageError(
                "this was answered already",
                where=f"conflict {conflict}",
                todo=f"To take it back: calsync restore {found.pair.room_id} --at TIME",
            )
        if keep is Keep.BOTH or (keep is Keep.THAT and found.state is not State.OPEN):
            bookings_here(home, todo="Book there what should be kept, too")
        moved = _moved(home, found, room) if keep is Keep.BOTH else ""
        said = _said(found, keep, moved)
        if as_json and not yes:
            raise UsageError("with --json nobody can be asked", todo="Add --yes")
        if not yes:
            print_line(said)
            typer.confirm("Do this?", abort=True)
        elsewhere = _book_elsewhere(home, found, moved) if moved else ""
        if found.state is State.OPEN:
            number = _ask(home, found, keep, moved)
        else:
            number = _turn_round(home, found, keep)
    outcome = carry_out(settings, found.pair, number) if number else _standing(elsewhere)
    if as_json:
        print_json(
            {
                "conflict": found.id,
                "kept": keep,
                "elsewhere": elsewhere or None,
                "room": moved or None,
            }
            | {key: outcome[key] for key in ("by", "state", "result", "error")}
        )
        failed = outcome["state"] == "failed"
    else:
        if elsewhere:
            print_line(f"Booked in room {moved}: {elsewhere}.")
        failed = tell(outcome)
    if failed:
        raise typer.Exit(FAILED)


def _standing(elsewhere: str) -> dict[str, Any]:
    return {
        "by": "this process",
        "state": "done",
        "result": "what stood stands" if elsewhere else "nothing to do",
        "error": "",
    }


def _said(found: Question, keep: Keep, moved: str) -> str:
    this, that = _named(found, found.this), _named(found, found.that)
    match keep:
        case Keep.THIS:
            return f"Keep {this}; give up {that}."
        case Keep.THAT:
            return f"Keep {that}; give up {this}."
        case Keep.BOTH:
            going = _named(found, _going(found))
            return f"Book {going} in room {moved}, and keep the other in {found.pair.room_id}."


def _named(found: Question, version: Version) -> str:
    there = span(version.occupancy, found.pair.zone) if version.occupancy else "the deletion"
    return f"{there} ({version.side.value} side)"


# --- open ------------------------------------------------------------------------------------


def _ask(home: Home, found: Question, keep: Keep, moved: str) -> int:
    """Store the request; its number. Raises UsageError for what cannot be."""
    from calsync.reconcile.answers import hindrance

    going = _going(found) if keep is Keep.BOTH else _other(found, keep)
    stays = found.that if going is found.this else found.this
    detail: dict[str, Any] = {"conflicts": found.records, "winner_side": stays.side.value}
    if found.clash:
        assert stays.link is not None
        assert going.link is not None
        detail |= {"winner": stays.link.id, "loser": going.link.id}
        if moved:
            detail["reason"] = f"It was moved to room {moved}."
        return home.requests.ask(found.pair.id, "refuse", detail)
    assert stays.link is not None
    why_not = hindrance(stays.link, stays.side)
    if why_not:
        raise UsageError(why_not, where=f"conflict {found.id}", todo="Keep the other one")
    detail |= {"link": stays.link.id, "side": stays.side.value}
    return home.requests.ask(found.pair.id, "keep", detail)


def _other(found: Question, keep: Keep) -> Version:
    return found.that if keep is Keep.THIS else found.this


def _going(found: Question) -> Version:
    """Which of the two moves: what was booked on the platform, whose person is told of the new
    room; else that. Of one that was decided, what lost."""
    from calsync.model import Side
    from calsync.setup.questions import State

    if found.clash and found.state is State.OPEN and found.that.born is Side.CALENDAR:
        return found.this if found.this.born is Side.BOOKING else found.that
    return found.that


# --- decided ---------------------------------------------------------------------------------


def _turn_round(home: Home, found: Question, keep: Keep) -> int:
    """Bring back what lost, as an act on the platform; the number of the request for a sync, 0
    where there is nothing to sync. Raises UsageError where that cannot be."""
    from calsync.setup.bringback import book_again, change_back

    if keep is not Keep.THAT:
        return 0
    lost, link = found.that.occupancy, found.that.link
    where = f"conflict {found.id}"
    if lost is None:
        raise UsageError(
            "what lost was a deletion", where=where, todo="Delete the booking on either side"
        )
    if found.clash or link is None or link.booking.key is None or "#" in link.booking.key:
        person = link.person if link is not None else None
        from calsync.model import NOBODY

        book_again(home, found.pair.room_id, lost, person or NOBODY)
    else:
        booking = home.bookings.booking(link.booking.key).booking
        if booking.status.live:
            change_back(home, booking.id, lost, found.pair)
        else:
            book_again(home, found.pair.room_id, lost, booking.person, like=booking)
    return home.requests.ask(found.pair.id, "resync", {})


# --- elsewhere -------------------------------------------------------------------------------


def _moved(home: Home, found: Question, room: str) -> str:
    """The room that takes the one which moves. Raises UsageError where none can."""
    from calsync.conflicts.alternatives import Asked, allows, free_alternatives
    from calsync.mapping.expand import busy_intervals
    from calsync.model import Interval

    going, where = _going(found), f"conflict {found.id}"
    if going.occupancy is None:
        raise UsageError("a deletion cannot be kept elsewhere", where=where)
    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    if room == found.pair.room_id or (room and room not in rooms):
        raise UsageError(f"{room} is no other room", where=where, todo="See: calsync rooms list")
    if room:
        return room
    here = rooms.get(found.pair.room_id)
    now = home.clock.now()
    horizon = Interval(now, now.replace(year=now.year + 2, day=min(now.day, 28)))
    wanted = busy_intervals(going.occupancy, horizon, found.pair.zone)
    if here is not None and wanted:
        hull = Interval(wanted[0].start, max(one.end for one in wanted))
        busy = home.booking_side.busy(list(rooms), hull)
        ruled = home.booking_side.rules(list(rooms))
        asked = Asked(wanted=wanted, now=now, all_day=going.occupancy.all_day)
        free = free_alternatives(
            list(rooms.values()),
            busy,
            wanted,
            room=here,
            seats=None,
            # It is booked there as anything else is: the room must take it.
            fits=lambda other: allows(ruled[other.id].rules, other, asked),
        )
        if free:
            return free[0].room_id
    raise UsageError(
        "no other room of the building is free then", where=where, todo="Name one with --room"
    )


def _book_elsewhere(home: Home, found: Question, room: str) -> str:
    """The id of the booking in the other room. Raises what the platform says against it."""
    from calsync.model import NOBODY
    from calsync.setup.bringback import book_again

    going = _going(found)
    assert going.occupancy is not None
    person = going.link.person if going.link is not None else NOBODY
    return book_again(home, room, going.occupancy, person)

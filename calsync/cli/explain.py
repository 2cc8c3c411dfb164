"""``calsync explain``: the history of one booking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, opened
from calsync.cli.output import console, plain, print_json, print_line, print_table, when
from calsync.cli.timeline import timeline, told
from calsync.cli.times import span
from calsync.conflicts.clash import shown
from calsync.errors import UsageError
from calsync.model import Half, Link, LinkState, Pair, Side
from calsync.store.reports import Story


def explain(
    booking: Annotated[
        str,
        typer.Argument(help="The id of a booking, of an event, or of a link."),
    ],
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Show keys, versions and steps by their names, in UTC."),
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Tell what happened to a booking, in sentences: who did what, what calsync decided, and why.

    Times are in the zone of the room. Conflicts, messages and what waits to be sent stand in the
    same line of time. History is kept for as long as the retention settings say.
    """
    with opened(settings) as home:
        stories = home.reports.explain(booking)
        pairs = {pair.id: pair for pair in home.store.pairs()}
        rooms = {pair.id: pair.room_id for pair in pairs.values()}
    if not stories:
        raise UsageError(
            "nothing is known of this booking",
            where=booking,
            todo="Give the id as the API or the log shows it; a booking of a room that is not"
            " mapped, or one long gone, has no history",
        )
    if as_json:
        print_json({"booking": booking, "links": [_story(story, rooms) for story in stories]})
        return
    for number, story in enumerate(stories):
        if number:
            console().print()
        if raw:
            _print(story, rooms)
        else:
            _tell(story, pairs)


def _tell(story: Story, pairs: Mapping[str, Pair]) -> None:
    """One readable timeline."""
    pair_id = (
        story.link.pair_id if story.link else story.entries[0].pair_id if story.entries else ""
    )
    pair = pairs.get(pair_id)
    zone = pair.zone if pair is not None else "UTC"
    where = pair.room_id if pair is not None else "(not mapped any more)"
    print_line(f"Room {where}. {_now(story.link, zone)} Times: {zone}.")
    lines = list(told(timeline(story), zone))
    for line in lines or ["No history."]:
        print_line(line)
    for effect in story.open_effects:
        print_line(f"Still waits to be sent or looked up: {effect}")


def _now(link: Link | None, zone: str) -> str:
    """What stands now, in a sentence or two."""
    if link is None:
        return "Only its history is left."
    there = shown(link, Side.BOOKING) or shown(link, Side.CALENDAR)
    # Without its title: a history may be read out to anybody.
    what = span(there, zone) if there is not None else "It takes no time any more"
    born = "on the platform" if link.origin is Side.BOOKING else "in Outlook"
    match link.state:
        case LinkState.PARKED:
            state = f"Left alone until a person decides: {link.reason}."
        case LinkState.BURIED:
            state = "It is over on both sides."
        case _:
            places = [name for side, name in _NAMES if shown(link, side) is not None]
            state = f"It stands {' and '.join(places)}." if places else "It stands nowhere."
    return f"{what}; booked {born}. {state}"


_NAMES = ((Side.BOOKING, "on the platform"), (Side.CALENDAR, "in Outlook"))


def _room(story: Story, rooms: Mapping[str, str]) -> str:
    pair_id = story.link.pair_id if story.link else ""
    if not pair_id and story.entries:
        pair_id = story.entries[0].pair_id
    return rooms.get(pair_id, "")


def _story(story: Story, rooms: Mapping[str, str]) -> dict[str, Any]:
    return {
        "link_id": story.link_id,
        "room_id": _room(story, rooms),
        "link": None if story.link is None else _link(story.link),
        "timeline": [{"at": one.at, "text": one.text} for one in timeline(story)],
        "history": [
            {
                "at": entry.at,
                "step": entry.step,
                "what": entry.what,
                "detail": plain(entry.detail) if entry.detail else {},
            }
            for entry in story.entries
        ],
        "conflicts": [
            {
                "at": record.at,
                "kind": record.conflict.kind,
                "policy": record.conflict.policy,
                "winner": record.conflict.winner,
                "reason": record.conflict.reason,
                "fields": record.conflict.fields,
                "other_link_id": record.conflict.other_link_id,
            }
            for record in story.conflicts
        ],
        "notices": [
            {
                "kind": record.notice.kind,
                "state": record.state,
                "recipient": record.notice.person.address,
                "tries": record.tries,
                "reason": record.reason,
                "queued_at": record.queued_at,
                "changed_at": record.changed_at,
            }
            for record in story.notices
        ],
        "open_effects": story.open_effects,
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "state": link.state,
        "reason": link.reason,
        "origin": link.origin,
        "revision": link.revision,
        "in_flight": link.in_flight,
        "pending": link.pending,
        "booking": _half(link.booking),
        "event": _half(link.event),
    }


def _half(half: Half) -> dict[str, Any]:
    return {"presence": half.presence, "key": half.key, "owned": half.owned, "reason": half.reason}


def _print(story: Story, rooms: Mapping[str, str]) -> None:
    link = story.link
    print_line(f"Link {story.link_id} in room {_room(story, rooms) or '(not mapped any more)'}")
    if link is None:
        print_line("  Only its history is left.")
    else:
        reason = f": {link.reason}" if link.reason else ""
        print_line(f"  {link.state.value}{reason}; booked on the {link.origin.value} side")
        print_line(f"  booking {link.booking.key or '-'} is {link.booking.presence.value}")
        print_line(f"  event {link.event.key or '-'} is {link.event.presence.value}")
    print_table(
        ["at (UTC)", "step", "what"],
        [
            (when(entry.at), entry.step.value, f"{entry.what}{_detail(entry.detail)}")
            for entry in story.entries
        ],
        empty="  No history.",
    )
    for record in story.conflicts:
        winner = record.conflict.winner
        decided = f"the {winner.value} side won" if winner else "waits for a person"
        print_line(f"  {record.conflict.kind.value}: {decided}: {record.conflict.reason}")
    for notice in story.notices:
        told = notice.notice.person.address or "nobody"
        print_line(f"  notice {notice.notice.kind.value} to {told}: {notice.state.value}")
    for effect in story.open_effects:
        print_line(f"  waits to be sent or looked up: {effect}")


def _detail(detail: Mapping[str, Any] | None) -> str:
    if not detail:
        return ""
    return f" ({', '.join(f'{key} {value}' for key, value in detail.items())})"

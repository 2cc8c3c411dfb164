"""``calsync plan``: what the next cycle would do, with nothing sent and nothing stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, connected
from calsync.cli.output import clean, print_json, print_line, print_table
from calsync.cli.times import span
from calsync.conflicts.clash import shown
from calsync.engine.addressed import addressed
from calsync.errors import SideError
from calsync.mapping.expand import instances
from calsync.model import (
    BOTH_STAY,
    Conflict,
    Effect,
    EffectKind,
    Link,
    Notice,
    NoticeKind,
    Occupancy,
    Pair,
    Plan,
    Side,
    Window,
)
from calsync.reconcile.told import expected

if TYPE_CHECKING:
    from calsync.bootstrap import System

#: Dates of one series that are counted.
_MOST_DATES = 1000


def plan(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show every write, deletion, clash and message of the next sync. Nothing is sent or changed.

    Reads both sides as a sync would. Messages are counted per recipient: notices that calsync
    sends (#NAME is a shared channel), and answers that Exchange itself sends to organisers of
    declined meetings. A first import refuses nobody, and sends no notice. Exit status 1 if a room
    could not be read.
    """
    with connected(settings, dry_run=True) as system:
        found = [preview_room(system, pair) for pair in chosen_pairs(system.home, rooms or [])]
    people = recipients(found)
    if as_json:
        print_json({"rooms": found, "messages": people})
    else:
        _print(found, people)
    if any(entry["error"] for entry in found):
        raise typer.Exit(FAILED)


def preview_room(system: System, pair: Pair, *, full: bool = False) -> dict[str, Any]:
    """What the next cycle of a room would do; ``full``: one that reads both sides anew."""
    from calsync.engine.calls import run_inline
    from calsync.engine.cycle import preview

    context = system.context
    state = context.state(pair)
    if full:
        anew = replace(state, calendar_cursor=None, booking_cursor=None)
        context.states[pair.id] = anew
    entry: dict[str, Any] = {
        "room_id": pair.room_id,
        "mailbox": pair.mailbox,
        "error": "",
        "halted": "",
        "first_import": not state.imported,
        "writes": [],
        "mails": [],
        "conflicts": [],
        "skipped": [],
    }
    try:
        decided: Plan = run_inline(preview(context, pair))
    except SideError as error:
        entry["error"] = str(error)
        return entry
    window = state.window or context.span.window(context.clock.now())
    links = _links(system, decided)
    entry["halted"] = decided.halt.reason if decided.halt else ""
    entry["writes"] = [_write(effect, window, pair.zone) for effect in decided.effects]
    entry["mails"] = _mails(system, decided, links, pair, quiet=decided.quiet)
    refused = {e.link_id: e for e in decided.effects if e.refusal is not None}
    entry["conflicts"] = [_conflict(c, links, refused) for c in decided.conflicts]
    entry["skipped"] = [{"link_id": s.link_id, "reason": s.reason} for s in decided.skips]
    return entry


def _links(system: System, decided: Plan) -> dict[str, Link]:
    """The links that the plan speaks of, in their newest state."""
    ids = {e.link_id for e in decided.effects} | {c.link_id for c in decided.conflicts}
    ids |= {c.other_link_id for c in decided.conflicts if c.other_link_id}
    stored = system.home.store.links_by_id(sorted(ids))
    return {link.id: link for link in stored} | {link.id: link for link in decided.links}


# --- writes ----------------------------------------------------------------------------------


def _write(effect: Effect, window: Window, zone: str) -> dict[str, Any]:
    return {
        "what": effect.kind,
        "side": effect.kind.side,
        "deletes": effect.kind.frees,
        "key": effect.key,
        "link_id": effect.link_id,
        "why": effect.why,
        "was": _time(effect.was),
        "becomes": _time(effect.target),
        "dates": _dates(effect.target or effect.was, window, zone),
        "refusal": effect.refusal.reason if effect.refusal else "",
    }


def _dates(occupancy: Occupancy | None, window: Window, zone: str) -> int:
    """How many dates of it lie in the window: all of them are carried at once."""
    if occupancy is None or occupancy.recurrence is None:
        return 1
    return sum(1 for _ in islice(instances(occupancy, window, zone), _MOST_DATES))


def _time(occupancy: Occupancy | None) -> dict[str, Any] | None:
    if occupancy is None:
        return None
    return {
        "start": occupancy.start,
        "end": occupancy.end,
        "zone": occupancy.zone,
        "series": occupancy.recurrence is not None,
        "title": occupancy.title,
    }


# --- messages --------------------------------------------------------------------------------


def _mails(
    system: System, decided: Plan, links: dict[str, Link], pair: Pair, *, quiet: bool
) -> list[dict[str, Any]]:
    """Every message that would leave, by whom it is sent. A first import sends no notice, nor does
    a database that lost what it knew. An organiser whose meeting is declined is told by Exchange
    itself.
    """
    told = system.notifier is not None and not quiet
    found = []
    for effect in decided.effects:
        link = links.get(effect.link_id)
        if effect.kind is EffectKind.DECLINE_EVENT:
            person = link.person if link and not effect.person.address else effect.person
            to = person.address or "the organiser"
            found.append({"to": to, "kind": "declined", "by": "Exchange"})
            continue
        kind = expected(link, effect) if link is not None and told else None
        content = effect.target or effect.was
        if link is None or kind is None or content is None:
            continue
        found += [
            {"to": one.recipient, "kind": one.kind.value, "by": "calsync"}
            for one in addressed(
                system.context, pair, _notice(kind, link, content, effect.kind), link
            )
        ]
    for notice in decided.notices if told else ():
        found += [
            {"to": one.recipient, "kind": one.kind.value, "by": "calsync"}
            for one in addressed(system.context, pair, notice)
        ]
    return found


def _notice(kind: NoticeKind, link: Link, content: Occupancy, effect: EffectKind) -> Notice:
    """As far as it matters for whom it goes to."""
    carried = effect in (EffectKind.CHANGE_BOOKING, EffectKind.DELETE_BOOKING)
    return Notice(
        kind=kind,
        link_id=link.id,
        booking_key=link.booking.key or "",
        revision="",
        person=link.person,
        occupancy=content,
        cause=Side.CALENDAR if carried else None,
    )


def recipients(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages counted per recipient, most first."""
    counted: dict[str, Counter[str]] = {}
    for entry in found:
        for mail in entry["mails"]:
            counted.setdefault(mail["to"], Counter())[mail["kind"]] += 1
    return [
        {"to": to, "count": kinds.total(), "kinds": dict(sorted(kinds.items()))}
        for to, kinds in sorted(counted.items(), key=lambda item: (-item[1].total(), item[0]))
    ]


# --- conflicts -------------------------------------------------------------------------------


def _conflict(
    conflict: Conflict, links: dict[str, Link], refused: dict[str, Effect]
) -> dict[str, Any]:
    """A conflict with its verdict: who stays, who gives way, and on which dates."""
    loser = links.get(conflict.link_id)
    stays = links.get(conflict.other_link_id or "")
    effect = refused.get(conflict.link_id)
    return {
        "kind": conflict.kind,
        "winner": conflict.winner,
        "policy": conflict.policy,
        "reason": conflict.reason,
        "verdict": _verdict(conflict, effect),
        "stays": _booked(stays, None),
        "gives_way": _booked(loser, conflict.lost),
        "dates": effect.refusal.dates if effect and effect.refusal else (),
        "alternatives": [
            one.room_id
            for one in (effect.refusal.alternatives if effect and effect.refusal else ())
        ],
    }


def _verdict(conflict: Conflict, effect: Effect | None) -> str:
    if conflict.policy == BOTH_STAY:
        return "both stay, nobody is told; you decide when you like"
    if conflict.parked:
        return "parked: you decide"
    if effect is None:
        return f"the {conflict.winner.value} side wins" if conflict.winner else ""
    whole = effect.refusal is None or not effect.refusal.dates
    what = (
        "all of it" if whole else f"{len(effect.refusal.dates)} date(s)" if effect.refusal else ""
    )
    match effect.kind:
        case EffectKind.DECLINE_EVENT:
            return f"declined in Outlook: {what}"
        case EffectKind.REJECT_BOOKING:
            return f"rejected on the platform: {what}"
        case EffectKind.CHANGE_BOOKING if whole:
            return "its move is taken back on the platform"
        case _:
            return f"given up on the platform: {what}"


def _booked(link: Link | None, content: Occupancy | None) -> dict[str, Any] | None:
    if link is None:
        return None
    there = content or shown(link, link.claimed_on) or shown(link, link.claimed_on.other)
    return {
        "side": link.origin,
        "by": link.person.address or link.person.name,
        "time": _time(there),
        "text": span(there) if there is not None else "",
    }


# --- for people ------------------------------------------------------------------------------


def _print(found: list[dict[str, Any]], people: list[dict[str, Any]]) -> None:
    for entry in found:
        print_room(entry)
    writes = [write for entry in found for write in entry["writes"]]
    sides = Counter(write["side"] for write in writes)
    freed = sum(write["deletes"] for write in writes)
    clashes = sum(len(entry["conflicts"]) for entry in found)
    mails = sum(one["count"] for one in people)
    for one in people:
        kinds = ", ".join(f"{count} {kind}" for kind, count in one["kinds"].items())
        print_line(f"message(s) to {clean(one['to'])}: {one['count']} ({kinds})")
    print_line(
        f"{len(found)} room(s): {len(writes)} write(s)"
        f" ({sides[Side.BOOKING]} on the platform, {sides[Side.CALENDAR]} in Outlook),"
        f" {freed} of them free time, {clashes} conflict(s), {mails} message(s) to"
        f" {len(people)} recipient(s). Nothing was sent."
    )


def print_room(entry: dict[str, Any]) -> None:
    """One room, as ``preview_room`` gave it."""
    first = " (first import: quiet, no message)" if entry["first_import"] else ""
    print_line(f"{entry['room_id']} ↔ {entry['mailbox']}{first}")
    if entry["error"]:
        print_line(f"  could not be read: {entry['error']}")
        return
    if entry["halted"]:
        print_line(f"  would stop and ask you: {entry['halted']}")
    print_table(
        ["  write", "when", "dates", "why"],
        [
            (f"  {w['what'].value}", _moment(w), w["dates"] if w["dates"] != 1 else "", w["why"])
            for w in entry["writes"]
        ],
        empty="  Nothing to write.",
    )
    for conflict in entry["conflicts"]:
        _print_conflict(conflict)
    for mail in entry["mails"]:
        print_line(f"  message to {clean(mail['to'])} by {mail['by']}: {mail['kind']}")
    for skip in entry["skipped"]:
        print_line(f"  left alone: {skip['reason']}")


def _print_conflict(conflict: dict[str, Any]) -> None:
    print_line(f"  {conflict['kind'].value}: {conflict['verdict']}: {conflict['reason']}")
    way = "stays, too" if conflict["policy"] == BOTH_STAY else "gives way"
    for name, label in (("stays", "stays"), ("gives_way", way)):
        one = conflict[name]
        if one is not None and conflict["kind"].value == "clash":
            who = f", by {one['by']}" if one["by"] else ""
            born = "on the platform" if one["side"] is Side.BOOKING else "in Outlook"
            print_line(f"    {label}: {one['text']}, booked {born}{who}")
    if conflict["alternatives"]:
        print_line(f"    free instead: {', '.join(conflict['alternatives'])}")


def _moment(write: dict[str, Any]) -> str:
    """When it is, or from when to when it moves."""
    times = [_span(write[key]) for key in ("was", "becomes") if write[key]]
    return " → ".join(dict.fromkeys(times))


def _span(time: dict[str, Any]) -> str:
    start, end = time["start"], time["end"]
    zone = time["zone"] or "all day"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{until} {zone}{', series' if time['series'] else ''}"

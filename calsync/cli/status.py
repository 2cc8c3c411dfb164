"""``calsync status``: how each room is, at a glance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, opened
from calsync.cli.output import ago, print_json, print_line, print_table, when
from calsync.model import Link, Pair
from calsync.ports import NoticeState, RoomState
from calsync.store.lease import Holder, holder
from calsync.store.reports import Counts

if TYPE_CHECKING:
    from calsync.bootstrap import Home


#: Most bookings that wait for a person, and reasons, that are shown of a room.
SHOWN = 20


class Health(StrEnum):
    """The state of a room, worst first."""

    STOPPED = "stopped"
    FAILING = "failing"
    WAITING = "waiting"
    IMPORTING = "importing"
    WORKING = "working"
    OK = "ok"


def status(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit status 1 unless every room is ok: for monitoring."),
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show for each room whether it is in sync, and what waits for you.

    ok: in sync. working: something is being carried over. importing: its first sync is not
    done. waiting: a booking waits for your decision. failing: the last sync failed, calsync
    tries again by itself. stopped: a plan waits for your yes (calsync guard show). lag: how long
    an act took to arrive on the other side, the median of a day. drift: what the last full
    compare found that the change feeds had not told. calls/day: requests for the mailbox, of
    yesterday, or of today so far.
    """
    with opened(settings) as home:
        now = home.clock.now()
        facts = _facts(home, rooms or [], now)
        notices = home.reports.notice_counts()
        troubles = _troubles(home)
        running = holder(home.db, home.clock)
    if as_json:
        print_json(
            {
                "process": running,
                "rooms": facts,
                "notices": {state.value: notices.get(state, 0) for state in NoticeState},
                "notice_troubles": troubles,
            }
        )
    else:
        _print(facts, notices, running, now)
        _print_waiting(facts, troubles)
    if check and any(fact["health"] is not Health.OK for fact in facts):
        raise typer.Exit(FAILED)


def _facts(home: Home, rooms: list[str], now: datetime) -> list[dict[str, Any]]:
    lag, calls = home.figures.lag(now), home.figures.calls(now)
    states, counts = home.store.states(), home.reports.counts()
    parked: dict[str, list[Link]] = {}
    for link in home.reports.parked():
        parked.setdefault(link.pair_id, []).append(link)
    return [
        _fact(
            pair,
            states.get(pair.id, RoomState(pair_id=pair.id)),
            counts.get(pair.id, Counts()),
            parked.get(pair.id, []),
        )
        | _figures(lag.get(pair.id), *calls.get(pair.mailbox, (0, 0)))
        for pair in chosen_pairs(home, rooms)
    ]


def _figures(lag: float | None, today: int, yesterday: int) -> dict[str, Any]:
    """``lag``: seconds from an act on one side until the other had it, the median of a day."""
    return {"lag": lag, "calls_today": today, "calls_yesterday": yesterday}


def _fact(pair: Pair, state: RoomState, counts: Counts, parked: list[Link]) -> dict[str, Any]:
    return {
        "room_id": pair.room_id,
        "mailbox": pair.mailbox,
        "connection": pair.connection,
        "health": health(state, counts),
        "synced_at": state.synced_at,
        "compared_at": state.compared_at,
        "drift": state.drift,
        "halted": state.halted,
        "error": state.error,
        "failures": state.failures,
        "links": counts.active,
        "parked": counts.parked,
        "unsettled": counts.unsettled,
        "open_effects": counts.open_effects,
        "conflicts": counts.conflicts,
        "waiting": [
            {"id": link.booking.key or link.event.key or link.id, "reason": link.reason}
            for link in parked[:SHOWN]
        ],
    }


def _troubles(home: Home) -> list[dict[str, Any]]:
    """Why notices did not leave, newest first; each reason once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for state in (NoticeState.QUEUED, NoticeState.FAILED, NoticeState.DOUBTFUL):
        for record in home.reports.notices(state=state):
            if record.reason:
                entry = {"state": state, "reason": record.reason, "last_at": record.changed_at}
                found.setdefault((state.value, record.reason), entry)
    return list(found.values())[:SHOWN]


def health(state: RoomState, counts: Counts) -> Health:
    """The worst that is true of a room."""
    if state.halted:
        return Health.STOPPED
    if state.failures or state.error:
        return Health.FAILING
    if counts.parked:
        return Health.WAITING
    if not state.imported:
        return Health.IMPORTING
    if counts.unsettled or counts.open_effects:
        return Health.WORKING
    return Health.OK


def _print(
    facts: list[dict[str, Any]],
    notices: dict[NoticeState, int],
    running: Holder | None,
    now: datetime,
) -> None:
    if running is None:
        print_line("calsync is not running (calsync serve starts it).")
    else:
        since = when(running.since)
        print_line(f"calsync runs as process {running.pid} on {running.host} since {since} UTC.")
    print_table(
        [
            *("room", "mailbox", "state", "in sync as of", "lag", "drift", "calls/day"),
            *("bookings", "parked", "to do", "why"),
        ],
        [
            (
                fact["room_id"],
                fact["mailbox"],
                fact["health"].value,
                ago(fact["synced_at"], now),
                "" if fact["lag"] is None else _seconds(fact["lag"]),
                fact["drift"] or "",
                fact["calls_yesterday"] or fact["calls_today"] or "",
                fact["links"],
                fact["parked"] or "",
                fact["unsettled"] or "",
                fact["halted"] or fact["error"],
            )
            for fact in facts
        ],
        empty="No rooms are mapped. Map one with: calsync rooms map ROOM MAILBOX",
    )
    told = [f"{count} {state.value}" for state, count in notices.items()]
    if told:
        print_line(f"Notices: {', '.join(told)}.")


def _seconds(lag: float) -> str:
    if lag < 10:
        return f"{lag:.1f} s"
    return f"{lag:.0f} s" if lag < 600 else f"{lag / 60:.0f} min"


def _print_waiting(facts: list[dict[str, Any]], troubles: list[dict[str, Any]]) -> None:
    """What waits for a person, and why; and why notices did not leave."""
    for fact in facts:
        if fact["halted"]:
            room = fact["room_id"]
            print_line(
                f"Room {room} stands still until you answer. What it would do: calsync guard show"
                f" {room}. Then: calsync guard approve {room}, with --check-again to look once"
                " more, or with --trust SIDE to join both sides anew without deleting anything."
            )
    for fact in facts:
        for entry in fact["waiting"]:
            print_line(f"Parked in room {fact['room_id']}: {entry['id']}: {entry['reason']}")
        if len(fact["waiting"]) < fact["parked"]:
            print_line(f"Parked in room {fact['room_id']}: {fact['parked']} in all")
    if any(fact["waiting"] for fact in facts):
        print_line("The history of one: calsync explain ID. To settle it: calsync conflicts list")
    for trouble in troubles:
        print_line(f"Notices {trouble['state'].value}: {trouble['reason']}")
    if troubles:
        print_line("Which ones: calsync notices list")

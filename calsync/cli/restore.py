"""``calsync restore``: a room as it was before calsync changed it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from calsync.cli.carry import carry_out, tell
from calsync.cli.choke import FAILED, say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    bookings_here,
    mapped,
    opened,
)
from calsync.cli.output import print_json, print_line, print_table
from calsync.cli.times import span
from calsync.errors import UsageError
from calsync.model import Pair
from calsync.settings.checks import Wrong, duration
from calsync.setup.bringback import Act, Outcome, Step
from calsync.setup.bringback import carry_out as bring_back
from calsync.setup.bringback import plan as planned


def restore(
    room: Annotated[str, typer.Argument(help="The id of the room on the booking side.")],
    at: Annotated[
        str,
        typer.Option(
            help="The time to go back to: 2026-11-20T14:00 in the room's zone, with Z in UTC, or"
            " how long ago, such as 2h."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Bring back what calsync deleted, declined or changed in a room since a time.

    Shows first what would be done, and asks. It is done as acts on the platform, which the next
    sync carries to Outlook; what people booked since stays, and what is over is left. A meeting
    that the room declined comes back only when its organiser invites the room again.
    """
    if as_json and not (yes or dry_run):
        raise UsageError("with --json nobody can be asked", todo="Add --yes or --dry-run")
    outcomes: list[Outcome] = []
    with opened(settings) as home:
        bookings_here(home, todo="See what was done with calsync explain, and book again there")
        pair = mapped(home, room)
        since = _time(at, pair.zone, home.clock.now())
        steps = planned(home, pair, since)
        oldest = home.former.oldest(pair.id)
        if not as_json:
            _print(pair, since, steps)
            if oldest is None or since < oldest:
                _print_reach(oldest)
        due = [step for step in steps if step.act is not Act.CANNOT]
        number = 0
        if due and not dry_run:
            if not yes:
                typer.confirm(f"Bring these {len(due)} back?", abort=True)
            outcomes = bring_back(home, pair, steps)
            number = home.requests.ask(pair.id, "resync", {}) if any(o.ok for o in outcomes) else 0
    synced = carry_out(settings, pair, number) if number else None
    failed = _tell(since, steps, outcomes, synced, as_json=as_json)
    if failed:
        raise typer.Exit(FAILED)


def _time(text: str, zone: str, now: datetime) -> datetime:
    try:
        seconds = duration(0, 10 * 366 * 86400)(text)
        assert isinstance(seconds, float)
        return now - timedelta(seconds=seconds)
    except Wrong:
        pass
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--at: {text!r} is no time", todo="Write 2026-11-20T14:00, or how long ago: 2h"
        ) from None
    at = at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at
    at = at.astimezone(UTC)
    if at > now:
        raise UsageError("--at: this time is still to come", todo="Name one that is over")
    return at


def _print(pair: Pair, since: datetime, steps: list[Step]) -> None:
    print_table(
        ["what", "booking", "for", "because calsync did", "note"],
        [
            (
                step.act.value,
                span(step.content, pair.zone),
                step.person.name or step.person.address,
                step.done,
                step.note,
            )
            for step in steps
        ],
        empty=f"calsync changed nothing in {pair.room_id} since {since:%Y-%m-%d %H:%M} UTC that"
        " could be brought back.",
        title=f"{pair.room_id} as it was at {since:%Y-%m-%d %H:%M} UTC",
    )


def _print_reach(oldest: datetime | None) -> None:
    if oldest is None:
        print_line("Nothing that calsync changed in this room is kept.")
    else:
        print_line(f"What is kept begins at {oldest:%Y-%m-%d %H:%M} UTC.")


def _tell(
    since: datetime,
    steps: list[Step],
    outcomes: list[Outcome],
    synced: dict[str, Any] | None,
    *,
    as_json: bool,
) -> bool:
    wrong = [o for o in outcomes if not o.ok and o.step.act is not Act.CANNOT]
    if as_json:
        said = {o.step.link_id: o for o in outcomes}
        print_json(
            {
                "since": since,
                "steps": [
                    {
                        "link_id": step.link_id,
                        "what": step.act,
                        "booking": step.booking.id if step.booking else None,
                        "start": step.content.start,
                        "end": step.content.end,
                        "zone": step.content.zone,
                        "note": step.note,
                        "done": said[step.link_id].ok if step.link_id in said else None,
                        "result": said[step.link_id].said if step.link_id in said else "",
                    }
                    for step in steps
                ],
                "sync": synced,
            }
        )
        return bool(wrong)
    if outcomes:
        print_line(f"{sum(o.ok for o in outcomes)} brought back.")
    for outcome in wrong:
        say(f"Not brought back: {span(outcome.step.content)}: {outcome.said}")
    return (tell(synced) if synced is not None else False) or bool(wrong)

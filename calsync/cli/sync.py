"""``calsync sync``: one cycle of every room, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.logs import start_logging
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, connected
from calsync.cli.output import print_json, print_line, print_table
from calsync.model import Pair
from calsync.settings import load

if TYPE_CHECKING:
    from calsync.bootstrap import System


def sync(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything anew and compare it, as every night.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Sync every room once, in this process, and send the notices that are due.

    For use without calsync serve (from cron, say), or to try things out; while serve runs on
    the same database this says so and stops. Exit status 1 if a room failed or was stopped.
    """
    read = load(settings)
    start_logging(read.log)
    with connected(read) as system:
        from calsync.bootstrap import count_calls
        from calsync.store.lease import ProcessLease

        lease = ProcessLease(system.home.db, system.home.clock)
        lease.acquire()
        try:
            pairs = chosen_pairs(system.home, rooms or [])
            if full:
                # Asked for after a restore, too: then what waits may have been answered before.
                system.context.wake()
            results = [_one(system, pair, full=full, lease=lease) for pair in pairs]
            sent = _notify(system)
        finally:
            system.context.save_idle()
            count_calls(system)
            lease.release()
    if as_json:
        print_json({"rooms": results, "notices_sent": sent})
    else:
        _print(results, sent)
    if any(entry["error"] or entry["halted"] for entry in results):
        raise typer.Exit(FAILED)


def _one(system: System, pair: Pair, *, full: bool, lease: Any) -> dict[str, Any]:
    from calsync.engine.calls import run_inline
    from calsync.engine.cycle import cycle

    lease.renew()
    report = run_inline(cycle(system.context, pair, full=full))
    return {
        "room_id": pair.room_id,
        "observed": report.observed,
        "writes": report.effects,
        "conflicts": len(report.conflicts),
        "skipped": len(report.skips),
        "halted": report.halt.reason if report.halt else "",
        "error": "" if report.halt else report.error,
        "retry_after": report.wait,
    }


def _notify(system: System) -> int:
    """Send what is queued, until nothing more leaves; how many notices were sent."""
    from calsync.engine.calls import run_inline
    from calsync.engine.notify import deliver_notices
    from calsync.engine.reminders import Reminders

    if system.notifier is None:
        return 0
    home, total = system.home, 0
    home.store.doubt_notices()
    pairs = {pair.id: pair for pair in home.store.pairs()}
    Reminders(system.context).look(pairs)
    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    closed: set[str] = set()
    while True:
        done = run_inline(
            deliver_notices(
                *(home.store, system.notifier),
                pairs=pairs,
                rooms=rooms,
                closed=closed,
                now=home.clock.now,
            )
        )
        total += done.sent
        closed |= done.waits.keys()
        if not done.sent:
            return total


def _print(results: list[dict[str, Any]], sent: int) -> None:
    print_table(
        ["room", "seen", "writes", "conflicts", "skipped", "what went wrong"],
        [
            (
                entry["room_id"],
                entry["observed"],
                entry["writes"],
                entry["conflicts"] or "",
                entry["skipped"] or "",
                entry["halted"] or entry["error"],
            )
            for entry in results
        ],
        empty="No rooms are mapped. Map one with: calsync rooms map ROOM MAILBOX",
    )
    if sent:
        print_line(f"{sent} notice(s) sent.")

"""``calsync plan``: what the next cycle would do, with nothing sent and nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, connected
from calsync.cli.output import clean, print_json, print_line, print_table
from calsync.errors import SideError
from calsync.model import Effect, EffectKind, Occupancy, Pair, Plan

if TYPE_CHECKING:
    from calsync.bootstrap import System

#: Effects that answer the person who booked.
_ANSWERS = (EffectKind.CONFIRM_BOOKING, EffectKind.REJECT_BOOKING)


def plan(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show every write, deletion and mail of the next sync. Nothing is sent or changed.

    Reads both sides as a sync would. Creating an event is followed by a confirmation to the
    person who booked on the platform; a first import sends no mail at all. Exit status 1 if a
    room could not be read.
    """
    with connected(settings, dry_run=True) as system:
        found = [_preview(system, pair) for pair in chosen_pairs(system.home, rooms or [])]
    if as_json:
        print_json({"rooms": found})
    else:
        _print(found)
    if any(entry["error"] for entry in found):
        raise typer.Exit(FAILED)


def _preview(system: System, pair: Pair) -> dict[str, Any]:
    from calsync.engine.calls import run_inline
    from calsync.engine.cycle import preview

    entry: dict[str, Any] = {
        "room_id": pair.room_id,
        "mailbox": pair.mailbox,
        "error": "",
        "halted": "",
        "first_import": not system.context.state(pair).imported,
        "writes": [],
        "mails": [],
        "conflicts": [],
        "skipped": [],
    }
    try:
        decided: Plan = run_inline(preview(system.context, pair))
    except SideError as error:
        entry["error"] = str(error)
        return entry
    mails = system.notifier is not None and not entry["first_import"]
    kinds = system.home.settings.notices.kinds
    entry["halted"] = decided.halt.reason if decided.halt else ""
    entry["writes"] = [_write(effect) for effect in decided.effects]
    entry["mails"] = [_mail(e) for e in decided.effects if mails and _answers(e, kinds)]
    entry["conflicts"] = [
        {"kind": c.kind, "winner": c.winner, "policy": c.policy, "reason": c.reason}
        for c in decided.conflicts
    ]
    entry["skipped"] = [{"link_id": s.link_id, "reason": s.reason} for s in decided.skips]
    return entry


def _write(effect: Effect) -> dict[str, Any]:
    return {
        "what": effect.kind,
        "side": effect.kind.side,
        "deletes": effect.kind.frees,
        "key": effect.key,
        "link_id": effect.link_id,
        "why": effect.why,
        "was": _time(effect.was),
        "becomes": _time(effect.target),
        "refusal": effect.refusal.reason if effect.refusal else "",
    }


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


def _answers(effect: Effect, kinds: tuple[str, ...]) -> bool:
    kind = "confirmed" if effect.kind is EffectKind.CONFIRM_BOOKING else "rejected"
    return effect.kind in _ANSWERS and kind in kinds and bool(effect.person.address)


def _mail(effect: Effect) -> dict[str, Any]:
    confirmed = effect.kind is EffectKind.CONFIRM_BOOKING
    return {"to": effect.person.address, "kind": "confirmed" if confirmed else "rejected"}


# --- for people ------------------------------------------------------------------------------


def _print(found: list[dict[str, Any]]) -> None:
    for entry in found:
        _print_room(entry)
    writes = sum(len(entry["writes"]) for entry in found)
    deletions = sum(write["deletes"] for entry in found for write in entry["writes"])
    mails = sum(len(entry["mails"]) for entry in found)
    print_line(
        f"{len(found)} room(s): {writes} write(s), {deletions} of them free time, {mails} mail(s)."
        " Nothing was sent."
    )


def _print_room(entry: dict[str, Any]) -> None:
    first = " (first import: quiet, no mail)" if entry["first_import"] else ""
    print_line(f"{entry['room_id']} ↔ {entry['mailbox']}{first}")
    if entry["error"]:
        print_line(f"  could not be read: {entry['error']}")
        return
    if entry["halted"]:
        print_line(f"  would stop and ask you: {entry['halted']}")
    print_table(
        ["  write", "when", "why"],
        [(f"  {w['what'].value}", _moment(w), w["why"]) for w in entry["writes"]],
        empty="  Nothing to write.",
    )
    for mail in entry["mails"]:
        print_line(f"  mail to {clean(mail['to'])}: {mail['kind']}")
    for conflict in entry["conflicts"]:
        print_line(f"  {conflict['kind'].value}: {conflict['reason']}")
    for skip in entry["skipped"]:
        print_line(f"  left alone: {skip['reason']}")


def _moment(write: dict[str, Any]) -> str:
    """When it is, or from when to when it moves."""
    times = [_span(write[key]) for key in ("was", "becomes") if write[key]]
    return " → ".join(dict.fromkeys(times))


def _span(time: dict[str, Any]) -> str:
    start, end = time["start"], time["end"]
    zone = time["zone"] or "all day"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{until} {zone}{', series' if time['series'] else ''}"

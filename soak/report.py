"""A run's figures for people: a page of Markdown, and charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soak.figures import MEMORY_LIMIT, MEMORY_MINUTES, warm
from soak.fit import trend
from soak.plot import Chart, Line, svg
from soak.samples import Sample


def charts(made: dict[str, Any], samples: Sequence[Sample]) -> str:
    """The SVG of a run."""

    def line(name: str, values: Sequence[float]) -> Line:
        return Line(name, [(one.at / 60, y) for one, y in zip(samples, values, strict=True)])

    slow = {
        side: [row for row in made["latency_by_minute"] if row["side"] == side]
        for side in ("outlook", "platform")
    }
    shown = {"outlook": "Outlook → platform", "platform": "platform → Outlook"}
    title = (
        f"calsync soak: {made['rooms']} rooms, {made['minutes']:.0f} minutes,"
        f" {made['acts_per_room_hour']} acts per room-hour,"
        f" {100 * (made['fault_share'] or 0):.1f} % faults"
    )
    return svg(
        title,
        [
            Chart(
                "Memory of calsync serve",
                "MB",
                [line("resident", [one.rss_mb for one in samples]), *_fit(samples)],
                from_zero=False,
            ),
            Chart(
                "Files of the database",
                "MB",
                [
                    line("database", [one.database_mb for one in samples]),
                    line("write-ahead log", [one.wal_mb for one in samples]),
                ],
            ),
            Chart(
                "Still to be done",
                "count",
                [
                    line("writes in the outbox", [one.open_effects for one in samples]),
                    line("bookings not settled", [one.unsettled for one in samples]),
                    line("rooms that differ", [one.differing for one in samples]),
                ],
            ),
            Chart(
                "How long the room that differs longest does so",
                "s",
                [line("longest", [one.oldest_s for one in samples])],
            ),
            Chart(
                "From an act to the other side, by minute",
                "s",
                [
                    Line(
                        f"{shown[side]}, {share}",
                        [(row["minute"] + 0.5, row[share] / 1000) for row in rows],
                    )
                    for side, rows in slow.items()
                    for share in ("p50", "p95")
                ],
            ),
            Chart("Calls to the tenant", "per s", _rates(samples)),
            Chart(
                "Open files and threads",
                "count",
                [
                    line("files", [one.files for one in samples]),
                    line("threads", [one.threads for one in samples]),
                ],
            ),
        ],
    )


def _fit(samples: Sequence[Sample]) -> list[Line]:
    kept = warm(samples)
    found = trend([one.at for one in kept], [one.rss_mb for one in kept])
    if found is None:
        return []
    middle = (kept[0].at + kept[-1].at) / 2
    mean = sum(one.rss_mb for one in kept) / len(kept)
    ends = [
        (at / 60, mean + found.per_hour * (at - middle) / 3600) for at in (kept[0].at, kept[-1].at)
    ]
    return [Line(f"{found.per_hour:+.2f} ± {found.margin:.2f} MB/h", ends, dashed=True)]


def _rates(samples: Sequence[Sample]) -> list[Line]:
    """Calls and failures a second, over about half a minute."""
    calls, errors = [], []
    step = max(1, len(samples) // 60)
    for early, late in zip(samples[::step], samples[step::step], strict=False):
        span = late.at - early.at
        calls.append((late.at / 60, (late.calls - early.calls) / span))
        errors.append((late.at / 60, (late.errors - early.errors) / span))
    return [Line("calls", calls), Line("failed", errors)]


def markdown(made: dict[str, Any], *, plot: str) -> str:
    """The summary. ``plot``: the name of the charts' file beside it."""
    memory, verdict, acts = made["memory"], made["verdict"], made["acts"]
    rows = [
        ("length", f"{made['minutes']} minutes, seed {made['seed']}"),
        (
            "rooms",
            f"{made['rooms']}, polled every {made['poll_s'][0]:g} to {made['poll_s'][1]:g} s",
        ),
        (
            "acts of people",
            f"{acts['outlook']} in Outlook, {acts['platform']} on the platform;"
            f" {made['acts_per_room_hour']} per room-hour; {made['carried']} carried across",
        ),
        (
            "calls to the tenant",
            f"{made['calls']}, of which {made['failed_calls']} got no or a refusing answer;"
            f" {sum(made['faults_fired'].values())} faults"
            f" ({100 * (made['fault_share'] or 0):.1f} %) of {len(made['faults_fired'])} kinds",
        ),
        ("memory", _memory(memory)),
        ("processor", f"{100 * (made['cpu_share'] or 0):.0f} % of one core"),
        ("database", f"{made['bytes_per_act']} bytes more for each act"),
        *[
            (f"{name}, ms", _percentiles(verdict["latency_ms"][key]))
            for name, key in (
                ("Outlook → platform", "outlook_to_platform"),
                ("platform → Outlook", "platform_to_outlook"),
            )
        ],
        ("start-up, first import", f"{made['start_s']} s, {made['import_s']} s"),
        ("at rest after healing", f"{made['rest_s']} s"),
        ("races for one time", _fates(verdict["clashes"])),
        ("edits of both sides", _fates(verdict["edit_conflicts"])),
        ("notices", _notices(verdict["notices"])),
        *[
            (name.replace("_", " "), str(verdict[name]))
            for name in (
                "lost",
                "invented",
                "double_booked_by_calsync",
                "differences_at_rest",
                "writes_while_idle",
            )
        ],
        ("violations while it ran", str(len(made["violations_while_running"]))),
    ]
    lines = [
        "# Soak",
        "",
        f"Verdict: **{'in order' if made['ok'] else 'NOT in order'}**.",
        "",
        *[f"- {what}" for what in made["failed"]],
        *([""] if made["failed"] else []),
        "| what | measured |",
        "| --- | --- |",
        *[f"| {name} | {text} |" for name, text in rows],
        "",
        f"![Charts]({plot})",
        "",
        "## Faults that fired",
        "",
        "| fault | times |",
        "| --- | --- |",
        *[f"| {kind} | {count} |" for kind, count in made["faults_fired"].items()],
        "",
    ]
    return "\n".join(lines)


def _memory(memory: dict[str, Any]) -> str:
    slope = memory["slope_mb_per_h"]
    if slope is None:
        return f"at most {memory['peak_mb']} MB; too short for a slope"
    if not memory["judged"]:
        word = f"not judged: shorter than {MEMORY_MINUTES:g} minutes"
    elif memory["failed"]:
        word = "grows"
    elif memory["shown"]:
        word = f"shown to be under {MEMORY_LIMIT:g} MB/h"
    else:
        word = (
            f"no growth shown, but not shown to be under {MEMORY_LIMIT:g} MB/h either: run longer"
        )
    return (
        f"at most {memory['peak_mb']} MB; after the warm-up {memory['after_warm_up_mb']} MB, at the"
        f" end {memory['at_end_mb']} MB; slope {slope['slope']:+.2f} ± {slope['margin_95']:.2f}"
        f" MB/h (95 %, {slope['blocks']} blocks); {word}"
    )


def _percentiles(found: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {'–' if ms is None else f'{ms:.0f}'}" for name, ms in found.items())


def _fates(found: dict[str, int]) -> str:
    return f"{found['happened']} happened, {found['resolved']} resolved, {found['parked']} open"


def _notices(found: dict[str, int]) -> str:
    return (
        f"{found['sent']} sent, {found['duplicated']} twice, {found['missing']} missing,"
        f" {found['flagged']} flagged as in doubt"
    )

"""From a run's course to its figures and its verdict. Pure: what is measured is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import ceil
from typing import Any

from soak.fit import Trend, trend
from soak.run import Course
from soak.samples import Sample

#: MB an hour that memory may grow by, and the shortest run that is judged by it.
MEMORY_LIMIT, MEMORY_MINUTES = 1.0, 30.0
#: Seconds that count as warm-up, but no more than this share of the run: caches fill, pools grow to
#: their size, and the budgets of calls come to hold the ten minutes that they remember.
WARM_UP_S, WARM_UP_SHARE = 720.0, 0.4
#: The write-ahead log is checkpointed at 8,000 pages (31 MB); this many MB mean that it was not.
WAL_LIMIT = 128.0
#: By how much each measure of the backlog may rise: less is chance. (What was denied for lack of
#: rights is tried again after five minutes.)
_BACKLOG = (("open_effects", 20), ("unsettled", 20), ("differing", 20), ("oldest_s", 400))
#: Open files and threads beyond what they were after the warm-up.
FILES_SLACK, THREADS_SLACK = 25, 8


def figures(course: Course) -> dict[str, Any]:
    """The whole report as JSON. ``ok`` is what the exit status says, ``failed`` why."""
    plan, verdict = course.plan, course.verdict
    samples = [asdict(one) for one in course.samples]
    minutes = course.samples[-1].at / 60 if course.samples else 0.0
    acts = sum(verdict["acts"].values())
    last = course.samples[-1] if course.samples else None
    memory = memory_figures(course.samples)
    failed = [
        *_broken(course),
        *memory["failed"],
        *backlog_grows(course.samples),
        *_leaks(course.samples),
    ]
    return {
        "ok": not failed,
        "failed": failed,
        "minutes": round(minutes, 2),
        "rooms": plan.rooms,
        "seed": plan.seed,
        "poll_s": [plan.poll_floor, plan.poll_ceiling],
        "acts": verdict["acts"],
        "acts_per_room_hour": round(acts / plan.rooms / minutes * 60, 1) if minutes else None,
        "carried": verdict["carried"],
        "start_s": round(course.start_s, 2),
        "import_s": round(course.import_s, 1),
        "rest_s": round(course.rest_s, 1),
        "memory": memory,
        "latency_ms": verdict["latency_ms"],
        "latency_by_minute": latency_by_minute(course.carried),
        "calls": last.calls if last else 0,
        "failed_calls": last.errors if last else 0,
        "faults_fired": dict(sorted(course.faults.items())),
        "fault_share": fault_share(course),
        "cpu_share": cpu_share(course.samples),
        "bytes_per_act": bytes_per_act(course.samples),
        "violations_while_running": course.always,
        "verdict": {k: v for k, v in verdict.items() if k != "details"},
        "details": verdict["details"],
        "samples": samples,
    }


# --- memory ------------------------------------------------------------------------------------


def warm(samples: Sequence[Sample]) -> list[Sample]:
    """Those after the warm-up."""
    until = min(WARM_UP_S, samples[-1].at * WARM_UP_SHARE) if samples else 0.0
    return [one for one in samples if one.at >= until]


def memory_figures(samples: Sequence[Sample]) -> dict[str, Any]:
    """The slope of the resident memory. ``shown``: whether the run shows it to be under the
    limit; ``failed``: it grows for sure, and by the limit or more."""
    kept = warm(samples)
    times = [one.at for one in kept]
    slope = trend(times, [one.rss_mb for one in kept])
    anonymous = trend(times, [one.anon_mb for one in kept])
    long_enough = bool(samples) and samples[-1].at >= MEMORY_MINUTES * 60 * 0.98
    grows = slope is not None and slope.per_hour >= MEMORY_LIMIT and slope.low > 0
    failed = []
    if grows and long_enough and slope is not None:
        failed.append(
            f"memory grows by {slope.per_hour:.2f} ± {slope.margin:.2f} MB/h"
            f" (at most {MEMORY_LIMIT:g})"
        )
    return {
        "slope_mb_per_h": _of(slope),
        "anonymous_mb_per_h": _of(anonymous),
        "after_warm_up_mb": round(kept[0].rss_mb, 1) if kept else None,
        "at_end_mb": round(kept[-1].rss_mb, 1) if kept else None,
        "peak_mb": round(max((one.rss_mb for one in samples), default=0.0), 1),
        "judged": long_enough,
        "shown": slope is not None and slope.high < MEMORY_LIMIT,
        "failed": failed,
    }


def _of(found: Trend | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {
        "slope": round(found.per_hour, 3),
        "margin_95": round(found.margin, 3),
        "blocks": found.points,
    }


# --- what else may grow ------------------------------------------------------------------------


def backlog_grows(samples: Sequence[Sample]) -> list[str]:
    """What is still to be done rises for sure, and by more than a handful over the run."""
    kept = warm(samples)
    times = [one.at for one in kept]
    found = []
    for name, few in _BACKLOG:
        rise = trend(times, [float(getattr(one, name)) for one in kept])
        if rise is None or rise.low <= 0:
            continue
        whole = rise.per_hour * (times[-1] - times[0]) / 3600
        if whole > few:
            found.append(f"the backlog grows: {name} by {whole:.0f} while it ran")
    return found


def _leaks(samples: Sequence[Sample]) -> list[str]:
    kept = warm(samples)
    if not kept:
        return []
    found = []
    for name, slack in (("files", FILES_SLACK), ("threads", THREADS_SLACK)):
        early = max(getattr(one, name) for one in kept[: len(kept) // 3 + 1])
        late = _median(getattr(one, name) for one in kept[-(len(kept) // 3 + 1) :])
        if late > early + slack:
            found.append(f"open {name} grow: from at most {early} to {late:g}")
    most = max(one.wal_mb for one in samples)
    if most > WAL_LIMIT:
        found.append(f"the write-ahead log grew to {most:.0f} MB")
    return found


def _broken(course: Course) -> list[str]:
    found = [f"while it ran: {what}" for what in course.always[:5]]
    found += course.verdict["details"][:20]
    if not course.rested and not any("rest" in one for one in found):
        found.append("the two sides did not come to rest in time")
    found += course.rooms_in_trouble[:5]
    if course.log_troubles:
        found.append(f"{course.log_troubles} unforeseen errors in the log of serve")
    return found


# --- smaller figures -----------------------------------------------------------------------------


def latency_by_minute(carried: Iterable[tuple[float, str, float]]) -> list[dict[str, Any]]:
    """Percentiles (ms) of the acts of each minute, by the side they were made on."""
    held: dict[tuple[int, str], list[float]] = {}
    for at, side, ms in carried:
        held.setdefault((int(at // 60), side), []).append(ms)
    return [
        {
            "minute": minute,
            "side": side,
            "count": len(found),
            **{f"p{share}": round(_percentile(found, share), 1) for share in (50, 95, 99)},
        }
        for (minute, side), found in sorted(held.items())
    ]


def fault_share(course: Course) -> float | None:
    """Faults for each call while people acted (none are armed before and after)."""
    if not course.samples:
        return None
    calls = course.samples[-1].calls - course.calls_before
    return round(sum(course.faults.values()) / max(1, calls), 4)


def cpu_share(samples: Sequence[Sample]) -> float | None:
    """Processor seconds of ``calsync serve`` for each second."""
    if len(samples) < 2:
        return None
    span = samples[-1].at - samples[0].at
    return round((samples[-1].cpu_s - samples[0].cpu_s) / span, 3)


def bytes_per_act(samples: Sequence[Sample]) -> int | None:
    """What an act of somebody adds to the database."""
    acts = samples[-1].acts - samples[0].acts if len(samples) > 1 else 0
    if not acts:
        return None
    return int((samples[-1].database_mb - samples[0].database_mb) * 1024 * 1024 / acts)


def _percentile(values: Sequence[float], share: int) -> float:
    found = sorted(values)
    return found[max(0, ceil(share / 100 * len(found)) - 1)]


def _median(values: Iterable[float]) -> float:
    return _percentile(list(values), 50)

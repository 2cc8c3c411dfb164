"""The verdict over a run, from `Records` alone: pure, and independent of calsync's own records.

Definitions (each in full where it is computed):

* **differences_at_rest**: multiset difference of expanded instances per room between the dump of
  the sandbox and the platform: start, end, whole days, free/busy kind, and title where carried;
* **lost**: a booking of an accepted act, not cancelled by an act, that a side lacks at rest
  although it is not the recorded loser of a real clash; or whose end is none that its acts admit
  (a one-sided edit that was reverted), see ``endings``;
* **invented**: a live item that no act explains, or a second image of one booking in one store;
* **double_booked_by_calsync**: see ``clashes.double_booked``;
* **clashes**, **edit_conflicts**: ``happened`` by the log of acts; ``resolved`` where exactly one
  claim stands, or the booking has one admissible end on both sides; ``parked`` otherwise;
* **notices**: see ``measure.notices``; **carried**: acts whose effect reached the other side;
* **writes_while_idle**: calsync's writes in the sandbox's log and lines of the hub's feed while
  nobody acts after rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calsync.demo.clashes import Clash, clashes, double_booked, unresolved
from calsync.demo.endings import judge_endings
from calsync.demo.measure import calls, latency, notices
from calsync.demo.records import Records
from calsync.demo.story import acts_of, stories
from calsync.sandbox.wishes import Side, State

Report = dict[str, Any]


def judge(records: Records) -> Report:
    """The report of a run. ``ok`` is what the exit status says; ``details`` is for debugging."""
    found = stories(records)
    acts = acts_of(found.values())
    races = clashes(found)
    ends = judge_endings(found, records, races)
    doubled = double_booked(found, records, ends.rest)
    told = notices(found, records)
    speed = latency(found)
    idle = records.idle.app_writes + records.idle.feed_lines
    report: Report = {
        "seed": records.seed,
        "seconds": records.seconds,
        "rooms": len(records.rooms),
        "acts": {
            side: sum(act.side == side for _, act in acts) for side in ("outlook", "platform")
        },
        "carried": sum(len(one) for one in speed.samples.values()),
        "latency_ms": {
            "outlook_to_platform": speed.percentiles("outlook"),
            "platform_to_outlook": speed.percentiles("platform"),
        },
        "clashes": _clashes(races, ends.rest),
        "edit_conflicts": {
            "happened": ends.fights_settled + ends.fights_open,
            "resolved": ends.fights_settled,
            "parked": ends.fights_open,
        },
        "declines_sent": sum(
            line["who"] == "app" and line["kind"] == "decline" for line in records.log
        ),
        "calls": calls(records, len(acts)),
        "throttled_answers": records.throttled,
        "notices": {
            "sent": told.sent,
            "duplicated": len(told.duplicated),
            "missing": len(told.missing),
        },
        "differences_at_rest": len(ends.differences),
        "writes_while_idle": idle,
        "lost": len(ends.lost),
        "invented": len(ends.invented),
        "double_booked_by_calsync": len(doubled),
    }
    details = [
        *ends.differences,
        *ends.lost,
        *ends.invented,
        *doubled,
        *told.duplicated,
        *told.missing,
    ]
    if idle:
        details.append(
            f"{records.idle.app_writes} writes to mailboxes and {records.idle.feed_lines} lines in "
            f"the platform's feed within {records.idle.seconds:.1f} s in which nobody acted"
        )
    details += _broken_answers(records)
    if not records.rested:
        details.append("the two sides did not come to rest in time")
    return report | _extras(records) | {"ok": not details, "details": details}


def _clashes(races: Sequence[Clash], rest: Mapping[Side, Mapping[str, State]]) -> dict[str, int]:
    parked = sum(unresolved(race, rest) for race in races)
    return {"happened": len(races), "resolved": len(races) - parked, "parked": parked}


def _broken_answers(records: Records) -> list[str]:
    """An API that fails is not in order, whatever became of the bookings."""
    return [
        f"the {line['side']} side answered {line['answer']['status']} to {line['did']}"
        for line in records.log
        if line["kind"] == "act" and (line.get("answer") or {}).get("status", 0) >= 500
    ]


def _extras(records: Records) -> Report:
    """Beside what was asked for: what the sides refused themselves, and what stood before."""
    tried = [line for line in records.log if line["who"] == "people" and line["kind"] == "act"]
    return {
        "refused_by_the_side": sum(not line["accepted"] for line in tried),
        "seeded": sum(line["did"] == "seeded" for line in tried),
        "idle_seconds": round(records.idle.seconds, 1),
    }

"""When calsync could not know whether people saw what it had written: from a write whose answer it
never heard (it was killed, or the answer was lost) until it read that mailbox again.

Whoever changes an item in between changes it over a state of which calsync does not know that it
ever stood there. Two changes of one thing are then an edit conflict to it, whichever came last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from calsync.demo.records import Doubt, Records, instant

#: A call that was on its way at a kill may be carried out a moment after it.
_AROUND = timedelta(seconds=1)
#: A write is noted a moment before its call is.
_CALL = timedelta(seconds=0.5)
#: Faults after which the work is done, and nobody heard.
_UNHEARD = frozenset(
    {
        "reply_lost",
        "reset_mid_body",
        "truncated_json",
        "garbage_json",
        "error_after",
        "html_after",
    }
)


def doubts(records: Records, kills: Sequence[datetime] = ()) -> list[Doubt]:
    """Every span of doubt, by mailbox."""
    moments = sorted([*_unheard(records.calls), *((at, _AROUND) for at in kills)])
    starts = [at for at, _ in moments]
    reads = _reads(records.calls)
    found = []
    for line in records.log:
        if line["who"] != "app":
            continue
        at = instant(line["time"])
        near = range(
            bisect_right(starts, at - _AROUND - timedelta(microseconds=1)),
            bisect_right(starts, at + _AROUND),
        )
        ends = [moments[n][0] for n in near if abs(moments[n][0] - at) <= moments[n][1]]
        if ends:
            box = str(line["mailbox"]).casefold()
            found.append(Doubt(box, at, _next(reads.get(box, []), max([at, *ends]))))
    return found


def _unheard(calls: Iterable[Mapping[str, Any]]) -> Iterable[tuple[datetime, timedelta]]:
    for call in calls:
        if call["method"] != "GET" and _UNHEARD & set(call.get("faults", ())):
            yield instant(call["time"]), _CALL


def _reads(calls: Iterable[Mapping[str, Any]]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for call in calls:
        clean = 200 <= int(call["status"]) < 300 and not call.get("faults")
        if call["method"] == "GET" and call["mailbox"] and clean:
            found.setdefault(str(call["mailbox"]).casefold(), []).append(instant(call["time"]))
    return found


def _next(reads: Sequence[datetime], after: datetime) -> datetime | None:
    number = bisect_right(reads, after)
    return reads[number] if number < len(reads) else None

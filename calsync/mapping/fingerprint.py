"""The canonical text of an occupancy, and its fingerprint.

Equal occupancies give equal text, different ones different text. Members at their default are
left out, so a usual booking is three members long. The text is stored; a change of this form
changes every fingerprint and needs a migration.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from calsync.model import (
    Busy,
    Frequency,
    Nth,
    Occupancy,
    Override,
    Recurrence,
    Rule,
    Weekday,
)

_BUSY_TEXT: Final = {busy: "" if busy is Busy.BUSY else f',"busy":"{busy.value}"' for busy in Busy}


def dumps(occ: Occupancy) -> str:
    """Canonical compact JSON: fixed order of members, ASCII only."""
    # Written by hand: this runs once per event seen, and json.dumps takes three times as long.
    zone = occ.zone
    if zone == "UTC":
        zone_text = ""
    else:
        zone_text = ',"zone":null' if zone is None else f',"zone":{encode_basestring_ascii(zone)}'
    title = occ.title
    title_text = "" if title is None else f',"title":{encode_basestring_ascii(title)}'
    private_text = ',"private":true' if occ.private else ""
    series_text = "" if occ.recurrence is None else f',"series":{_series_text(occ.recurrence)}'
    return (
        f'{{"start":"{occ.start.isoformat()}","end":"{occ.end.isoformat()}"{zone_text}'
        f"{_BUSY_TEXT[occ.busy]}{title_text}{private_text}{series_text}}}"
    )


def fingerprint(occ: Occupancy) -> str:
    """BLAKE2b of the canonical text, 16 bytes in hex."""
    return blake2b(dumps(occ).encode("ascii"), digest_size=16).hexdigest()


@lru_cache(maxsize=256)
def loads(text: str) -> Occupancy:
    """The occupancy of a text that ``dumps`` made. Raises ValueError or KeyError for others.

    The newest ones are kept: a room's few changed bookings are read at every step of its cycle.
    """
    raw: dict[str, Any] = json.loads(text)
    zone = raw.get("zone", "UTC")
    series = raw.get("series")
    return Occupancy(
        start=datetime.fromisoformat(raw["start"]),
        end=datetime.fromisoformat(raw["end"]),
        zone=zone,
        all_day=zone is None,
        busy=Busy(raw["busy"]) if "busy" in raw else Busy.BUSY,
        title=raw.get("title"),
        private=raw.get("private", False),
        recurrence=None if series is None else _series(series),
    )


def _series_text(series: Recurrence) -> str:
    rule = series.rule
    made: dict[str, Any] = {"freq": rule.frequency.value}
    if rule.interval != 1:
        made["interval"] = rule.interval
    if rule.by_day:
        made["byday"] = [[nth.position, nth.weekday.name] for nth in rule.by_day]
    if rule.by_month_day:
        made["bymonthday"] = rule.by_month_day
    if rule.by_month:
        made["bymonth"] = rule.by_month
    if rule.by_set_pos:
        made["bysetpos"] = rule.by_set_pos
    if rule.week_start is not Weekday.MO:
        made["wkst"] = rule.week_start.name
    if rule.count is not None:
        made["count"] = rule.count
    if rule.until is not None:
        made["until"] = rule.until.isoformat()
    if series.excluded:
        made["excluded"] = [at.isoformat() for at in series.excluded]
    if series.overrides:
        made["overrides"] = [_override_json(override) for override in series.overrides]
    return json.dumps(made, separators=(",", ":"))


def _override_json(override: Override) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": override.recurrence_id.isoformat(),
        "start": override.start.isoformat(),
        "end": override.end.isoformat(),
    }
    if override.all_day:
        made["allday"] = True
    if override.busy is not Busy.BUSY:
        made["busy"] = override.busy.value
    if override.title is not None:
        made["title"] = override.title
    if override.private:
        made["private"] = True
    return made


def _series(raw: dict[str, Any]) -> Recurrence:
    until = raw.get("until")
    rule = Rule(
        frequency=Frequency(raw["freq"]),
        interval=raw.get("interval", 1),
        by_day=tuple(Nth(Weekday[day], position) for position, day in raw.get("byday", ())),
        by_month_day=tuple(raw.get("bymonthday", ())),
        by_month=tuple(raw.get("bymonth", ())),
        by_set_pos=tuple(raw.get("bysetpos", ())),
        week_start=Weekday[raw.get("wkst", "MO")],
        count=raw.get("count"),
        until=None if until is None else date.fromisoformat(until),
    )
    return Recurrence(
        rule=rule,
        excluded=tuple(datetime.fromisoformat(at) for at in raw.get("excluded", ())),
        overrides=tuple(_override(item) for item in raw.get("overrides", ())),
    )


def _override(raw: dict[str, Any]) -> Override:
    return Override(
        recurrence_id=datetime.fromisoformat(raw["id"]),
        start=datetime.fromisoformat(raw["start"]),
        end=datetime.fromisoformat(raw["end"]),
        all_day=raw.get("allday", False),
        busy=Busy(raw.get("busy", "busy")),
        title=raw.get("title"),
        private=raw.get("private", False),
    )

"""From bytes to inputs that come near to what a parser expects.

Bytes that are thrown at a JSON reader seldom get past it. So the bytes are read as decisions
instead: a sample is taken apart, and a few of its values are replaced, dropped, repeated or
nested. The same bytes always give the same input, for any engine.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Final

#: Most changes of one sample.
MOST = 12

_DEEP: Any = "x"
for _ in range(40):
    _DEEP = [_DEEP]

#: What hostile, careless or broken senders put where something else is expected.
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**300,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "0",
    "-1",
    "null",
    "\x00",
    "a\x00b",
    "\n",
    "a\r\nX: y",
    "\x1b[2J\x1b]0;x\x07",
    "\u202ereversed\u202c",
    "\u2066\u2069\u200b\ufeff",
    "\ud800",
    "\udfff\ud800",
    "\U0010ffff",
    "e\u0301" * 300,
    "\u0130\u0131\u00df\ufb01",
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "'; DROP TABLE link; --",
    "{{7*7}}${7*7}%s%n",
    "../../etc/passwd",
    "http://169.254.169.254/",
    "x" * 5000,
    "x@" * 400,
    [],
    {},
    [[]],
    [None],
    {"": {}},
    _DEEP,
    ["x"] * 300,
    # Times and zones at the ends of what can be said.
    "0001-01-01T00:00:00.0000000",
    "9999-12-31T23:59:59.9999999",
    "9999-12-31T23:59:59",
    "4500-08-31T23:59:00",
    "1600-12-31T00:00:00",
    "2026-02-30T09:00:00",
    "2026-03-29T02:30:00",
    "2026-10-25T02:30:00",
    "2026-12-01T24:00:00",
    "2026-12-01T09:00:60Z",
    "2026-12-01T09:00:00+14:00",
    "2026-12-01",
    "0000-00-00",
    "12026-12-01T09:00:00",
    "\u0662\u0660\u0662\u0666-12-01T09:00:00",
    "Europe/Berlin",
    "W. Europe Standard Time",
    "Customized Time Zone",
    "tzone://Microsoft/Custom",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
    "America/Scoresbysund",
    "../../../etc/localtime",
    "posix/Europe/Berlin",
    "America",
    # Durations and rules.
    "P1D",
    "PT1H",
    "P99999999999D",
    "PT0S",
    "-PT1H",
    "P1W1D",
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=999;COUNT=10000",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=MONTHLY;BYDAY=5FR;BYSETPOS=-1",
    "FREQ=SECONDLY;COUNT=9999999999",
    "daily",
    "weekly",
    "absoluteMonthly",
    "relativeYearly",
    "noEnd",
    "endDate",
    "numbered",
    "monday",
    "last",
    "seriesMaster",
    "occurrence",
    "exception",
    "@removed",
)


class Decisions:
    """Bytes, read as numbers one after another; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def below(self, limit: int) -> int:
        """A number from 0 up to, and without, ``limit``."""
        size = 1 if limit <= 256 else 2
        raw = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(raw, "big") % max(limit, 1)

    def rest(self) -> bytes:
        raw, self._at = self._data[self._at :], len(self._data)
        return raw

    def text(self) -> str:
        size = self.below(64)
        raw = self._data[self._at : self._at + size]
        self._at += size
        return raw.decode("utf-8", "surrogateescape")

    def odd(self) -> Any:
        """Something odd; sometimes a text of the bytes themselves."""
        number = self.below(len(ODD) + 20)
        return copy.deepcopy(ODD[number]) if number < len(ODD) else self.text()


def near(data: bytes | Decisions, *samples: Any) -> Any:
    """One of ``samples`` (JSON values) with a few changes; itself where there are no bytes."""
    choose = data if isinstance(data, Decisions) else Decisions(data)
    value = copy.deepcopy(samples[choose.below(len(samples)) if len(samples) > 1 else 0])
    changes = 0
    # Where bytes run out in the middle, zeros would say the same each time.
    while choose.left >= 4 and changes < MOST:
        value = _changed(choose, value)
        changes += 1
    return value


def as_text(value: Any) -> bytes:
    """JSON as a careless sender writes it: NaN and halves of surrogate pairs included."""
    return json.dumps(value).encode()


def _changed(choose: Decisions, value: Any) -> Any:
    """``value`` with one change somewhere below, or in its own place."""
    parent: Any = None
    place: Any = None
    here = value
    for level in range(12):
        # Seldom all of it: nothing is left to look at then.
        stops = choose.below(4 if level else 32) == 0
        if not isinstance(here, dict | list) or not here or stops:
            break
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        parent, place = here, keys[choose.below(len(keys))]
        here = parent[place]
    new = _act(choose, parent, place, here)
    if parent is None:
        return new
    if place in parent if isinstance(parent, dict) else place < len(parent):
        parent[place] = new
    return value


def _act(choose: Decisions, parent: Any, place: Any, here: Any) -> Any:
    match choose.below(8):
        case 0 | 1 | 2:
            return choose.odd()
        case 3 if isinstance(parent, dict):
            del parent[place]
        case 4 if isinstance(here, dict):
            here[str(choose.odd())[:200]] = choose.odd()
        case 4 if isinstance(here, list):
            here.append(choose.odd())
        case 5 if isinstance(here, str):
            at = choose.below(len(here) + 1)
            return here[:at] + choose.text() + here[at:]
        case 5 if isinstance(here, int) and not isinstance(here, bool):
            return here + choose.below(512) - 256
        case 6 if isinstance(here, list):
            return here * (2 + choose.below(5))
        case 6 if isinstance(parent, dict):
            # Another member's value: right for that one, wrong here.
            keys = list(parent)
            return copy.deepcopy(parent[keys[choose.below(len(keys))]])
        case 7 if isinstance(here, str) and here:
            at = choose.below(len(here))
            return here[:at] + chr(choose.below(0x300)) + here[at + 1 :]
    return here

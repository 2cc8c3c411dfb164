"""The faults, by the numbers of the project's reliability notes, and the count of each.

``Where`` says who brings it about: the wire (a request meets it), the world (Exchange or its
admin), a hint (what should wake a room up), people (what they book), or our own process.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Where(StrEnum):
    WIRE = "wire"
    WORLD = "world"
    HINT = "hint"
    PEOPLE = "people"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Fault:
    """``rate``: its weight among those of its place. ``ops``: the operations that can meet it
    (empty: any)."""

    number: int
    name: str
    where: Where
    rate: float = 1.0
    ops: frozenset[str] = frozenset()


READS = frozenset({"delta", "list", "read", "find"})
WRITES = frozenset({"create", "change", "delete", "answer"})
DELTA = frozenset({"delta"})


def _f(
    number: int, name: str, where: Where, rate: float = 1.0, ops: frozenset[str] = frozenset()
) -> Fault:
    return Fault(number, name, where, rate, ops)


_W, _X, _H, _P, _O = Where.WIRE, Where.WORLD, Where.HINT, Where.PEOPLE, Where.PROCESS

FAULTS: tuple[Fault, ...] = (
    _f(1, "request lost before the server", _W),
    _f(2, "reply lost after commit", _W, 2.0),
    _f(3, "server works on after our timeout", _W),
    # Mail has no name by which its second coming could be known.
    _f(4, "request doubled by a proxy", _W, 1.0, READS | WRITES | {"batch", "sign in"}),
    _f(5, "reset in mid-body", _W),
    _f(6, "truncated or garbled JSON", _W),
    _f(7, "502, 503 or 504 after commit", _W, 2.0),
    _f(8, "503 before", _W),
    _f(9, "name resolution or TLS failure", _W),
    _f(10, "slow drip", _W, 0.5),
    _f(11, "login page with 200", _W),
    _f(12, "redirect", _W, 0.5),
    _f(13, "429 with every form of Retry-After", _W),
    _f(14, "server busy, with a back-off", _W),
    _f(15, "mailbox concurrency", _W, 0.5),
    _f(16, "throttled by delay", _W, 0.5),
    _f(17, "429 for some parts of a batch", _W, 4.0, frozenset({"batch"})),
    _f(18, "batch stopped in the middle", _W, 4.0, frozenset({"batch"})),
    _f(19, "token expires between two pages", _W, 2.0, DELTA),
    _f(20, "secret rotated or revoked", _X, 0.5),
    _f(21, "permission removed from a room", _X),
    _f(22, "clock skew of up to 10 minutes", _O),
    _f(23, "delta replay", _W, 2.0, DELTA),
    _f(24, "delta out of order", _W, 2.0, DELTA),
    _f(25, "delta token void", _W, 1.0, DELTA),
    _f(26, "same cursor returned", _W, 1.0, DELTA),
    _f(27, "page short though more exist", _W, 2.0, DELTA),
    _f(28, "stale read after a write", _W, 2.0, READS),
    _f(29, "item changes between list and get", _W, 2.0, frozenset({"read", "list", "batch"})),
    _f(30, "list empty by mistake", _W, 0.5, DELTA),
    _f(31, "deleted and created instead of updated", _X),
    _f(32, "id changed by a move", _X),
    _f(33, "hint lost", _H),
    _f(34, "hint five times", _H),
    _f(35, "hint 30 minutes late", _H),
    _f(36, "hints reordered", _H),
    _f(37, "flood of hints", _H, 0.5),
    _f(38, "forged hint", _H),
    _f(39, "no hints any more", _H),
    _f(40, "connection half open", _W, 0.5),
    _f(41, "auto-accept rewrites after up to 60 s", _X),
    _f(42, "auto-decline", _P),
    _f(43, "series accepted in part", _P),
    _f(44, "cancelled meeting stays as cancelled", _P),
    _f(45, "organizer changes while we write", _W, 2.0, frozenset({"change", "delete", "answer"})),
    _f(46, "copy stripped of our tag", _X),
    _f(47, "created without its tag", _W, 2.0, frozenset({"create"})),
    _f(48, "mailbox moved to another server", _X, 0.5),
    _f(49, "room renamed, hidden, or made anew", _X),
    _f(50, "restore from a backup", _X, 0.04),
    _f(51, "time in a DST gap or overlap", _P),
    _f(52, "zone rules updated", _X),
    _f(53, "all-day in another zone", _P),
    _f(54, "no length, five years, past, without end", _P),
    _f(55, "hostile text", _P),
    _f(56, "room with thousands of items", _X, 0.01),
    _f(57, "crash", _O, 4.0),
    _f(58, "two workers on one room", _O, 2.0),
    _f(59, "database locked, full, or its last commit lost", _O, 2.0),
    _f(60, "upgrade in mid-work", _O),
    _f(61, "configuration changed", _O, 0.5),
    _f(62, "our database of yesterday restored", _O, 0.05),
)
BY_NUMBER = {fault.number: fault for fault in FAULTS}


@dataclass(slots=True)
class Tally:
    """How often each (fault, operation) happened."""

    fired: Counter[tuple[int, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def struck(self, number: int, operation: str) -> None:
        self.fired[number, operation] += 1


class Weather:
    """Which faults are about in this round, and whether one strikes now.

    ``without``: numbers that never strike (for shrinking a story). ``storm``: the chance that a
    call meets any at all.
    """

    def __init__(self, without: frozenset[int] = frozenset()) -> None:
        self.without = without
        self.storm = 0.0
        self.active: dict[Where, list[Fault]] = {where: [] for where in Where}

    def change(self, rng: Random) -> None:
        """The weather of a new round: each kind is about in a third of them."""
        self.storm = rng.choice((0.0, 0.05, 0.15, 0.3))
        for where in Where:
            self.active[where] = []
        for fault in FAULTS:
            about = rng.random() < 0.35
            if about and fault.number not in self.without:
                self.active[fault.where].append(fault)

    def clear_up(self) -> None:
        self.storm = 0.0
        for where in Where:
            self.active[where] = []

    def about(self, number: int) -> bool:
        return BY_NUMBER[number] in self.active[BY_NUMBER[number].where]

    def strikes(self, operation: str, rng: Random) -> Fault | None:
        """The fault that a call of this operation meets."""
        if not self.storm or rng.random() >= self.storm:
            return None
        fits = [f for f in self.active[Where.WIRE] if not f.ops or operation in f.ops]
        return rng.choices(fits, [f.rate for f in fits])[0] if fits else None

    def one_of(self, where: Where, rng: Random) -> Fault | None:
        fits = self.active[where]
        return rng.choices(fits, [f.rate for f in fits])[0] if fits else None

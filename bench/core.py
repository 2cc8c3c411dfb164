"""The core alone: 100,000 unchanged links, against a loop that compares their fingerprints."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from calsync.mapping.fingerprint import fingerprint
from calsync.model import Half, Link, Occupancy, Pair, Presence, Seen, Side, Window
from calsync.reconcile.plan import reconcile

LINKS = 100_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def build() -> tuple[list[Link], dict[str, Seen], dict[str, Seen]]:
    """Links at rest, and what both sides show of them."""
    links: list[Link] = []
    bookings: dict[str, Seen] = {}
    events: dict[str, Seen] = {}
    start = datetime(2026, 3, 2, 9)
    for n in range(LINKS):
        at = start + timedelta(minutes=30 * n)
        occ = Occupancy(start=at, end=at + timedelta(minutes=30), zone="UTC")
        mark = fingerprint(occ)
        # Every reading is a value of its own, as it comes from a side: no shared strings.
        read = [bytes(mark, "ascii").decode() for _ in range(4)]
        halves = [
            Half(
                presence=Presence.PRESENT,
                key=f"{side}{n}",
                version=f"v{n}",
                mark=n,
                fingerprint=read[k],
                created=NOW,
            )
            for k, side in enumerate("be")
        ]
        links.append(
            Link(
                id=f"{n:032x}",
                pair_id="p",
                origin=Side.CALENDAR,
                booking=halves[0],
                event=halves[1],
                base=occ,
                base_fingerprint=mark,
            )
        )
        for k, (side, seen) in enumerate((("b", bookings), ("e", events))):
            seen[f"{side}{n}"] = Seen(
                key=f"{side}{n}",
                occupancy=occ,
                fingerprint=read[2 + k],
                version=f"v{n}",
                mark=n,
                created=NOW,
            )
    return links, bookings, events


def bare(links: list[Link], bookings: dict[str, Seen], events: dict[str, Seen]) -> int:
    """Nothing but the comparison."""
    changed = 0
    for link in links:
        base = link.base_fingerprint
        if (
            bookings[link.booking.key or ""].fingerprint != base
            or events[link.event.key or ""].fingerprint != base
        ):
            changed += 1
    return changed


def measure(rounds: int = 5) -> dict[str, Any]:
    """Best of ``rounds`` each, alternating."""
    links, bookings, events = build()
    pair = Pair(id="p", room_id="r", connection="c", mailbox="m", zone="UTC")
    window = Window(NOW, NOW + timedelta(days=4000))
    ours, theirs = [], []
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        began = time.perf_counter()
        assert bare(links, bookings, events) == 0
        theirs.append(time.perf_counter() - began)
        began = time.perf_counter()
        plan = reconcile(links, bookings, events, pair=pair, window=window, now=NOW)
        ours.append(time.perf_counter() - began)
        assert not plan.effects
        assert not plan.links
    gc.unfreeze()
    return {"ratio": min(ours) / min(theirs), "ours_s": min(ours), "bare_s": min(theirs)}

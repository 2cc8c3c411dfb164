"""calsync itself, driven by its own worker, as ``calsync serve`` would drive it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.tenant import Tenant
from calsync import bootstrap
from calsync.engine.cycle import CycleReport
from calsync.model import Room


class Ours:
    """One calsync on a fresh database, with every room of the tenant mapped."""

    def __init__(
        self, tenant: Tenant, database: Path, threads: int, *, kind: str = "graph"
    ) -> None:
        self.home = bootstrap.open_home(tenant.settings(database, threads=threads, kind=kind))
        for number, place in enumerate(tenant.rooms()):
            room = Room(
                id=f"room-{number:04}",
                name=place["displayName"],
                zone="Europe/Berlin",
                building=place.get("building") or "",
                capacity=place.get("capacity"),
            )
            self.home.bookings.put_room(room)
            bootstrap.map_room(self.home, room_id=room.id, mailbox=place["emailAddress"])
        self.system = bootstrap.connect(self.home)
        # Signed in, like the script it is measured against.
        link = self.system.links["bench"]
        if link.tokens is not None:
            link.tokens.token()
        self.rooms = len(self.home.store.pairs())

    def one_pass(self) -> tuple[list[CycleReport], float, float]:
        """Every room once: reports, wall and processor seconds."""
        worker, _ = bootstrap.build_worker(self.system)
        reports: list[CycleReport] = []

        def note(report: CycleReport) -> None:
            reports.append(report)
            if len(reports) >= self.rooms:
                worker.stop.set()

        worker.on_report = note
        wall, cpu = time.perf_counter(), time.process_time()
        worker.run()
        return reports, time.perf_counter() - wall, time.process_time() - cpu

    def close(self) -> None:
        self.system.close()


def check(reports: list[CycleReport]) -> dict[str, Any]:
    """What the passes did; an error makes a measurement worthless."""
    errors = sorted({r.error for r in reports if r.error})
    if errors:
        raise RuntimeError(f"the measured cycles failed: {errors[:3]}")
    return {
        "observed": sum(r.observed for r in reports),
        "effects": sum(r.effects for r in reports),
    }

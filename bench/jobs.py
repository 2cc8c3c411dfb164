"""The measured jobs, each run in a process of its own: ``python -m bench.jobs NAME FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench import exchange
from bench.bare import Bare
from bench.ours import Ours, check
from bench.tenant import Tenant

THREADS = 8
IDLE_PASSES = 3


def peak_mb() -> float:
    """The largest this process has been, in MB. ``ru_maxrss`` would not do: a child inherits it
    from the process that started it, however small the child itself stays."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def bare_import(tenant: Tenant, folder: Path) -> dict[str, Any]:
    bare = Bare(tenant, folder / "bare.db", THREADS)
    rooms = [r["emailAddress"] for r in tenant.rooms()]
    _, wall, cpu = bare.over(bare.first_round, rooms)
    return {"wall": wall, "cpu": cpu, "rows": bare.events}


def our_import(tenant: Tenant, folder: Path) -> dict[str, Any]:
    ours = Ours(tenant, folder / "ours.db", THREADS)
    reports, wall, cpu = ours.one_pass()
    did = check(reports)
    ours.close()
    return {"wall": wall, "cpu": cpu, **did}


def bare_idle(tenant: Tenant, folder: Path) -> dict[str, Any]:
    bare = Bare(tenant, folder / "bare.db", THREADS)
    rooms = [r["emailAddress"] for r in tenant.rooms()]
    links, _, _ = bare.over(bare.first_round, rooms)
    walls, cpus = [], []
    for _ in range(IDLE_PASSES):
        pages, wall, cpu = bare.over(bare.get, links)
        assert not any(p["value"] for p in pages)
        links = [p["@odata.deltaLink"] for p in pages]
        walls.append(wall)
        cpus.append(cpu)
    return {"wall": min(walls), "cpu": min(cpus)}


def our_idle(tenant: Tenant, folder: Path) -> dict[str, Any]:
    ours = Ours(tenant, folder / "ours.db", THREADS)
    check(ours.one_pass()[0])
    check(ours.one_pass()[0])
    before = tenant.calls()
    walls, cpus, effects = [], [], 0
    for _ in range(IDLE_PASSES):
        reports, wall, cpu = ours.one_pass()
        effects += check(reports)["effects"]
        walls.append(wall)
        cpus.append(cpu)
    writes = writes_of(tenant.calls()) - writes_of(before) + effects
    peak = peak_mb()
    ours.close()
    return {"wall": min(walls), "cpu": min(cpus), "writes": writes, "peak_mb": peak}


def writes_of(calls: dict[str, Any]) -> int:
    """Calls that change something, by the sandbox's own counters."""
    return sum(c["count"] for c in calls["calls"] if c["method"] not in ("GET", "HEAD"))


JOBS = {
    "bare-import": bare_import,
    "our-import": our_import,
    "bare-idle": bare_idle,
    "our-idle": our_idle,
    "bare-ews-import": exchange.bare_import,
    "our-ews-import": exchange.our_import,
}


def main() -> None:
    name, folder, facts = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    print(json.dumps(JOBS[name](Tenant(**facts), folder)))


if __name__ == "__main__":
    main()

"""``python -m bench``: every figure of ``bench/report.json``, each beside what it is measured
against, and whether it meets its aim."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import acts, core
from bench.tenant import Tenant, sandbox

REPORT = Path(__file__).parent / "report.json"
IMPORT = {"rooms": 200, "people": 40, "buildings": 5, "events_per_room": 200, "series_share": 0.2}
EWS = {"rooms": 100, "people": 20, "buildings": 5, "events_per_room": 200, "series_share": 0.2}
IDLE = {"rooms": 2000, "people": 20, "buildings": 20, "events_per_room": 3, "series_share": 0.0}


def job(name: str, tenant: Tenant, folder: Path) -> dict[str, Any]:
    """Run one measured job in a process of its own."""
    facts = json.dumps(asdict(tenant))
    done = subprocess.run(
        [sys.executable, "-m", "bench.jobs", name, str(folder), facts],
        check=True,
        stdout=subprocess.PIPE,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def first_import(folder: Path) -> dict[str, Any]:
    with sandbox(folder, IMPORT) as tenant:
        bare = job("bare-import", tenant, folder)
        ours = job("our-import", tenant, folder)
    return {
        "wall_ratio": ours["wall"] / bare["wall"],
        "cpu_ratio": ours["cpu"] / bare["cpu"],
        "events_per_s": ours["effects"] / ours["wall"],
        "bare": bare,
        "ours": ours,
        "against": "a script that fetches the same pages on 8 threads, parses, inserts rows",
    }


def idle_cycle(folder: Path) -> dict[str, Any]:
    with sandbox(folder, IDLE) as tenant:
        bare = job("bare-idle", tenant, folder)
        ours = job("our-idle", tenant, folder)
    return {
        "wall_ratio": ours["wall"] / bare["wall"],
        "cpu_ratio": ours["cpu"] / bare["cpu"],
        "writes": ours["writes"],
        "peak_mb": ours["peak_mb"],
        "bare": bare,
        "ours": ours,
        "against": "the bare fetch of the same 2,000 deltas on 8 threads",
    }


def ews_import(folder: Path) -> dict[str, Any]:
    with sandbox(folder, EWS) as tenant:
        bare = job("bare-ews-import", tenant, folder)
        ours = job("our-ews-import", tenant, folder)
    return {
        "wall_ratio": ours["wall"] / bare["wall"],
        "idle_calls_a_room": ours["idle_calls_a_room"],
        "idle_writes": ours["idle_writes"],
        "bare": bare,
        "ours": ours,
        "against": "exchangelib reading the same items on 8 threads",
    }


def reconcile(_: Path) -> dict[str, Any]:
    return {**core.measure(), "against": "a loop that compares the fingerprints of 100,000 links"}


def calls(folder: Path) -> dict[str, Any]:
    with sandbox(folder, acts.SEED) as tenant:
        return acts.measure(tenant, folder)


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "reconcile": reconcile,
    "calls": calls,
    "first_import": first_import,
    "idle_cycle": idle_cycle,
    "ews_import": ews_import,
}

#: (part, figure, the most it may be)
AIMS = [
    ("first_import", "wall_ratio", 2.0),
    ("first_import", "cpu_ratio", 8.0),
    ("idle_cycle", "wall_ratio", 2.0),
    ("idle_cycle", "cpu_ratio", 4.0),
    ("idle_cycle", "writes", 0),
    ("idle_cycle", "peak_mb", 300),
    ("ews_import", "wall_ratio", 1.3),
    ("ews_import", "idle_calls_a_room", 1.0),
    ("ews_import", "idle_writes", 0),
    ("reconcile", "ratio", 10.0),
    ("calls", "per_act", 4.0),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--report", type=Path, default=REPORT)
    chosen = parser.parse_args()
    report: dict[str, Any] = {}
    for name in chosen.only or PARTS:
        print(f"{name} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="calsync-bench-") as folder:
            report[name] = PARTS[name](Path(folder))
    missed = show(report)
    if "calls" in report:
        report["calls_per_act"] = report["calls"]["per_act"]
    chosen.report.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {chosen.report}")
    return 1 if missed else 0


def show(report: dict[str, Any]) -> int:
    """Print the figures; how many miss their aim."""
    missed = 0
    for part, figure, most in AIMS:
        if part not in report:
            continue
        value = report[part][figure]
        good = value <= most
        missed += not good
        mark = "ok    " if good else "MISSED"
        print(f"{mark} {part + '.' + figure:26} {value:10.2f}  (at most {most})")
    for part, figures in report.items():
        print(f"       {part}: measured against {figures['against']}")
        for who in ("bare", "ours"):
            if who in figures:
                print(f"         {who}: {json.dumps(figures[who])}")
    return missed


if __name__ == "__main__":
    sys.exit(main())

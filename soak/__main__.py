"""``python -m soak --minutes 30``: 200 rooms, 5 % faults, real HTTP and real time.

Writes report.json, report.md and plot.svg. Exit status 1 where memory grows (runs of 30 minutes
and more), the backlog grows, or anything was lost, invented, booked twice or told twice.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from soak.figures import figures
from soak.report import charts, markdown
from soak.run import Plan, soak

REPORT = Path(__file__).parent / "report"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--acts", type=float, default=50.0, help="acts per room-hour")
    parser.add_argument("--faults", type=float, default=0.05, help="share of spoiled calls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--poll", type=float, nargs=2, default=(3.0, 6.0), metavar=("FLOOR", "CEILING")
    )
    parser.add_argument("--report", type=Path, default=REPORT, help="the folder to write to")
    parser.add_argument("--keep", type=Path, help="leave the database and logs in this folder")
    chosen = parser.parse_args()
    plan = Plan(
        minutes=chosen.minutes,
        rooms=chosen.rooms,
        per_room_hour=chosen.acts,
        faults=chosen.faults,
        seed=chosen.seed,
        poll_floor=chosen.poll[0],
        poll_ceiling=chosen.poll[1],
        keep=chosen.keep,
    )
    begun = time.monotonic()
    course = soak(
        plan, lambda text: print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)
    )
    made = figures(course)
    folder: Path = chosen.report
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    (folder / "plot.svg").write_text(charts(made, course.samples), encoding="utf-8")
    page = markdown(made, plot="plot.svg")
    (folder / "report.md").write_text(page, encoding="utf-8")
    print(page)
    print(f"written to {folder}")
    return 0 if made["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

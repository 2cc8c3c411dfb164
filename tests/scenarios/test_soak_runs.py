"""``make kills`` and ``make soak`` in small: they run, measure, and find nothing wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.figures import figures
from soak.kills import run_world, summary
from soak.report import charts, markdown
from soak.run import Plan, soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.only("graph", reason="make soak and make kills have a company of their own"),
]


@pytest.mark.long
def test_two_kills(tmp_path: Path) -> None:
    world = run_world(2, seed=5, rooms=2, faults=0.03, pace=6.0, keep=tmp_path, ceiling=1.0)
    assert world["details"] == []
    made = summary([world], 1.0)
    assert made["kills"] == 2
    assert len(world["starts_s"]) == 3
    assert made["acts"] > 0
    assert made["ok"]


@pytest.mark.long
def test_a_few_seconds_of_soak(tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan(
        minutes=0.1,
        rooms=3,
        per_room_hour=3600.0,
        poll_floor=1.0,
        poll_ceiling=1.0,
        every=0.5,
        keep=tmp_path,
    )
    course = soak(plan, said.append)
    made = figures(course)
    assert made["failed"] == []
    assert made["acts"]["outlook"] > 0
    assert made["acts"]["platform"] > 0
    assert made["calls"] > 10
    last = course.samples[-1]
    assert last.rss_mb > 20
    assert last.files > 5
    assert last.threads > 5
    assert last.database_mb > 0
    page = markdown(made, plot="plot.svg")
    assert "**in order**" in page
    assert "not judged: shorter than 30 minutes" in page
    assert charts(made, course.samples).count("<polyline") >= 14

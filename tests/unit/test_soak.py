"""The judges of a soak must be able to say no: trends, the backlog, files, charts."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from soak.figures import backlog_grows, latency_by_minute, memory_figures
from soak.fit import trend
from soak.gate import operation_of
from soak.plot import Chart, Line, svg
from soak.samples import Sample

FLAT = Sample(
    at=0.0,
    rss_mb=100.0,
    anon_mb=60.0,
    files=30,
    threads=20,
    cpu_s=0.0,
    database_mb=1.0,
    wal_mb=1.0,
)


def run(minutes: float, grow_mb_per_h: float, *, noise: float = 0.05) -> list[Sample]:
    """A sample every five seconds: a jump while it warms up, then a line with noise."""
    chance = random.Random(4)
    found = []
    for number in range(int(minutes * 12) + 1):
        at = number * 5.0
        grown = 40 * min(1.0, at / 120) + grow_mb_per_h * at / 3600
        found.append(replace(FLAT, at=at, rss_mb=100 + grown + chance.gauss(0, noise)))
    return found


def test_a_line_has_its_slope_and_no_doubt() -> None:
    found = trend([n * 10.0 for n in range(100)], [5 + n * 10 / 3600 * 2 for n in range(100)])
    assert found is not None
    assert found.per_hour == pytest.approx(2.0)
    assert found.margin == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("true", [0.0, 3.0])
def test_the_margin_holds_although_samples_depend_on_one_another(true: float) -> None:
    """Of many walks, nearly all hold the true slope."""
    chance, held = random.Random(1), 0
    for _ in range(200):
        times, values, walk = [], [], 0.0
        for number in range(360):
            walk = 0.9 * walk + chance.gauss(0, 0.2)
            times.append(number * 5.0)
            values.append(100 + walk + true * number * 5 / 3600)
        found = trend(times, values)
        assert found is not None
        held += found.low <= true <= found.high
    assert 180 <= held < 200


def test_too_few_samples_have_no_trend() -> None:
    assert trend([0.0, 1.0], [1.0, 2.0]) is None


@pytest.mark.parametrize(
    ("minutes", "grow", "failed", "shown"),
    [(30, 5.0, True, False), (30, 0.0, False, True), (10, 5.0, False, False)],
)
def test_memory_that_grows_fails_a_long_run(
    minutes: float, grow: float, failed: bool, shown: bool
) -> None:
    found = memory_figures(run(minutes, grow))
    assert bool(found["failed"]) is failed
    assert found["shown"] is shown


def test_noise_is_neither_growth_nor_a_proof() -> None:
    found = memory_figures(run(30, 0.0, noise=6.0))
    assert not found["failed"]
    assert not found["shown"]


def test_a_backlog_that_grows_is_named() -> None:
    calm = run(10, 0.0)
    assert backlog_grows(calm) == []
    growing = [replace(one, unsettled=int(one.at)) for one in calm]
    assert "unsettled" in backlog_grows(growing)[0]
    stuck = [replace(one, oldest_s=one.at) for one in run(30, 0.0)]
    assert "oldest_s" in backlog_grows(stuck)[0]


def test_latency_by_minute_and_side() -> None:
    rows = latency_by_minute(
        [(1.0, "outlook", 5.0), (59.0, "outlook", 9.0), (61.0, "outlook", 1.0)]
    )
    assert [(row["minute"], row["count"], row["p50"], row["p99"]) for row in rows] == [
        (0, 2, 5.0, 9.0),
        (1, 1, 1.0, 1.0),
    ]


def test_charts_are_well_formed_whatever_they_hold() -> None:
    charts = [
        Chart("a < b", "MB", [Line("x & y", [(0.0, 1.0), (1.0, 1.0)])], from_zero=False),
        Chart("nothing", "s", [Line("none", [])]),
        Chart("large", "count", [Line("many", [(0.0, 0.0), (90.0, 123456.0)], dashed=True)]),
    ]
    root = ET.fromstring(svg("A <title>", charts))
    assert len(root.findall("{*}polyline")) == 3
    assert "nan" not in ET.tostring(root, encoding="unicode")


@pytest.mark.parametrize(
    ("method", "path", "body", "what"),
    [
        ("POST", "/t/oauth2/v2.0/token", b"", "token"),
        ("GET", "/v1.0/users/a/calendarView/delta?$deltatoken=1", b"", "delta"),
        ("POST", "/v1.0/users/a/events", b"{}", "create"),
        ("PATCH", "/v1.0/users/a/events/1", b"{}", "change"),
        ("DELETE", "/v1.0/users/a/events/1", b"", "delete"),
        ("POST", "/v1.0/users/a/events/1/decline", b"{}", "decline"),
        ("GET", "/v1.0/users/a/events/1", b"", "read"),
        ("GET", "/v1.0/users/a/events?$filter=x", b"", "find"),
        ("POST", "/v1.0/users/a/sendMail", b"{}", "mail"),
        ("POST", "/v1.0/$batch", b'{"requests":[{"method":"GET"}]}', "batch of reads"),
        ("POST", "/v1.0/$batch", b'{"requests":[{"method":"POST"}]}', "batch of writes"),
    ],
)
def test_calls_are_known_by_their_address(method: str, path: str, body: bytes, what: str) -> None:
    assert operation_of(method, path, body) == what

"""The live terminal view: rooms, acts, what calsync decided and why, and the figures."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from calsync.demo.clashes import clashes
from calsync.demo.endings import course
from calsync.demo.judge import Report
from calsync.demo.measure import latency
from calsync.demo.records import Records, instant
from calsync.demo.story import stories
from calsync.demo.watcher import RoomView, Watcher
from calsync.sandbox.wishes import Side

_ARROWS: dict[Side, str] = {"outlook": "Outlook → platform", "platform": "platform → Outlook"}


class View:
    """Draws what a watcher has seen. Figures are those of the judge, over the run so far."""

    def __init__(self, watcher: Watcher, *, seed: int, seconds: float) -> None:
        self._watcher = watcher
        self._seed, self._seconds = seed, seconds
        self.phase = "starting"
        self.elapsed = 0.0
        self._drawn = (-1.0, Table())

    def __rich__(self) -> RenderableType:
        with self._watcher.lock:
            seen = self._watcher.seen
            rooms = self._rooms(list(seen.rooms.values()))
            acts = self._acts(list(seen.acts)[-40:])
            decisions = self._decisions(list(seen.decisions)[-40:])
            # The judge's own functions over the whole log: once a second is enough.
            if time.monotonic() - self._drawn[0] >= 1:
                self._drawn = (time.monotonic(), self._figures())
            figures = self._drawn[1]
        layout = Layout()
        layout.split_column(Layout(self._head(), size=1), Layout(name="body"))
        layout["body"].split_row(Layout(name="left"), Layout(name="right", ratio=2))
        layout["left"].split_column(
            Layout(Panel(rooms, title="rooms")),
            Layout(Panel(figures, title="figures (ms: p50 / p95 / p99)"), size=13),
        )
        layout["right"].split_column(
            Layout(Panel(acts, title="people act")),
            Layout(Panel(decisions, title="calsync decides, and why")),
        )
        return layout

    def _head(self) -> Text:
        return Text.assemble(
            (" calsync demo ", "bold reverse"),
            f"  seed {self._seed}  ·  {self.elapsed:.0f} of {self._seconds:.0f} s  ·  {self.phase}",
        )

    @staticmethod
    def _rooms(views: list[RoomView]) -> Table:
        table = Table(box=None, expand=True, pad_edge=False)
        for title in ("room", "Outlook", "platform", ""):
            table.add_column(title, justify="left" if title == "room" else "right", no_wrap=True)
        for view in views:
            name = Text(view.room.id)
            name.append("  titles" if view.room.titles else "", "dim")
            state = Text("equal", "green")
            if view.pending:
                state = Text(f"{view.pending} pending", "yellow")
            elif not view.equal:
                state = Text("syncing", "yellow")
            table.add_row(name, str(len(view.calendar)), str(len(view.platform)), state)
        return table

    @staticmethod
    def _acts(lines: list[dict[str, Any]]) -> Group:
        rows = []
        for line in reversed(lines):
            color = "cyan" if line["side"] == "outlook" else "magenta"
            row = Text(no_wrap=True, overflow="ellipsis")
            row.append(f"{instant(line['time']):%H:%M:%S} ", "dim")
            row.append(f"{line['side']:<9}", color)
            row.append(f"{line['room']} {line['did']} {line['booking']}")
            row.append("  at the same time" if line.get("fight") else "", "yellow")
            if not line["accepted"]:
                row.append("  refused by the side itself", "red")
            rows.append(row)
        return Group(*rows)

    @staticmethod
    def _decisions(found: list[tuple[datetime, str, str]]) -> Group:
        rows = []
        for at, room, what in reversed(found):
            row = Text(no_wrap=True, overflow="ellipsis")
            row.append(f"{at:%H:%M:%S} ", "dim")
            row.append(f"{room} ", "bold")
            row.append(what, "yellow" if "clash" in what or "merged" in what else "")
            rows.append(row)
        return Group(*rows)

    def _figures(self) -> Table:
        seen = self._watcher.seen
        rooms = [view.room for view in seen.rooms.values()]
        found = stories(Records(rooms=rooms, log=seen.log, feed=seen.feed, rows=seen.bookings))
        speed = latency(found)
        table = Table(box=None, show_header=False, expand=True)
        sides: tuple[Side, Side] = ("outlook", "platform")
        for side in sides:
            acts = sum(line["side"] == side and line["accepted"] for line in seen.acts)
            table.add_row(f"acts, {side}", str(acts))
        for side in sides:
            slow = speed.percentiles(side)
            shown = " / ".join("–" if one is None else f"{one:.0f}" for one in slow.values())
            table.add_row(f"{_ARROWS[side]}, ms", shown)
        table.add_row("clashes", str(len(clashes(found))))
        table.add_row("edit conflicts", str(sum(course(one).fought for one in found.values())))
        table.add_row("calendar calls", str(seen.calls))
        table.add_row("… of them writes", str(seen.writes))
        table.add_row("… answered by 429", str(seen.throttled))
        table.add_row("rooms declined a meeting", str(seen.declines))
        return table


def summary(report: Report) -> Table:
    """The report, for people."""
    table = Table(title="What became of it", show_header=False)
    slow = report["latency_ms"]
    rows = {
        "acts": f"{report['acts']['outlook']} in Outlook, {report['acts']['platform']} on the "
        f"platform; {report['carried']} carried across, "
        f"{report['refused_by_the_side']} refused by the side itself",
        "Outlook → platform, ms": _percentiles(slow["outlook_to_platform"]),
        "platform → Outlook, ms": _percentiles(slow["platform_to_outlook"]),
        "clashes": _fates(report["clashes"]),
        "edit conflicts": _fates(report["edit_conflicts"]),
        "declines sent": str(report["declines_sent"]),
        "calls": f"{report['calls']['total']}, {report['calls']['writes']} of them writes; "
        f"{report['calls']['per_act']} an act; {report['throttled_answers']} answered by 429",
        "notices": f"{report['notices']['sent']} sent, {report['notices']['duplicated']} twice, "
        f"{report['notices']['missing']} missing",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    bad = (
        "differences_at_rest",
        "lost",
        "invented",
        "double_booked_by_calsync",
        "writes_while_idle",
    )
    for name in bad:
        count = report[name]
        table.add_row(name.replace("_", " "), Text(str(count), "bold red" if count else "green"))
    verdict = Text("both sides are equal, and nothing was lost", "bold green")
    table.add_row("verdict", verdict if report["ok"] else Text("NOT in order", "bold red"))
    return table


def _percentiles(found: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {'–' if ms is None else f'{ms:.0f}'}" for name, ms in found.items())


def _fates(found: dict[str, int]) -> str:
    return f"{found['happened']} happened, {found['resolved']} resolved, {found['parked']} open"

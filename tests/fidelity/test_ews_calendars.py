"""Real calendars through the EWS front: shown whole, and put again elsewhere from what is read.

Every exchange is judged by Exchange's schema on its way (tests/conftest.py). The files stay outside
the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fidelity.test_real_calendars import BERLIN, FILES, HOMES, pytestmark
from tests.sandbox.client import ROOM, ROOM2
from tests.sandbox.soap import Ews, place

__all__ = ["pytestmark"]

LOW, HIGH = datetime(2017, 1, 1), datetime(2027, 1, 1)
STEP = timedelta(days=360)
SHOWN = "".join(
    f'<t:FieldURI FieldURI="{one}"/>' for one in ("item:Subject", "calendar:Start", "calendar:End")
)
MIME = "<t:IncludeMimeContent>true</t:IncludeMimeContent>"


def spans() -> Iterator[tuple[str, str]]:
    """Windows that a calendar view may have."""
    low = LOW
    while low < HIGH:
        yield low.isoformat() + "Z", min(low + STEP, HIGH).isoformat() + "Z"
        low += STEP


def truth(ews: Ews, room: str) -> list[tuple[str, str, str]]:
    rows = ews.graph.live(room, LOW.date().isoformat(), HIGH.date().isoformat())
    return sorted((one["start"], one["end"], one["subject"]) for one in rows)


def viewed(ews: Ews) -> list[tuple[str, str, str]]:
    found: set[tuple[str, tuple[str, str, str]]] = set()
    for low, high in spans():
        view = f'<m:CalendarView MaxEntriesReturned="1000" StartDate="{low}" EndDate="{high}"/>'
        answer = ews.find(view=view, shape="IdOnly", extra=SHOWN).ok()
        assert answer.one("//m:RootFolder").get("IncludesLastItemInRange") == "true"
        for item in answer.all("//t:CalendarItem"):
            said = tuple(
                item.findtext(f"{{*}}{name}") or "" for name in ("Start", "End", "Subject")
            )
            found.add((item.find("{*}ItemId").get("Id"), said))  # type: ignore[arg-type]  # three names give three values
    return sorted(one for _, one in found)


@pytest.fixture(params=[file for file in FILES if file.stem != "Germany"], ids=lambda one: one.stem)
def loaded(request: pytest.FixtureRequest) -> tuple[Ews, Path]:
    file: Path = request.param
    zone = HOMES.get(file.stem, ("", ""))[1] or BERLIN[1]
    ews = Ews()
    for room in (ROOM, ROOM2):
        ews.graph.control("PATCH", f"rooms/{room}", {"zone": zone})
    ews.graph.control("POST", f"rooms/{ROOM}/ics", file.read_bytes())
    return ews, file


def test_views_show_every_instance(loaded: tuple[Ews, Path]) -> None:
    ews, _ = loaded
    wanted = truth(ews, ROOM)
    assert wanted
    assert viewed(ews) == wanted


def test_what_is_read_is_put_again(loaded: tuple[Ews, Path]) -> None:
    ews, _ = loaded
    ids = [one for one, _ in ews.sync(most=512).ok().ids]
    read: list[Any] = []
    for low in range(0, len(ids), 20):
        read += ews.get(*ids[low : low + 20], more=MIME).ok().all("//t:CalendarItem/t:MimeContent")
    ews.act_as = ROOM2
    items = "".join(
        f"<t:CalendarItem><t:MimeContent>{one.text}</t:MimeContent></t:CalendarItem>"
        for one in read
    )
    ews.call(
        f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>'
        f"{place('calendar')}</m:SavedItemFolderId><m:Items>{items}</m:Items></m:CreateItem>"
    ).ok()
    assert truth(ews, ROOM2) == truth(ews, ROOM)

"""Two calsyncs facing each other over the booking API: at rest all three stores are equal, nothing
comes back as an echo, and each act of a person is one write on each other side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import requests

from calsync import bootstrap
from calsync.mapping.booking_rules import NO_RULES, BookingRules
from tests.scenarios.facing_kit import ROOM, Facing, facing
from tests.scenarios.series_kit import BERLIN, weekly
from tests.support import front
from tests.support.company import Company


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facing]:
    with facing(tmp_path_factory.mktemp("facing")) as made:
        yield made


def test_each_act_is_one_write_on_each_other_side(pair: Facing) -> None:
    pair.settle(len(pair.shown()))
    held = len(pair.shown())

    def since(before: tuple[int, int, int]) -> tuple[int, ...]:
        return tuple(now - was for was, now in zip(before, pair.writes(), strict=True))

    before = pair.writes()
    booked = pair.book(start="2026-12-01T09:00:00")
    pair.settle(held + 1)
    assert since(before) == (1, 1, 0), "the platform's booking is an event on both"

    before = pair.writes()
    pair.a.change(booked, start="2026-12-01T10:00:00")
    pair.settle(held + 1)
    assert since(before) == (1, 1, 0)

    before = pair.writes()
    one = pair.put(pair.a, "2026-12-02T09:00:00", "2026-12-02T10:00:00")
    pair.settle(held + 2)
    assert since(before) == (0, 1, 0), "of the first Exchange"

    before = pair.writes()
    two = pair.put(pair.b, "2026-12-03T09:00:00", "2026-12-03T10:00:00")
    pair.settle(held + 3)
    assert since(before) == (1, 0, 1), "of the second Exchange"

    before = pair.writes()
    pair.outlook(pair.b, "move", two, start="2026-12-03T14:00:00", end="2026-12-03T15:00:00")
    pair.settle(held + 3)
    assert since(before) == (1, 0, 1)

    # EWS deletes whatever was changed meanwhile: a conditional update goes before it.
    one_deletion = 2 if front.by_ews() else 1
    before = pair.writes()
    pair.outlook(pair.b, "cancel", two)
    pair.settle(held + 2)
    assert since(before) == (one_deletion, 0, 1)

    before = pair.writes()
    pair.outlook(pair.a, "cancel", one)
    pair.a.cancel(booked)
    pair.settle(held)
    assert since(before) == (one_deletion, 2 * one_deletion, 0)


def test_series_with_exceptions_travel_in_all_directions(pair: Facing) -> None:
    held = len(pair.shown())
    tuesdays = weekly("2027-01-05", "tuesday", number=6)
    born_b = pair.invite(pair.b, "2027-01-05T10:00:00", "2027-01-05T11:00:00", recurrence=tuesdays)
    assert born_b["verdict"] == "accepted"
    pair.settle(held + 6)
    pair.outlook(pair.b, "cancel_occurrence", born_b, date="2027-01-12")
    pair.outlook(
        pair.b,
        "move_occurrence",
        born_b,
        date="2027-01-19",
        start="2027-01-19T15:00:00",
        end="2027-01-19T16:30:00",
    )
    pair.settle(held + 5)

    series = pair.book(
        start="2027-01-06T08:00:00", recurrenceRule={"frequency": "weekly", "count": 5}
    )
    pair.settle(held + 10)
    pair.a.drop_date(series, "2027-01-13T08:00:00")
    pair.a.change_date(series, "2027-01-20T08:00:00", start="2027-01-20T12:00:00")
    pair.settle(held + 9)

    thursdays = weekly("2027-01-07", "thursday", number=4)
    born_a = pair.put(pair.a, "2027-01-07T13:00:00", "2027-01-07T14:00:00", recurrence=thursdays)
    pair.settle(held + 13)
    pair.outlook(
        pair.a,
        "move_occurrence",
        born_a,
        date="2027-01-14",
        start="2027-01-14T16:00:00",
        end="2027-01-14T17:00:00",
    )
    pair.settle(held + 13)
    # The other end edits what came to it: the last two dates of the platform's series.
    pair.outlook(pair.a, "cancel", born_a)
    pair.outlook(pair.b, "cancel", born_b)
    pair.a.cancel(series)
    pair.settle(held)


def test_a_clash_across_both_gets_one_no_with_its_reason(pair: Facing) -> None:
    """Ann of B books what A's people took a moment before: B declines her, with the reason."""
    held = len(pair.shown())
    first = pair.book(start="2027-02-01T09:00:00")
    late = pair.invite(pair.b, "2027-02-01T09:30:00", "2027-02-01T10:30:00")
    assert late["verdict"] == "accepted", "its own Exchange knew nothing of the other"
    pair.settle(held + 1)
    (there,) = [one for one in pair.a.bookings(pair.at_a) if one["id"] == first["id"]]
    assert there["bookingStatus"] == "confirmed"
    (said,) = [one for one in pair.b.tenant.exchanges if front.is_decline(one.target, one.body)]
    assert b"already booked" in said.body
    pair.a.cancel(first)
    pair.settle(held)


def test_a_platform_that_loses_at_the_other_exchange_is_rejected_there(pair: Facing) -> None:
    """A booking that clashes with an older meeting at B is rejected on A's platform by B's word."""
    held = len(pair.shown())
    meeting = pair.invite(pair.b, "2027-02-03T09:00:00", "2027-02-03T10:00:00")
    booked = pair.book(start="2027-02-03T09:30:00", bookedBy={"name": "Eve", "email": "eve@x.org"})
    pair.settle(held + 1)
    shown = pair.a.ok("GET", f"/bookings/{booked['id']}")
    assert shown["bookingStatus"] == "rejected"
    assert shown["refusal"]["code"] == "room-conflict"
    assert shown["refusal"]["reason"]
    pair.outlook(pair.b, "cancel", meeting)
    pair.settle(held)


def test_a_meeting_of_the_one_exchange_yields_to_an_older_one_of_the_other(pair: Facing) -> None:
    held = len(pair.shown())
    older = pair.invite(pair.b, "2027-02-05T09:00:00", "2027-02-05T10:00:00")
    younger = pair.invite(pair.a, "2027-02-05T09:30:00", "2027-02-05T10:30:00")
    assert {older["verdict"], younger["verdict"]} == {"accepted"}
    pair.settle(held + 1)
    (shown,) = pair.a.tenant.instances(pair.at_a.address, date(2027, 2, 5), date(2027, 2, 6))
    assert shown.start == "2027-02-05T08:00:00Z"
    pair.outlook(pair.b, "cancel", older)
    pair.settle(held)


def test_what_a_calendar_cannot_hold_as_one_goes_in_parts(pair: Facing) -> None:
    """An occurrence moved past its neighbours is an event of its own on both Exchanges."""
    held = len(pair.shown())
    series: Any = pair.book(
        start="2027-03-01T09:00:00", recurrenceRule={"frequency": "daily", "count": 5}
    )
    pair.settle(held + 5)
    pair.a.change_date(series, "2027-03-02T09:00:00", start="2027-03-04T15:00:00")
    pair.settle(held + 5)

    def parts(company: Company, address: str) -> list[Any]:
        items = [one["event"] for one in company.tenant.items(address)]
        mine = [one for one in items if one["start"]["dateTime"].startswith("2027-03")]
        return sorted(mine, key=lambda one: one["recurrence"] is None)

    at_a, at_b = parts(pair.a, pair.at_a.address), parts(pair.b, pair.at_b.address)
    assert [one["recurrence"] is None for one in at_a] == [False, True]
    assert [one["recurrence"] is None for one in at_b] == [False, True]
    # The date that stands alone is moved by people of the other end: it stays a date of the series.
    start, end = "2027-03-05T16:00:00", "2027-03-05T17:00:00"
    pair.outlook(pair.b, "move", at_b[1], start=start, end=end, zone=BERLIN[1])
    pair.settle(held + 5)
    (whole,) = [one for one in pair.a.bookings(pair.at_a) if one["id"] == series["id"]]
    assert whole["recurrenceOverrides"]["2027-03-02T09:00:00"]["start"] == start
    pair.a.change_date(series, "2027-03-02T09:00:00", start=None)
    pair.settle(held + 5)
    assert [one["recurrence"] is None for one in parts(pair.b, pair.at_b.address)] == [False]
    pair.a.cancel(series)
    pair.settle(held)


def test_a_second_end_that_dies_with_a_reply_on_the_way_makes_nothing_twice(pair: Facing) -> None:
    """A has carried the write out, B never hears of it and starts anew: it is looked up by our tag,
    by its key, or by its absence."""
    held = len(pair.shown())
    made: Any = None
    for act in ("create", "move", "cancel"):
        if act == "create":
            made = pair.put(pair.b, "2027-04-01T09:00:00", "2027-04-01T10:00:00")
        elif act == "move":
            times = {"start": "2027-04-01T12:00:00", "end": "2027-04-01T13:00:00"}
            pair.outlook(pair.b, "move", made, **times)
        else:
            pair.outlook(pair.b, "cancel", made)
        number = pair.a.numbers()
        with deaf(pair.b):
            report = pair.b.cycle(pair.at_b)
        assert "was lost" in report.error
        assert pair.a.numbers() == number + 1, "it did arrive"
        anew(pair.b)
        pair.settle(held + (act != "cancel"))


@contextmanager
def deaf(company: Company) -> Iterator[None]:
    """Whatever it writes to the platform arrives; no reply comes back."""
    remote = company.system.remote
    assert remote is not None
    send = remote.transport._adapter.send

    def lost(request: Any, *args: Any, **options: Any) -> Any:
        answer = send(request, *args, **options)
        if request.method != "GET":
            answer.close()
            raise requests.ConnectionError("the reply was lost")
        return answer

    with patch.object(remote.transport._adapter, "send", lost):
        yield


def anew(company: Company) -> None:
    """What a new process begins with: the database, and nothing else."""
    home, span = company.home, company.system.context.span
    for link in company.system.links.values():
        link.close()
    assert company.system.remote is not None
    company.system.remote.transport.close()
    company.system = bootstrap.connect(home)
    company.system.context.span = span


def test_the_rules_of_a_polled_platform_hold_for_outlook_here(tmp_path: Path) -> None:
    """They come with its rooms, and follow when they change; what cannot be read leaves them."""
    with facing(tmp_path) as made:
        room = made.a.home.bookings.room(ROOM).room
        made.a.home.bookings.put_room(room, BookingRules(longest=timedelta(hours=2)))
        bootstrap.take_in_rooms(made.b.system)
        assert made.b.home.booking_side.rules([ROOM])[ROOM].rules.longest == timedelta(hours=2)
        made.at_b.pair = bootstrap.map_room(
            made.b.home,
            room_id=ROOM,
            mailbox=made.at_b.address,
            titles=True,
            outlook_rules="length=decline",
        )
        made.a.tenant.clock.forward(minutes=1)
        made.invite(made.b, "2026-12-01T09:00:00", "2026-12-01T12:00:00")
        made.invite(made.b, "2026-12-02T09:00:00", "2026-12-02T10:00:00")
        made.settle(1)
        mails = made.b.tenant.control("GET", "mails")["mails"]
        answers = [m["comment"] for m in mails if m.get("response") == "declined"]
        assert [a for a in answers if "lasts 2 hours at most" in a] == answers
        assert len(answers) == 1

        made.a.home.bookings.put_room(room, NO_RULES)
        bootstrap.take_in_rooms(made.b.system)
        assert made.b.home.booking_side.rules([ROOM])[ROOM].rules == NO_RULES

"""Every request calsync sends and every answer of the sandbox, against the official metadata.

Whole runs are kept and judged: all kinds of bookings and events, both ways, with changes,
deletions, clashes, mails, lost replies, and a cloud that lacks the parts of a series.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.engine.calls import run_inline
from calsync.engine.context import Span
from calsync.engine.notify import deliver_notices
from calsync.sandbox import Response
from tests.fidelity import csdl
from tests.fidelity.exchanges import ROUTES, faults, judge
from tests.support.company import Company, Exchange, Place, a_company, a_tenant

pytestmark = pytest.mark.skipif(csdl.metadata_file() is None, reason="Graph metadata not found")

ANN = "ann@contoso.example"
SENDER = "rooms@contoso.example"
MONDAY = date(2027, 1, 4)
SPAN = Span(future_days=800)


def _day(days: int, clock: str = "10:00") -> str:
    return f"{(MONDAY + timedelta(days=days)).isoformat()}T{clock}:00"


def _weekly(number: int) -> dict[str, Any]:
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
        "range": {
            "type": "numbered",
            "startDate": MONDAY.isoformat(),
            "numberOfOccurrences": number,
        },
    }


@pytest.fixture(scope="module", params=["global", "national"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The exchanges of one long run; ``national``: no cancelledOccurrences, no exceptions."""
    with ExitStack() as ends:
        switches = {"national_cloud": True} if request.param == "national" else {}
        tenant = ends.enter_context(a_tenant(**switches))
        folder = tmp_path_factory.mktemp("run")
        company = ends.enter_context(a_company(folder, tenant, span=SPAN, notices_from=SENDER))
        for address in (ANN, SENDER):
            tenant.control(
                "POST", "people", {"address": address, "zone": "W. Europe Standard Time"}
            )
        _live(company)
        yield request.param, list(tenant.exchanges)


def _live(company: Company) -> None:
    """All that happens in the run."""
    place = company.add_room("r1", zone="Europe/Berlin", label="W. Europe Standard Time")
    company.add_room("r2", zone="Europe/Berlin", label="W. Europe Standard Time", building="HQ")
    assert len(list(company.system.context.calendar(place.pair).resource_calendars())) == 2
    company.sync(place)  # the first import is quiet: mails leave after it
    _platform(company, place)
    _outlook(company, place)
    _losses(company, place)
    _clash(company, place)
    _mail(company)
    company.sync(place, full=True)


def _platform(company: Company, place: Place) -> None:
    """Singles (in one batch), an all-day one, a private one, series of all patterns."""
    person = {"name": "Ann", "email": ANN}
    singles = [
        company.book(place, start=_day(n, "08:00"), duration="PT1H", bookedBy=person)
        for n in range(3)
    ]
    company.book(place, start=_day(5, "00:00"), duration="P2D", showWithoutTime=True)
    company.book(place, start=_day(3, "18:00"), duration="PT30M", privacy="private", title="x")
    rules = (
        "FREQ=DAILY;COUNT=3",
        "FREQ=WEEKLY;BYDAY=MO,WE",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=4",
        "FREQ=MONTHLY;BYDAY=-1FR;COUNT=5",
        f"FREQ=YEARLY;BYMONTH={MONDAY.month};BYMONTHDAY={MONDAY.day}",
        f"FREQ=YEARLY;BYMONTH={MONDAY.month};BYDAY=2MO",
    )
    made: list[Any] = []
    for hour, rule in enumerate(rules):
        start = _first(rule, f"{12 + hour // 2}:{'30' if hour % 2 else '00'}")
        made.append(company.book(place, start=start, duration="PT20M", rrule=rule))
    company.sync(place)
    company.change(singles[0], start=_day(0, "07:00"), title="Earlier")
    company.cancel(singles[1])
    series = made[0]
    company.change_date(series, _day(1, "12:00"), start=_day(1, "12:05"), duration="PT10M")
    company.drop_date(series, _day(2, "12:00"))
    company.sync(place)
    company.change(series, freeBusyStatus="free")
    company.change(made[1], rrule="FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=9", recurrenceRule=None)
    company.sync(place)
    company.cancel(made[4])
    company.sync(place)


def _first(rule: str, clock: str) -> str:
    """A start that the rule gives."""
    day = MONDAY
    if "BYMONTHDAY=31" in rule:
        while day.day != 31:
            day += timedelta(days=1)
    elif "-1FR" in rule:
        while day.weekday() != 4 or (day + timedelta(days=7)).month == day.month:
            day += timedelta(days=1)
    elif "2MO" in rule:
        day += timedelta(days=7)
    return f"{day.isoformat()}T{clock}:00"


def _outlook(company: Company, place: Place) -> None:
    """People who invite the room, and change their minds."""
    tenant, book = company.tenant, {"person": ANN, "room": place.address}
    single = tenant.act("book", **book, start=_day(1, "15:00"), end=_day(1, "16:00"), subject="S")
    series = tenant.act(
        "recur", **book, start=_day(0, "16:00"), end=_day(0, "16:30"), recurrence=_weekly(5)
    )
    own = tenant.act(
        "book_direct", room=place.address, start=_day(2, "17:00"), end=_day(2, "17:30"), subject="O"
    )
    brief = tenant.act(
        "book_direct", room=place.address, start=_day(3, "17:00"), end=_day(3, "17:30")
    )
    company.sync(place)
    tenant.act("remove", room=place.address, iCalUId=brief["iCalUId"])
    week = (MONDAY + timedelta(days=7)).isoformat()
    tenant.act(
        "move_occurrence",
        room=place.address,
        iCalUId=series["iCalUId"],
        date=week,
        start=_day(7, "17:00"),
    )
    later = (MONDAY + timedelta(days=14)).isoformat()
    tenant.act("cancel_occurrence", room=place.address, iCalUId=series["iCalUId"], date=later)
    tenant.act("cancel", room=place.address, iCalUId=single["iCalUId"])
    company.sync(place)
    (held,) = [b for b in company.bookings(place) if b["startUtc"] == _utc(own, company, place)]
    company.cancel(held)
    company.sync(place)


def _utc(own: Any, company: Company, place: Place) -> str:
    (item,) = [
        one["event"]
        for one in company.tenant.items(place.address)
        if one["event"]["iCalUId"] == own["iCalUId"]
    ]
    return f"{item['start']['dateTime'][:19]}Z"


def _losses(company: Company, place: Place) -> None:
    """A create whose reply is lost is looked up; a stale delta token starts anew."""
    for hour, (kind, match) in enumerate(
        (
            ("reply_lost", {"method": "POST", "path": ".*/events"}),
            ("gone", {"path": ".*delta.*"}),
            ("throttled", {"method": "POST", "path": ".*/events", "params": {"seconds": 0}}),
        )
    ):
        company.tenant.control("POST", "faults", {"kind": kind, "count": 1, **match})
        company.book(place, start=_day(40 + hour, "20:00"), duration="PT1H")
        for _ in range(4):
            report = company.cycle(place)
            if not report.error and not report.unsettled:
                break
        company.tenant.control("DELETE", "faults")
        assert not report.error, (kind, report.error)


def _clash(company: Company, place: Place) -> None:
    """The platform is first, Outlook invites the room to the same time: it is declined. Then the
    same with a series of which one date clashes, and the other way round."""
    tenant, book = company.tenant, {"person": ANN, "room": place.address}
    bob = {"name": "Bob", "email": ANN}
    company.book(place, start=_day(30, "10:00"), duration="PT1H", bookedBy=bob)
    tenant.act("book", **book, start=_day(30, "10:30"), end=_day(30, "11:30"), subject="late")
    company.book(place, start=_day(14, "21:00"), duration="PT1H", bookedBy=bob)
    tenant.act("recur", **book, start=_day(0, "21:00"), end=_day(0, "21:30"), recurrence=_weekly(4))
    tenant.act("book", **book, start=_day(31, "10:00"), end=_day(31, "11:00"), subject="first")
    company.book(place, start=_day(31, "10:30"), duration="PT1H", bookedBy=bob)
    for _ in range(3):
        report = company.cycle(place)
    assert not report.error, report.error


def _mail(company: Company) -> None:
    """Notices as the worker delivers them."""
    home = company.home
    assert company.system.notifier is not None
    sent = run_inline(
        deliver_notices(
            home.store,
            company.system.notifier,
            pairs={pair.id: pair for pair in home.store.pairs()},
            rooms={stored.room.id: stored.room for stored in home.bookings.rooms()},
            limit=50,
        )
    )
    assert sent.sent


def test_all_of_it_is_as_the_metadata_says(run: tuple[str, list[Exchange]]) -> None:
    cloud, exchanges = run
    assert faults(exchanges) == []
    seen = {one.name for one in judge(exchanges)}
    # What a run cannot reach says so here, and not by silence.
    unused = {"global": {"view"}, "national": {"view"}}[cloud]
    assert {route.name for route in ROUTES} | {"batch"} == seen | unused


def test_each_recurrence_pattern_was_sent(run: tuple[str, list[Exchange]]) -> None:
    _, exchanges = run
    bodies = [json.loads(e.body) for e in exchanges if e.method == "POST" and e.body[:1] == b"{"]
    sent = [b["recurrence"] for b in bodies if b.get("recurrence")]
    patterns = {one["pattern"]["type"] for one in sent}
    assert patterns >= {
        "daily",
        "weekly",
        "absoluteMonthly",
        "relativeMonthly",
        "absoluteYearly",
        "relativeYearly",
    }
    assert {one["range"]["type"] for one in sent} >= {"numbered", "noEnd"}


# --- the judge says no -------------------------------------------------------------------------


def _spoilt(exchanges: list[Exchange], name: str, spoil: Callable[[Any], None]) -> list[str]:
    """The faults of the first exchange of a kind, after its request was spoilt."""
    one = next(e for e in exchanges if judge([e]) and judge([e])[0].name == name)
    assert faults([one]) == []
    body = json.loads(one.body) if one.body else {}
    spoil(body)
    return faults([replace(one, body=json.dumps(body).encode())])


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("create event", lambda b: b.update(showAs="bussy")),
        ("create event", lambda b: b.update(isAllDay="false")),
        ("create event", lambda b: b.update(shwAs="busy")),
        ("create event", lambda b: b["start"].update(zone="UTC")),
        ("create event", lambda b: b.update(start="2026-12-01T10:00:00")),
        ("create event", lambda b: b.update(singleValueExtendedProperties={"id": "x"})),
        ("change event", lambda b: b.update(sensitivity="secret")),
        ("decline", lambda b: b.update(sendResponse="true")),
        ("decline", lambda b: b.update(sendReply=True)),
        ("send mail", lambda b: b["message"]["toRecipients"].append("ann@contoso.example")),
        ("send mail", lambda b: b["message"]["body"].update(contentType="plain")),
        ("batch", lambda b: b["requests"][0].update(id=b["requests"][1]["id"])),
        ("batch", lambda b: b["requests"][0]["headers"].clear()),
        ("delete event", lambda b: b.update(comment="x")),
    ],
)
def test_a_spoilt_request_fails(
    run: tuple[str, list[Exchange]], name: str, spoil: Callable[[Any], None]
) -> None:
    assert _spoilt(run[1], name, spoil)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("delta", lambda b: b["value"][0].update(type="series")),
        ("read event", lambda b: b.update(isCancelled="no")),
        ("create event", lambda b: b.update(createdDateTime="2026-11-20")),
        ("list rooms", lambda b: b["value"][0].update(capacity="8")),
        ("list rooms", lambda b: b.pop("value")),
    ],
)
def test_a_spoilt_answer_fails(
    run: tuple[str, list[Exchange]], name: str, spoil: Callable[[Any], None]
) -> None:
    for one in run[1]:
        judged = judge([one])
        if not judged or judged[0].name != name or one.response.status >= 300:
            continue
        body = one.response.json()
        if not body.get("value", True):
            continue
        spoil(body)
        headers = dict(one.response.headers)
        answer = Response(one.response.status, headers, json.dumps(body).encode())
        assert faults([replace(one, response=answer)])
        return
    raise AssertionError(f"no {name} in the run")


def test_a_request_without_immutable_ids_fails(run: tuple[str, list[Exchange]]) -> None:
    one = next(e for e in run[1] if "/v1.0/" in e.target)
    bare = {name: value for name, value in one.headers.items() if name.lower() != "prefer"}
    assert faults([replace(one, headers=bare)])


def test_an_unknown_address_fails(run: tuple[str, list[Exchange]]) -> None:
    one = next(e for e in run[1] if "/calendarView/delta" in e.target)
    assert faults([replace(one, target=one.target.replace("calendarView", "calendarViews"))])
    assert faults([replace(one, target=f"{one.target}&$select=subject")])


def test_a_fault_of_a_folder(tmp_path: Path) -> None:
    """The judge takes a batch apart: one wrong part among good ones is found."""
    part = {"id": "1", "method": "GET", "url": "/users/a/events/b?$select=sbject", "headers": {}}
    headers = {"authorization": "Bearer x", "prefer": 'IdType="ImmutableId"'}
    headers["content-type"] = "application/json"
    part["headers"] = {"Prefer": 'IdType="ImmutableId"'}
    answer = {"responses": [{"id": "1", "status": 200, "body": {"id": "b"}}]}
    batch = Exchange(
        "POST",
        "http://x/v1.0/$batch",
        headers,
        json.dumps({"requests": [part]}).encode(),
        Response(200, {}, json.dumps(answer).encode()),
    )
    assert faults([batch]) == ["read event: sbject is no member of event"]

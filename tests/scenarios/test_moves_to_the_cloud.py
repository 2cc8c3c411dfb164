"""Mailboxes that move between an Exchange Server and the cloud keep their pair, links and history.

Judged black-box: what both sides show, what was written to the mailboxes through either front,
what was mailed, and what stands in the database about each booking."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from calsync import bootstrap
from calsync.cli.main import run
from calsync.model import Link
from calsync.sandbox.ews.front import EwsFront
from calsync.settings import RoomEntry
from tests.scenarios.hybrid_kit import (
    CLOUD,
    ONPREM,
    PERSON,
    a_hybrid,
    a_room,
    ask_to_move,
    live_links,
    mails,
    migrate,
    result_of,
)
from tests.support.company import Company, Place, differences

ROOMS = 20
LOW, HIGH = date(2026, 11, 1), date(2027, 12, 1)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EWS_WRITES = (b":CreateItem", b":UpdateItem", b":DeleteItem", b"<CreateItem", b"<UpdateItem")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with a_hybrid(tmp_path) as made:
        yield made


# --- acts and looks ----------------------------------------------------------------------------


def outlook(company: Company, place: Place, start: str, end: str, **raw: Any) -> Any:
    """A meeting of Ada's in the room."""
    kind = "recur" if "recurrence" in raw else "book"
    subject = raw.pop("subject", "Talk")
    made = company.tenant.act(
        kind, person=PERSON, room=place.address, subject=subject, start=start, end=end, **raw
    )
    assert made["verdict"] == "accepted", made
    return made


def every_week(start: str, **span: Any) -> dict[str, Any]:
    """Outlook's words for a weekly series that begins on ``start``; ten times unless said."""
    span = span or {"type": "numbered", "numberOfOccurrences": 10}
    weekday = _DAYS[date.fromisoformat(start).weekday()]
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [weekday]},
        "range": {"startDate": start, **span},
    }


def fill(company: Company, place: Place) -> None:
    """A room full of series of both sides' making, with dates that are moved and removed."""
    sprint = outlook(
        *(company, place, "2026-12-01T09:00:00", "2026-12-01T09:30:00"),
        recurrence=every_week("2026-12-01"),
    )
    who = {"person": PERSON, "iCalUId": sprint["iCalUId"]}
    company.tenant.act(
        "move_occurrence",
        **who,
        date="2026-12-15",
        start="2026-12-15T17:00:00",
        end="2026-12-15T17:30:00",
    )
    company.tenant.act("cancel_occurrence", **who, date="2026-12-22")
    outlook(
        *(company, place, "2026-12-02T08:00:00", "2026-12-02T08:45:00"),
        recurrence=every_week("2026-12-02", type="endDate", endDate="2027-04-20"),
        sensitivity="private",
    )
    outlook(company, place, "2026-12-03T10:00:00", "2026-12-03T11:00:00", subject="Once")
    outlook(company, place, "2027-02-03T10:00:00", "2027-02-03T11:00:00", showAs="tentative")
    weekly = {"frequency": "weekly"}
    yoga = company.book(
        place,
        title="Yoga",
        start="2026-12-04T12:00:00",
        duration="PT1H",
        recurrenceRule={**weekly, "count": 8},
    )
    company.change_date(yoga, "2026-12-11T12:00:00", start="2026-12-11T14:00:00")
    company.drop_date(yoga, "2026-12-18T12:00:00")
    company.book(
        place,
        title="Open end",
        start="2026-12-07T07:00:00",
        duration="PT30M",
        recurrenceRule=weekly,
        privacy="private",
    )
    company.book(
        place, title="Days", start="2026-12-12T00:00:00", duration="P2D", showWithoutTime=True
    )
    company.book(place, title="Single", start="2026-12-08T15:00:00", duration="PT45M")
    company.sync(place)
    company.sync(place)


def ews_writes(company: Company) -> int:
    return sum(
        EwsFront.serves(one.target) and any(word in one.body for word in _EWS_WRITES)
        for one in company.tenant.exchanges
    )


def graph_writes(company: Company) -> int:
    """A batch that only reads is none."""
    return sum(
        "/v1.0/" in one.target
        and one.method != "GET"
        and not (one.target.endswith("/$batch") and b'"method": "GET"' in one.body)
        for one in company.tenant.exchanges
    )


class Still:
    """Nothing is written on either side, and nobody is told, from here to the end of the block."""

    def __init__(self, company: Company) -> None:
        self._company = company

    def _now(self) -> tuple[int, int, int, int]:
        one = self._company
        return ews_writes(one), graph_writes(one), one.numbers(), mails(one)

    def __enter__(self) -> None:
        self._before = self._now()

    def __exit__(self, kind: object, *_: object) -> None:
        assert kind is not None or self._now() == self._before


def said(link: Link) -> tuple[Any, ...]:
    """What a link says of its booking, but where its event lies."""
    halves = (link.booking, link.event)
    return (
        link.origin,
        link.state,
        link.base_fingerprint,
        link.revision,
        link.claimed_on,
        link.person,
        *((one.presence, one.fingerprint, one.uid, one.owned) for one in halves),
        link.booking.key,
    )


def kept(company: Company, place: Place) -> dict[str, tuple[Any, ...]]:
    return {i: said(link) for i, link in live_links(company, place).items()}


def keys(company: Company, place: Place) -> set[str | None]:
    return {link.event.key for link in live_links(company, place).values()}


def equal(company: Company, place: Place) -> None:
    shown = company.tenant.instances(place.address, LOW, HIGH)
    booked = company.occupancy(place, LOW, HIGH)
    if not place.pair.titles:
        shown = [one._replace(title="") for one in shown]
        booked = [one._replace(title="") for one in booked]
    assert differences(shown, booked) == []


def at_rest(company: Company, place: Place) -> None:
    with Still(company):
        for full in (False, True, False):
            report = company.sync(place, full=full)
            assert (report.effects, report.conflicts) == (0, [])
    equal(company, place)


def move(company: Company, place: Place, to: str = CLOUD, **more: Any) -> tuple[str, str]:
    """Both admins move the mailbox; what came of it."""
    migrate(company.tenant, place, to)
    number = ask_to_move(company, place, to, **more)
    company.cycle(place)
    return result_of(company, number)


# --- the move itself ---------------------------------------------------------------------------


def test_twenty_rooms_full_of_series_move_to_the_cloud_and_nothing_is_written(
    company: Company,
) -> None:
    rooms = [a_room(company, number) for number in range(ROOMS)]
    for place in rooms:
        fill(company, place)
    before = {place.id: kept(company, place) for place in rooms}
    former = {place.id: keys(company, place) for place in rooms}
    assert all(len(links) == 8 for links in before.values()), "each booking has its link"
    # In the middle of the run: some rooms move, while the others go on.
    for half in (rooms[::2], rooms[1::2]):
        with Still(company):
            for place in half:
                state, result = move(company, place)
                assert (state, result) == ("done", f"moved to {CLOUD}: 8 meeting(s) found again")
            for place in rooms:
                report = company.sync(place)
                assert (report.effects, report.conflicts) == (0, [])
    for place in rooms:
        assert kept(company, place) == before[place.id]
        assert not keys(company, place) & former[place.id], "the ids are others"
        assert company.home.mappings.find(place.id).connection == CLOUD  # type: ignore[union-attr]
        # Nothing of it counts as drift, either.
        with Still(company):
            company.sync(place, full=True)
        assert company.system.context.states[place.pair.id].drift == 0
    for place in rooms[:2]:
        at_rest(company, place)


def test_a_mailbox_moves_back(company: Company) -> None:
    place = a_room(company, 1)
    fill(company, place)
    before = kept(company, place)
    for to in (CLOUD, ONPREM, CLOUD):
        with Still(company):
            assert move(company, place, to)[0] == "done"
        assert kept(company, place) == before
        at_rest(company, place)
    # What was born in the cloud is found on the server, too.
    company.book(place, title="Cloudy", start="2026-12-10T15:00:00", duration="PT45M")
    company.sync(place)
    before = kept(company, place)
    with Still(company):
        assert move(company, place, ONPREM)[0] == "done"
    assert kept(company, place) == before
    at_rest(company, place)


def test_bookings_made_on_either_side_during_the_move_are_carried_once(company: Company) -> None:
    place = a_room(company, 1)
    fill(company, place)
    before = kept(company, place)
    migrate(company.tenant, place)
    mine = company.book(place, title="Mine", start="2026-12-09T15:00:00", duration="PT45M")
    outlook(company, place, "2026-12-09T16:30:00", "2026-12-09T17:00:00", subject="Theirs")
    report = company.cycle(place)
    assert "no such mailbox" in report.error
    assert company.ok("GET", f"/bookings/{mine['id']}")["bookingStatus"] == "pending"
    number = ask_to_move(company, place)
    company.cycle(place)
    company.sync(place)
    assert result_of(company, number)[0] == "done"
    assert company.ok("GET", f"/bookings/{mine['id']}")["bookingStatus"] == "confirmed"
    after = kept(company, place)
    assert {i: after[i] for i in before} == before
    assert len(after) == len(before) + 2
    titles = Counter(one.title for one in company.tenant.instances(place.address, LOW, HIGH))
    assert (titles["Mine"], titles["Theirs"]) == (1, 1)
    at_rest(company, place)


def test_what_people_changed_and_cancelled_between_is_carried_as_that(company: Company) -> None:
    place = a_room(company, 1)
    fill(company, place)
    once = outlook(company, place, "2026-12-16T10:00:00", "2026-12-16T11:00:00", subject="Gone")
    moved = outlook(company, place, "2026-12-17T10:00:00", "2026-12-17T11:00:00", subject="Moved")
    patched = company.book(place, title="Old", start="2026-12-17T15:00:00", duration="PT45M")
    company.sync(place)
    before = kept(company, place)
    migrate(company.tenant, place)
    company.tenant.act("cancel", person=PERSON, iCalUId=once["iCalUId"])
    company.tenant.act(
        *("move",),
        person=PERSON,
        iCalUId=moved["iCalUId"],
        start="2026-12-17T12:00:00",
        end="2026-12-17T13:00:00",
    )
    company.change(patched, title="New")
    number = ask_to_move(company, place)
    company.cycle(place)
    company.sync(place)
    state, result = result_of(company, number)
    assert state == "done", result
    live = {one["title"]: one for one in company.bookings(place) if "title" in one}
    assert "Gone" not in live
    assert live["Moved"]["start"] == "2026-12-17T12:00:00"
    assert live["New"]["id"] == patched["id"]
    assert kept(company, place).keys() < before.keys()
    at_rest(company, place)


# --- writes in doubt ---------------------------------------------------------------------------


#: By connection and act: how the call shows, whose fate is unknown.
_CALLS = {
    (ONPREM, "create"): "CreateItem",
    (ONPREM, "change"): "UpdateItem",
    (ONPREM, "delete"): "DeleteItem",
    (CLOUD, "create"): "POST",
    (CLOUD, "change"): "PATCH",
    (CLOUD, "delete"): "DELETE",
}
_ABOUT = ".*(EWS|event|batch).*"
_EVERY_WEEK = {"frequency": "weekly", "count": 6}


@pytest.mark.parametrize("at", [ONPREM, CLOUD])
@pytest.mark.parametrize("fate", ["reply_lost", "lost_request"])
@pytest.mark.parametrize("act", ["create", "change", "delete"])
def test_a_write_in_doubt_goes_along(company: Company, at: str, fate: str, act: str) -> None:
    """It took effect or it did not: in the end it has, once, and nobody was told twice."""
    series = (fate == "reply_lost") is (at == ONPREM)
    place = a_room(company, 1, at=at)
    shape: dict[str, Any] = {"recurrenceRule": _EVERY_WEEK} if series else {}
    base = {"title": "Doubt", "start": "2026-12-10T15:00:00", "duration": "PT45M", **shape}
    company.book(place, title="Other", start="2026-12-11T15:00:00", duration="PT45M")
    made = None if act == "create" else company.book(place, **base)
    company.sync(place)
    company.sync(place)
    links = live_links(company, place).keys()
    company.tenant.control(
        "POST", "faults", {"kind": fate, "method": _CALLS[at, act], "path": _ABOUT}
    )
    match act:
        case "create":
            made = company.book(place, **base)
        case "change":
            company.change(made, start="2026-12-10T17:00:00")
        case _:
            company.cancel(made)
    report = company.cycle(place)
    assert report.unsettled or report.error
    assert any(link.in_flight for link in live_links(company, place).values())
    company.tenant.control("DELETE", "faults")
    to = CLOUD if at == ONPREM else ONPREM
    assert move(company, place, to)[0] == "done"
    company.tenant.clock.forward(minutes=3)
    for _ in range(3):
        company.cycle(place)
    shown = company.tenant.instances(place.address, LOW, HIGH)
    count = {"delete": 0}.get(act, 6 if series else 1)
    assert Counter(one.title for one in shown) == Counter({"Doubt": count, "Other": 1})
    if act == "change":
        assert {one.start[11:16] for one in shown if one.title == "Doubt"} == {"17:00"}
    if act == "change":
        assert live_links(company, place).keys() == links
    at_rest(company, place)


@pytest.mark.parametrize("at", [ONPREM, CLOUD])
def test_a_series_made_anew_in_doubt_goes_along(company: Company, at: str) -> None:
    """It stands twice for a while: the new one says, or shows, what it is in place of."""
    place = a_room(company, 1, at=at)
    rule = {"frequency": "weekly", "count": 6}
    made = company.book(
        place, title="Anew", start="2026-12-10T15:00:00", duration="PT45M", recurrenceRule=rule
    )
    company.change_date(made, "2026-12-17T15:00:00", start="2026-12-17T17:00:00")
    company.sync(place)
    company.sync(place)
    company.tenant.control(
        "POST", "faults", {"kind": "reply_lost", "method": _CALLS[at, "create"], "path": _ABOUT}
    )
    company.change(made, recurrenceRule={"count": 3}, recurrenceOverrides=None)
    company.cycle(place)
    assert any(link.in_flight for link in live_links(company, place).values())
    company.tenant.control("DELETE", "faults")
    assert len(company.tenant.items(place.address)) == 2, "the former and the new one"
    assert move(company, place, CLOUD if at == ONPREM else ONPREM)[0] == "done"
    company.tenant.clock.forward(minutes=3)
    for _ in range(3):
        company.cycle(place)
    shown = company.tenant.instances(place.address, LOW, HIGH)
    assert [one.start[:13] for one in shown] == [f"2026-12-{day}T15" for day in ("10", "17", "24")]
    (only,) = company.bookings(place)
    assert only["id"] == made["id"]
    at_rest(company, place)


# --- what is no move ---------------------------------------------------------------------------


def test_nothing_is_moved_into_a_mailbox_that_lacks_the_meetings(company: Company) -> None:
    """Not copied yet, or somebody else's of the same name: the room goes on where it is."""
    place = a_room(company, 1)
    fill(company, place)
    before = kept(company, place)
    migrate(company.tenant, place)
    company.tenant.control("POST", f"rooms/{place.address}/remake")
    company.tenant.control("PATCH", f"rooms/{place.address}", {"home": "cloud"})
    with Still(company):
        number = ask_to_move(company, place)
        company.cycle(place)
    state, result = result_of(company, number)
    assert state == "failed"
    assert "of 8 meetings that are linked, 8 are not in that mailbox" in result
    assert kept(company, place) == before
    assert company.home.mappings.find(place.id).connection == ONPREM  # type: ignore[union-attr]
    # On the admin's word it is moved; then the guard asks before that is carried over.
    with Still(company):
        number = ask_to_move(company, place, accept_missing=True)
        report = company.cycle(place)
    assert result_of(company, number)[1].endswith("0 meeting(s) found again, 8 not there any more")
    assert report.halt is not None
    assert "would delete or move 8 of 8 future items" in report.error


def test_a_connection_that_cannot_open_the_mailbox_moves_nothing(company: Company) -> None:
    place = a_room(company, 1)
    fill(company, place)
    before = kept(company, place)
    number = ask_to_move(company, place)  # before Exchange's admin moved it
    with Still(company):
        company.sync(place)
    state, result = result_of(company, number)
    assert state == "failed"
    assert "MailboxNotEnabledForRESTAPI" in result
    assert kept(company, place) == before
    at_rest(company, place)


# --- how admins say it -------------------------------------------------------------------------


def test_a_connection_whose_mailboxes_are_being_moved_is_followed(tmp_path: Path) -> None:
    """With ``moves_to`` nobody has to say anything in the night of the move."""
    with a_hybrid(tmp_path, follows=True) as company:
        place, other = a_room(company, 1), a_room(company, 2)
        for one in (place, other):
            fill(company, one)
        before = kept(company, place)
        with Still(company):
            # It has left, and calsync may not open it yet where it is.
            migrate(company.tenant, place)
            company.tenant.control("POST", "apps", {"scope": []})
            report = company.cycle(place)
            assert "no such mailbox" in report.error
            assert f"nor can it be read through {CLOUD}" in report.error
            company.tenant.control("POST", "apps", {"scope": None})
            company.sync(place)
            company.sync(other)
        assert kept(company, place) == before
        assert company.home.mappings.find(place.id).connection == CLOUD  # type: ignore[union-attr]
        assert company.home.mappings.find(other.id).connection == ONPREM  # type: ignore[union-attr]
        at_rest(company, place)


def test_a_followed_mailbox_that_lacks_its_meetings_has_not_arrived(tmp_path: Path) -> None:
    with a_hybrid(tmp_path, follows=True) as company:
        place = a_room(company, 1)
        fill(company, place)
        migrate(company.tenant, place)
        company.tenant.control("POST", f"rooms/{place.address}/remake")
        company.tenant.control("PATCH", f"rooms/{place.address}", {"home": "cloud"})
        with Still(company):
            report = company.cycle(place)
        assert "8 are not in that mailbox" in report.error
        assert "Wait until the move is done" in report.error


def test_the_settings_say_it_and_lag_behind(tmp_path: Path) -> None:
    """The connection of a [[rooms]] entry is the admin's word; the former one is out of date."""
    with a_hybrid(tmp_path) as company:
        place = a_room(company, 1)
        fill(company, place)
        before = kept(company, place)
        migrate(company.tenant, place)
        entry = RoomEntry(
            id=place.id,
            name=place.id,
            zone=place.zone,
            mailbox=place.address,
            connection=CLOUD,
            titles=True,
        )
        settings = company.home.settings
        for named, reached, moves in ((CLOUD, ONPREM, 1), (ONPREM, CLOUD, 0), (CLOUD, CLOUD, 0)):
            room = replace(entry, connection=named)
            with closing(bootstrap.open_home(replace(settings, rooms=(room,)))) as home:
                pair = home.mappings.find(place.id)
                assert pair is not None
                assert (pair.id, pair.connection) == (place.pair.id, reached)
                assert len(home.requests.of(pair.id)) == moves
            company.system.context.hear()
            with Still(company):
                company.sync(place)
        assert kept(company, place) == before
        assert company.home.mappings.moves() == {}, "the settings have followed"
        at_rest(company, place)


def test_rooms_move_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            run([*words, "--settings", str(tmp_path / "calsync.toml")])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err

    with a_hybrid(tmp_path) as company:
        places = [a_room(company, 1), a_room(company, 2)]
        for place in places:
            fill(company, place)
        before = [kept(company, place) for place in places]
        ids = [place.id for place in places]
        (tmp_path / "calsync.toml").write_text(company.text, encoding="utf-8")
        migrate(company.tenant, places[0])
        with Still(company):
            code, said = say("rooms", "move", *ids, "--to", "nowhere", "--yes")
            assert code
            assert "Known connections" in said
            code, said = say("rooms", "move", *ids, "--to", CLOUD, "--dry-run", "--json")
            shown = json.JSONDecoder().raw_decode(said[said.index("{") :])[0]
            assert [(one["linked"], one["found"]) for one in shown["rooms"]] == [(8, 8), (0, 0)]
            assert "MailboxNotEnabledForRESTAPI" in shown["rooms"][1]["why_not"]
            assert shown["moves"] == []
            code, said = say("rooms", "move", *ids, "--to", CLOUD, "--yes")
            assert code, "one of them could not be moved"
            assert "Room r1: moved to contoso: 8 meeting(s) found again" in said
            code, said = say("rooms", "move", "r1", "--to", CLOUD)
            assert not code
            assert f"Room r1 is reached through {CLOUD} already." in said
        found = [company.home.mappings.find(one) for one in ids]
        assert [one.connection for one in found if one] == [CLOUD, ONPREM]
        assert [kept(company, place) for place in places] == before

"""Faults with a history: listings that lie, ids that change, tokens that end, redirects, and
all of them at once."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calsync import connections
from calsync.adapters.ews.side import EwsSide
from calsync.adapters.graph.side import GraphSide
from calsync.adapters.hub.desk import Precondition
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import (
    Company,
    Office,
    Proxy,
    change_events,
    day,
    office,
    proxy,
    taken,
)
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GraphSide", partial(GraphSide, page_size=2))
    monkeypatch.setattr(connections, "EwsSide", partial(EwsSide, page=2))


def meetings(made: Office, count: int, first: int = 2) -> Counter[Any]:
    hall = made.pair("hall").mailbox
    for number in range(count):
        made.firm.book(hall, day(first + number))
    return Counter(taken(day(first + number)) for number in range(count))


# --- listings that lie -------------------------------------------------------------------------


def test_an_empty_listing_stops_the_room_and_deletes_nothing(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with office(firm, tmp_path) as made:
        wanted = meetings(made, 7)
        made.rest()
        firm.fault("empty_list", made.pair("hall").mailbox, count=60)
        report = made.cycle(full=True)
        assert report.halt is not None
        assert "shows no items at all" in report.error
        assert made.taken() == wanted
        firm.calm()
        # Stopped until the admin says so; looking again is enough here.
        assert made.cycle().error == report.error
        assert made.home.mappings.resume(made.pair("hall").id, approve=False)
        made.system.context.states.clear()
        made.rest()
        assert made.equal() == wanted


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["short_page", "delta_replay", "out_of_order"])
def test_a_listing_that_misses_or_repeats(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    with office(firm, tmp_path) as made:
        wanted = meetings(made, 9)
        made.rest()
        firm.fault(kind, made.pair("hall").mailbox, count=60)
        for _ in range(2):
            assert made.cycle(full=True).effects == 0
            assert made.taken() == wanted
        wanted += meetings(made, 2, first=30)
        made.cycle()
        firm.calm()
        made.cycle(full=True)
        made.rest()
        assert made.equal() == wanted


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["token_expired", "gone", "lost_request", "html_login"])
def test_a_fault_between_two_pages(firm: Company, tmp_path: Path, kind: str) -> None:  # noqa: F811
    """A cursor moves only over what was read: the round is begun again, nothing is skipped."""
    with office(firm, tmp_path) as made:
        wanted = meetings(made, 9)
        firm.fault(kind, f"{made.pair('hall').mailbox}/calendarView/delta", count=1, after=2)
        made.cycle()
        assert firm.fired() == 1
        if front.by_ews() and kind == "token_expired":
            made.close()  # A refused password is not tried again for minutes.
            made.open()
        made.rest()
        assert made.equal() == wanted


@pytest.mark.only("graph", reason="an Exchange Server's sign-in by password has no tokens")
@pytest.mark.usefixtures("small_pages")
def test_all_tokens_end_while_pages_are_read(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:
        wanted = meetings(made, 7)
        pages = []

        def expire(method: str, path: str, status: int, headers: Any, body: bytes) -> Any:
            if "skiptoken" in path.lower() and len(pages) < 2:
                pages.append(path)
                firm.control("POST", "tokens/expire")
            return status, headers, body

        hop.spoil = expire
        made.cycle(full=True)
        assert pages
        made.rest()
        assert made.equal() == wanted


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["recreate", "move_folder"])
def test_an_event_under_a_new_id_stays_one_booking(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        done = firm.book(hall, day(3))
        mine = made.booking("hall", day(4))
        made.rest()
        firm.act(kind, iCalUId=done["iCalUId"], room=hall)
        made.rest()
        assert made.status(mine) == "confirmed"
        assert made.equal() == Counter([taken(day(3)), taken(day(4))])


@pytest.mark.parametrize("switch", ["accept_recreates_copy", "delta_repeats"])
def test_habits_of_the_tenant(firm: Company, tmp_path: Path, switch: str) -> None:  # noqa: F811
    firm.control("POST", "switches", {switch: True})
    try:
        with office(firm, tmp_path) as made:
            wanted = meetings(made, 3)
            made.booking("hall", day(20))
            made.rest()
            assert made.equal() == wanted + Counter([taken(day(20))])
    finally:
        firm.control("POST", "switches", {switch: False})


@pytest.mark.parametrize("kind", ["id_change", "without_tag", "recreate"])
def test_a_create_that_comes_back_different(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    """Created, the reply lost, and what is found after it has another id or no tag."""
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        made.booking("hall", day(5))
        firm.fault(kind, hall, count=4)
        firm.fault("reply_lost", f"{hall}/events", method="POST")
        made.cycle()
        firm.calm()
        made.rest()
        assert made.equal() == Counter([taken(day(5))])


# --- where a token may go ------------------------------------------------------------------------


def test_a_redirect_does_not_carry_the_token_away(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with proxy("") as foreign, office(firm, tmp_path) as made:
        wanted = meetings(made, 2)
        made.rest()
        hall = made.pair("hall").mailbox
        for status in (301, 302, 307, 308):
            there = {"location": f"{foreign.url}/v1.0/me", "status": status}
            firm.fault("redirect", hall, count=20, params=there)
            report = made.cycle(full=True)
            assert "points elsewhere" in report.error
            firm.calm()
        assert foreign.seen == []
        made.rest()
        assert made.equal() == wanted


@pytest.mark.only("graph", reason="EWS answers with no links to follow")
@pytest.mark.parametrize("link", ["@odata.nextLink", "@odata.deltaLink"])
def test_a_link_to_another_host_is_not_followed(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    link: str,
) -> None:
    with proxy("") as foreign, proxy(firm.url) as hop:
        with office(firm, tmp_path, graph_url=hop.url) as made:
            wanted = meetings(made, 3)
            made.rest()
            hop.spoil = partial(_lead_away, link, foreign)
            made.cycle(full=True)
            report = made.cycle()
            assert "it was not followed" in report.error
            assert foreign.seen == []
            assert made.taken() == wanted
            # Nothing of it was kept: the room goes on by itself once answers are clean again.
            hop.spoil = None
            made.rest()
            assert made.equal() == wanted
        # Every call of ours went where the settings say, and each carried a token.
        assert all("Authorization" in headers for _, headers in hop.seen)


def _lead_away(
    link: str, foreign: Proxy, method: str, path: str, status: int, headers: Any, body: bytes
) -> Any:
    if b"odata.deltaLink" in body:
        head = body.rpartition(b'"@odata.deltaLink"')[0]
        body = head + f'"{link}": "{foreign.url}/v1.0/users/x/calendarView/delta?t=1"}}'.encode()
    return status, headers, body


@pytest.mark.only("graph", reason="an Exchange Server asks for the password itself")
def test_a_wrong_sign_in_host_gets_no_secret(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with proxy("") as foreign, proxy(firm.url) as hop:

        def away(method: str, path: str, status: int, headers: Any, body: bytes) -> Any:
            return status, headers, body.replace(firm.url.encode(), foreign.url.encode())

        hop.spoil = away
        with office(firm, tmp_path, login_url=hop.url, imported=False) as made:
            report = made.cycle()
            assert foreign.seen == []
            assert firm.secret not in report.error


# --- all at once ---------------------------------------------------------------------------------

STORM = (
    "lost_request",
    "reply_lost",
    "reset_mid_body",
    "error_before",
    "error_after",
    "html_after",
    "truncated_json",
    "garbage_json",
    "gone",
    "delta_replay",
    "out_of_order",
    "token_expired",
    "batch_part_throttled",
)


@pytest.mark.long
@pytest.mark.parametrize(
    "seed", [0, 1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]
)
def test_a_storm(firm: Company, tmp_path: Path, seed: int) -> None:  # noqa: F811
    """People act on both sides while a tenth of all answers is spoiled in some way. Every
    booking has a time of its own, so that what must be left at the end is known exactly."""
    rng = random.Random(seed)
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        people = _People(made, rng)
        # EWS takes a third of the calls.
        rate = 0.12 if front.by_ews() else 0.04
        for kind in STORM:
            firm.fault(kind, hall, count=None, rate=rate, params={"seconds": 0, "status": 503})
        for _ in range(25):
            for _ in range(rng.randrange(3)):
                people.act()
            made.cycle(full=rng.random() < 0.1)
        assert firm.fired() > 10
        firm.calm()
        reopened = made.settings
        made.close()
        made.settings = reopened
        made.open()
        made.rest(rounds=15)
        made.cycle(full=True)
        made.rest(rounds=15)
        assert made.equal() == people.wanted()
        assert not made.home.reports.parked(made.pair("hall").id)


class _People:
    def __init__(self, made: Office, rng: random.Random) -> None:
        self.made, self.rng, self.number = made, rng, 1
        self.outlook: dict[str, int] = {}
        self.platform: dict[str, int] = {}

    def slot(self) -> int:
        self.number += 1
        return self.number

    def act(self) -> None:
        made, hall = self.made, self.made.pair("hall").mailbox
        number = self.slot()
        match self.rng.randrange(6):
            case 0 | 1:
                self.outlook[made.firm.book(hall, day(number))["iCalUId"]] = number
            case 2 | 3:
                self.platform[made.booking("hall", day(number))] = number
            case 4 if self.outlook:
                uid = self.rng.choice(sorted(self.outlook))
                if self.rng.random() < 0.5:
                    made.firm.act("cancel", iCalUId=uid)
                    del self.outlook[uid]
                else:
                    start = f"{day(number):%Y-%m-%dT%H:%M:%SZ}"
                    made.firm.act("move", iCalUId=uid, start=start)
                    self.outlook[uid] = number
            case _ if self.platform:
                key = self.rng.choice(sorted(self.platform))
                if self.rng.random() < 0.5:
                    made.home.bookings.cancel(key, Precondition())
                    del self.platform[key]
                else:
                    patch = {"start": f"{day(number):%Y-%m-%dT%H:%M:%S}"}
                    made.home.bookings.patch(key, patch, Precondition())
                    self.platform[key] = number

    def wanted(self) -> Counter[Any]:
        return Counter(taken(day(n)) for n in (*self.outlook.values(), *self.platform.values()))


def test_the_spoiling_proxy_itself_changes_nothing(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """What the suites with a proxy rest on."""
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:
        hop.spoil = change_events(lambda event: None)
        wanted = meetings(made, 2)
        made.booking("hall", day(9))
        made.rest()
        assert made.equal() == wanted + Counter([taken(day(9))])
        assert len(hop.seen) > 3

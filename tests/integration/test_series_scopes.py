"""One date of a series, all that follow, or all: what is changed, split and cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calsync.api.server import ApiServer
from tests.integration.api_kit import Client, Door, Served, open_door, served
from tests.support.company import a_company, a_tenant

WEEKLY = {"start": "2026-12-01T09:00:00", "duration": "PT1H", "rrule": "FREQ=WEEKLY;COUNT=5"}
DAYS = ["2026-12-01", "2026-12-08", "2026-12-15", "2026-12-22", "2026-12-29"]
WINDOW = "start=2026-11-25T00:00:00Z&end=2027-01-31T00:00:00Z"


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


@pytest.fixture
def api(world: Served) -> Client:
    return world.all


def change(api: Client, made: dict[str, Any], day: str, scope: str, **patch: object) -> Any:
    path = f"/v1/bookings/{made['id']}/occurrences/{day}T09:00:00?scope={scope}"
    return api.patch(path, patch, "*")


def drop(api: Client, made: dict[str, Any], day: str, scope: str) -> Any:
    return api.delete(f"/v1/bookings/{made['id']}/occurrences/{day}T09:00:00?scope={scope}", "*")


def shown(api: Client, *names: str) -> list[tuple[Any, ...]]:
    items = api.get(f"/v1/rooms/r1/occupancy?{WINDOW}").json()["items"]
    return [(i["start"][:10], *(i.get(n) for n in names)) for i in items]


def test_following_splits_the_series_and_leaves_what_was_before(api: Client) -> None:
    made = api.book(**WEEKLY, title="Old", externalId="x-1", seats=3, bookedBy={"name": "Ada"})
    answer = change(api, made, DAYS[2], "following", title="New", start=f"{DAYS[2]}T11:00:00")
    assert answer.status_code == 201
    rest = answer.json()
    assert rest["id"] != made["id"]
    assert answer.headers["Location"] == f"/v1/bookings/{rest['id']}"
    assert answer.headers["Link"] == f'</v1/bookings/{made["id"]}>; rel="prev"'
    assert (rest["start"], rest["recurrenceRule"]["count"]) == (f"{DAYS[2]}T11:00:00", 3)
    assert (rest["seats"], rest["bookedBy"]["name"]) == (3, "Ada")
    assert "externalId" not in rest
    assert shown(api, "title", "bookingId", "startUtc") == [
        (DAYS[0], "Old", made["id"], f"{DAYS[0]}T08:00:00Z"),
        (DAYS[1], "Old", made["id"], f"{DAYS[1]}T08:00:00Z"),
        *((day, "New", rest["id"], f"{day}T10:00:00Z") for day in DAYS[2:]),
    ]
    assert api.get(f"/v1/bookings/{made['id']}").json()["externalId"] == "x-1"


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        ("FREQ=WEEKLY", None),
        ("FREQ=WEEKLY;UNTIL=20261229T235959", "2026-12-29T23:59:59"),
    ],
)
def test_the_part_that_follows_ends_where_the_series_did(
    api: Client, rule: str, ends: str | None
) -> None:
    made = api.book(start="2026-12-01T09:00:00", duration="PT1H", rrule=rule)
    rest = change(api, made, DAYS[1], "following", duration="PT2H").json()
    assert rest["recurrenceRule"].get("until") == ends
    assert "count" not in rest["recurrenceRule"]
    first = api.get(f"/v1/bookings/{made['id']}").json()
    assert {"count", "until"} & first["recurrenceRule"].keys()


def test_dates_that_were_changed_before_keep_the_rest_of_their_change(api: Client) -> None:
    overrides = {
        f"{DAYS[1]}T09:00:00": {"title": "Second"},
        f"{DAYS[3]}T09:00:00": {"title": "Fourth", "duration": "PT3H"},
        f"{DAYS[4]}T09:00:00": {"excluded": True},
    }
    made = api.book(**WEEKLY, title="Base", recurrenceOverrides=overrides)
    change(api, made, DAYS[2], "following", duration="PT2H", start=f"{DAYS[2]}T10:00:00")
    assert shown(api, "title", "startUtc", "endUtc") == [
        (DAYS[0], "Base", f"{DAYS[0]}T08:00:00Z", f"{DAYS[0]}T09:00:00Z"),
        (DAYS[1], "Second", f"{DAYS[1]}T08:00:00Z", f"{DAYS[1]}T09:00:00Z"),
        (DAYS[2], "Base", f"{DAYS[2]}T09:00:00Z", f"{DAYS[2]}T11:00:00Z"),
        (DAYS[3], "Fourth", f"{DAYS[3]}T09:00:00Z", f"{DAYS[3]}T11:00:00Z"),
    ]


def test_all_changes_every_date_and_stays_one_booking(api: Client) -> None:
    made = api.book(**WEEKLY, title="Old")
    answer = change(api, made, DAYS[2], "all", title="New", start=f"{DAYS[2]}T10:30:00")
    assert (answer.status_code, answer.json()["id"]) == (200, made["id"])
    assert shown(api, "title", "startUtc") == [(d, "New", f"{d}T09:30:00Z") for d in DAYS]


def test_following_from_the_first_date_on_is_all(api: Client) -> None:
    made = api.book(**WEEKLY)
    answer = change(api, made, DAYS[0], "following", duration="PT2H")
    assert (answer.status_code, answer.json()["id"]) == (200, made["id"])
    drop(api, made, DAYS[0], "this")
    assert drop(api, made, DAYS[1], "following").json()["bookingStatus"] == "cancelled"


@pytest.mark.parametrize(
    ("scope", "left"), [("this", [*DAYS[:2], *DAYS[3:]]), ("following", DAYS[:2]), ("all", [])]
)
def test_cancelling_reaches_as_far_as_asked(api: Client, scope: str, left: list[str]) -> None:
    made = api.book(**WEEKLY)
    answer = drop(api, made, DAYS[2], scope)
    assert answer.status_code == 200
    assert answer.json()["id"] == made["id"]
    assert shown(api) == [(day,) for day in left]
    # What became free can be booked.
    if scope == "following":
        api.book(start=f"{DAYS[3]}T09:00:00")


def test_a_split_that_would_meet_another_booking_changes_nothing(api: Client) -> None:
    made = api.book(**WEEKLY)
    api.book(start=f"{DAYS[3]}T11:00:00")
    before = shown(api, "bookingId", "startUtc")
    refused = change(api, made, DAYS[1], "following", start=f"{DAYS[1]}T10:30:00")
    assert (refused.status_code, refused.json()["code"]) == (409, "room-conflict")
    assert shown(api, "bookingId", "startUtc") == before
    assert api.get(f"/v1/bookings/{made['id']}").json()["revision"] == made["revision"]


@pytest.mark.parametrize("scope", ["following", "all"])
@pytest.mark.parametrize(
    "patch",
    [
        {"start": "2026-12-09T09:00:00"},
        {"start": "nonsense"},
        {"start": 5},
        {"start": None},
        {"excluded": True},
        {"recurrenceRule": {"frequency": "daily"}},
        {"duration": "x"},
        {"duration": "P8D"},
    ],
)
def test_what_cannot_be_meant_is_refused(api: Client, scope: str, patch: dict[str, Any]) -> None:
    made = api.book(**WEEKLY)
    refused = change(api, made, DAYS[1], scope, **patch)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert shown(api) == [(day,) for day in DAYS]


def test_an_unknown_scope_or_date_is_refused(api: Client) -> None:
    made = api.book(**WEEKLY)
    assert change(api, made, DAYS[1], "some", title="x").status_code == 422
    assert change(api, made, "2026-12-02", "following", title="x").status_code == 404
    single = api.book(start="2026-12-02T09:00:00")
    assert change(api, single, "2026-12-02", "all", title="x").json()["code"] == "not-a-series"
    extra = {"2026-12-03T09:00:00": {"title": "extra"}}
    series = api.book("r2", **WEEKLY, recurrenceOverrides=extra)
    assert change(api, series, "2026-12-03", "following", title="x").status_code == 422


def test_a_split_comes_to_rest_on_both_sides(tmp_path: Path) -> None:
    with a_tenant() as tenant, a_company(tmp_path / "calsync", tenant) as firm:
        room = firm.add_room("atrium", zone="Europe/Berlin", label="W. Europe Standard Time")
        firm.cycle(room)
        made = firm.book(room, **WEEKLY, title="Old")
        for _ in range(3):
            firm.cycle(room)
        path = f"/bookings/{made['id']}/occurrences/{DAYS[2]}T09:00:00?scope=following"
        rest = firm.ok(
            "PATCH", path, {"title": "New", "start": f"{DAYS[2]}T11:00:00"}, **{"If-Match": "*"}
        )
        for _ in range(4):
            firm.cycle(room)
        states = {b["id"]: b["bookingStatus"] for b in firm.bookings(room)}
        assert states == {made["id"]: "confirmed", rest["id"]: "confirmed"}
        links = list(firm.home.store.links(firm.home.store.pairs()[0].id))
        assert all(link.base_fingerprint == link.event.fingerprint for link in links)
        assert len(links) == 2


@pytest.mark.parametrize("patch", [None, {"title": "New"}])
def test_what_follows_where_only_an_added_date_is_before(
    api: Client, patch: dict[str, Any] | None
) -> None:
    """A rule can end before its first date no more than a series can be nothing but added ones."""
    early = "2026-11-27T09:00:00"
    made = api.book(**WEEKLY, title="Old", recurrenceOverrides={early: {}})
    answer = (
        drop(api, made, DAYS[0], "following")
        if patch is None
        else change(api, made, DAYS[0], "following", **patch)
    )
    assert answer.status_code == 422
    assert "added" in answer.json()["errors"][0]["detail"]
    assert shown(api, "title") == [(day, "Old") for day in (early[:10], *DAYS)]

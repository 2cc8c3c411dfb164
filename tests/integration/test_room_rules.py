"""The platform's rules for a room, asked over HTTP. The clock stands at 2026-11-20 09:00 in the
rooms, a Friday."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calsync.api.server import ApiServer
from calsync.model import Busy, Effect, EffectKind, Occupancy, Room
from tests.integration.api_kit import Client, Door, Served, open_door, served

WEEKDAYS = ["mo", "tu", "we", "th", "fr"]
RULES: dict[str, Any] = {
    "openingHours": [
        {"days": WEEKDAYS, "opens": "08:00", "closes": "18:00"},
        {"days": ["sa"], "opens": "10:00", "closes": "24:00"},
        {"days": ["su"], "opens": "00:00", "closes": "12:00"},
    ],
    "minNotice": "PT1H",
    "minDuration": "PT15M",
    "maxDuration": "PT4H",
    "maxAhead": "P60D",
    "seatsWithinCapacity": True,
}


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


def ruled(api: Client, **rules: Any) -> None:
    doc = {"name": "Aula", "timeZone": "Europe/Berlin", "capacity": 8, "rules": rules}
    answer = api.put("/v1/rooms/r1", json=doc)
    assert answer.status_code == 200, answer.text


def ask(api: Client, start: str, duration: str = "PT1H", **more: Any) -> Any:
    doc = {"start": start, "duration": duration, **more}
    return api.post("/v1/rooms/r1/bookings", json=doc)


def broken(answer: Any) -> list[str]:
    if answer.status_code == 201:
        return []
    assert (answer.status_code, answer.json()["code"]) == (422, "against-rules"), answer.text
    return [v["rule"] for v in answer.json()["violations"]]


def test_rules_are_kept_and_shown_and_go_with_a_put_without_them(api: Client) -> None:
    ruled(api, **RULES)
    assert api.get("/v1/rooms/r1").json()["rules"] == RULES
    (listed,) = (r for r in api.get("/v1/rooms").json()["rooms"] if r["id"] == "r1")
    assert listed["rules"] == RULES
    api.put("/v1/rooms/r1", json={"name": "Aula", "timeZone": "Europe/Berlin"})
    assert "rules" not in api.get("/v1/rooms/r1").json()


def test_the_settings_of_an_admin_leave_them_as_they_are(world: Served, api: Client) -> None:
    ruled(api, **RULES)
    world.hub.service.put_room(Room(id="r1", name="Renamed", zone="Europe/Berlin"))
    assert api.get("/v1/rooms/r1").json()["rules"] == RULES


@pytest.mark.parametrize(
    ("start", "duration", "rules"),
    [
        ("2026-11-23T08:00:00", "PT1H", []),
        ("2026-11-23T17:00:00", "PT1H", []),
        ("2026-11-23T07:45:00", "PT1H", ["openingHours"]),
        ("2026-11-23T17:30:00", "PT1H", ["openingHours"]),
        ("2026-11-28T23:00:00", "PT1H", []),
        # Saturday until midnight, Sunday from midnight: they touch.
        ("2026-11-28T23:00:00", "PT3H", []),
        ("2026-11-27T17:00:00", "PT4H", ["openingHours"]),
        ("2026-11-29T11:30:00", "PT1H", ["openingHours"]),
        ("2026-11-20T09:30:00", "PT1H", ["minNotice"]),
        ("2026-11-20T10:05:00", "PT1H", []),
        ("2026-11-23T09:00:00", "PT14M", ["minDuration"]),
        ("2026-11-23T09:00:00", "PT4H", []),
        ("2026-11-23T09:00:00", "PT4H1M", ["maxDuration"]),
        ("2027-01-19T08:30:00", "PT1H", []),
        ("2027-01-20T09:30:00", "PT1H", ["maxAhead"]),
        ("2027-02-20T06:00:00", "PT5H", ["maxDuration", "openingHours", "maxAhead"]),
    ],
)
def test_each_rule_holds_to_the_minute(
    api: Client, start: str, duration: str, rules: list[str]
) -> None:
    ruled(api, **RULES)
    assert broken(ask(api, start, duration)) == rules


def test_a_refusal_offers_rooms_whose_rules_allow_it_and_other_times(api: Client) -> None:
    ruled(api, **RULES)
    for room, rules in (("r2", {}), ("r3", RULES)):
        doc = {"name": room, "timeZone": "Europe/Berlin", "capacity": 9, "rules": rules}
        assert api.put(f"/v1/rooms/{room}", json=doc).status_code in (200, 201)
    taken = ask(api, "2026-11-23T17:00:00")
    assert taken.status_code == 201
    problem = ask(api, "2026-11-23T19:00:00").json()
    assert problem["code"] == "against-rules"
    assert [one["roomId"] for one in problem["alternatives"]] == ["r2"]
    # Nearest first is what counts; they are told by start, in UTC. 17:00 is taken.
    assert problem["times"] == [
        {"start": f"2026-11-23T{hour:02}:00:00Z", "end": f"2026-11-23T{hour + 1:02}:00:00Z"}
        for hour in (13, 14, 15)
    ]
    series = ask(api, "2026-11-23T19:00:00", rrule="FREQ=DAILY;COUNT=3").json()
    assert ([one["roomId"] for one in series["alternatives"]], series["times"]) == (["r2"], [])


def test_free_rooms_for_time_that_is_taken_obey_their_own_rules(api: Client) -> None:
    for room, rules in (("r1", {}), ("r2", {}), ("r3", RULES)):
        doc = {"name": room, "timeZone": "Europe/Berlin", "capacity": 9, "rules": rules}
        assert api.put(f"/v1/rooms/{room}", json=doc).status_code in (200, 201)
    assert ask(api, "2026-11-23T19:00:00").status_code == 201
    problem = ask(api, "2026-11-23T19:00:00").json()
    assert problem["code"] == "room-conflict"
    assert [one["roomId"] for one in problem["alternatives"]] == ["r2"]


def test_seats(api: Client) -> None:
    ruled(api, seatsWithinCapacity=True)
    assert broken(ask(api, "2026-11-23T09:00:00", seats=9)) == ["seatsWithinCapacity"]
    assert broken(ask(api, "2026-11-23T09:00:00", seats=8)) == []


def test_all_day_means_all_the_time_that_it_is_open(api: Client) -> None:
    hours = [{"days": WEEKDAYS, "opens": "08:00", "closes": "18:00"}]
    ruled(api, openingHours=hours, maxDuration="P2D")
    whole = {"showWithoutTime": True}
    assert broken(ask(api, "2026-11-23T00:00:00", "P1D", **whole)) == []
    assert broken(ask(api, "2026-11-27T00:00:00", "P2D", **whole)) == ["openingHours"]
    assert broken(ask(api, "2026-11-24T00:00:00", "P3D", **whole)) == ["maxDuration"]


def test_of_a_series_each_date_is_asked_about(api: Client) -> None:
    ruled(api, **RULES)
    answer = ask(api, "2026-11-26T08:30:00", rrule="FREQ=DAILY;COUNT=5")
    assert broken(answer) == ["openingHours"]
    (violation,) = answer.json()["violations"]
    assert violation["dates"] == ["2026-11-28T08:30:00"]  # Saturday opens at ten
    assert broken(ask(api, "2026-11-26T09:00:00", rrule="FREQ=WEEKLY")) == ["maxAhead"]
    assert broken(ask(api, "2026-11-26T09:00:00", rrule="FREQ=WEEKLY;COUNT=4")) == []


def test_the_clock_of_the_room_counts_across_a_change_of_clocks(api: Client) -> None:
    ruled(api, openingHours=[{"days": ["su"], "opens": "08:00", "closes": "09:00"}])
    for sunday in ("2027-03-21", "2027-03-28", "2027-04-04"):
        assert broken(ask(api, f"{sunday}T08:00:00")) == []


def test_rules_that_became_stricter_turn_nobody_out(api: Client) -> None:
    made = ask(api, "2026-11-23T19:00:00", "PT2H").json()
    ruled(api, **RULES)
    path = f"/v1/bookings/{made['id']}"
    assert api.patch(path, {"seats": 2}, "*").status_code == 200
    # Giving up time is always allowed; wanting other time is asked about.
    assert api.patch(path, {"duration": "PT1H"}, "*").status_code == 200
    assert broken(api.patch(path, {"start": "2026-11-23T20:00:00"}, "*")) == ["openingHours"]
    assert api.delete(path, "*").status_code == 204


def test_what_stands_in_the_calendar_is_mirrored_whatever_it_is(world: Served, api: Client) -> None:
    ruled(api, **RULES)
    night = Occupancy(
        start=datetime(2026, 11, 23, 2), end=datetime(2026, 11, 23, 9), zone="UTC", busy=Busy.BUSY
    )
    effect = Effect(
        id="e1",
        kind=EffectKind.CREATE_BOOKING,
        link_id="l1",
        revision=1,
        why="test",
        target=night,
        created=datetime(2026, 11, 20, tzinfo=UTC),
    )
    world.hub.side.apply(world.hub.pair, [effect])
    window = "start=2026-11-23T00:00:00Z&end=2026-11-24T00:00:00Z"
    assert len(api.get(f"/v1/rooms/r1/occupancy?{window}").json()["items"]) == 1


@pytest.mark.parametrize(
    "rules",
    [
        {"openingHours": "always"},
        {"openingHours": [5]},
        {"openingHours": [{"days": [], "opens": "08:00", "closes": "18:00"}]},
        {"openingHours": [{"days": ["xx"], "opens": "08:00", "closes": "18:00"}]},
        {"openingHours": [{"days": [["mo"]], "opens": "08:00", "closes": "18:00"}]},
        {"openingHours": [{"days": ["mo"], "opens": "18:00", "closes": "08:00"}]},
        {"openingHours": [{"days": ["mo"], "opens": "08:00", "closes": "24:01"}]},
        {"openingHours": [{"days": ["mo"], "opens": "8", "closes": "18:00"}]},
        {"openingHours": [{"days": ["mo"], "opens": "0٨:00", "closes": "18:00"}]},
        {"openingHours": [{"days": ["mo"], "opens": "08:00", "closes": "18:00"}] * 51},
        {"minNotice": 5},
        {"minNotice": "-PT1H"},
        {"maxDuration": "x"},
        {"minDuration": "PT2H", "maxDuration": "PT1H"},
        {"seatsWithinCapacity": "yes"},
        {"unknown": 1},
        "none",
    ],
)
def test_rules_that_cannot_be_are_refused(api: Client, rules: Any) -> None:
    doc = {"name": "Aula", "timeZone": "Europe/Berlin", "rules": rules}
    answer = api.put("/v1/rooms/r1", json=doc)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"].startswith("/rules")
    assert "rules" not in api.get("/v1/rooms/r1").json()

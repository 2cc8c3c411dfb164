"""Which room is which mailbox: what is alike is found, what only looks alike is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calsync.model import ResourceCalendar, Room
from calsync.setup.suggest import compare, new_ids, suggest


def room(name: str, **more: object) -> Room:
    return Room(id=name.lower().replace(" ", "-"), name=name, zone="UTC", **more)  # type: ignore[arg-type]


def box(name: str, address: str = "", **more: object) -> ResourceCalendar:
    address = address or name.lower().replace(" ", ".") + "@x.test"
    return ResourceCalendar(address=address, name=name, **more)  # type: ignore[arg-type]


def test_the_same_name_seats_and_building_are_a_hundred_and_say_why() -> None:
    mine = room("Atrium", capacity=12, building="HQ")
    theirs = box("Meeting Room ATRIUM", "mr7@x.test", capacity=12, building="hq")
    assert compare(mine, theirs) == (100, "same name, 12 seats each, building hq")


def test_accents_word_order_and_leading_zeros_do_not_part_what_is_one() -> None:
    assert compare(room("Café Zürich 01"), box("1 zurich cafe"))[0] == 100
    assert compare(room("Große Halle"), box("Grosse Halle"))[0] >= 80


def test_other_numbers_are_other_rooms() -> None:
    assert compare(room("Room 12"), box("Room 21"))[0] == 0
    assert compare(room("Floor 2 Room 3"), box("Floor 3 Room 2"))[0] < 100


def test_other_seats_or_another_building_speak_against_it() -> None:
    plain = compare(room("Atrium"), box("Atrium"))[0]
    seats, why = compare(room("Atrium", capacity=4), box("Atrium", capacity=20))
    assert seats < plain
    assert "but 4 and 20 seats" in why
    other = compare(room("Atrium", building="HQ"), box("Atrium", building="Annex"))[0]
    assert other < 50


def test_each_is_suggested_once_the_best_first_and_a_rival_is_named() -> None:
    rooms = [room("Atrium"), room("Loft")]
    boxes = [
        box("Atrium", "a1@x.test"),
        box("Atrium", "a2@x.test"),
        box("Lofd", "l@x.test"),
        box("Cellar", "c@x.test"),
    ]
    found = suggest(rooms, boxes)
    assert [(s.room.id, s.calendar.address, s.rival) for s in found] == [
        ("atrium", "a1@x.test", "a2@x.test"),
        ("loft", "l@x.test", ""),
    ]


NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(names=st.lists(NAMES, max_size=6), others=st.lists(NAMES, max_size=6))
def test_whatever_the_names_nothing_is_suggested_twice(names: list[str], others: list[str]) -> None:
    rooms = [Room(id=f"r{n}", name=name, zone="UTC") for n, name in enumerate(names)]
    boxes = [ResourceCalendar(address=f"b{n}@x", name=name) for n, name in enumerate(others)]
    found = suggest(rooms, boxes, least=1)
    assert len({s.room.id for s in found}) == len(found) == len({s.calendar.address for s in found})
    assert all(1 <= s.score <= 100 for s in found)
    assert found == suggest(rooms[::-1], boxes[::-1], least=1)


def test_new_rooms_get_ids_of_their_own() -> None:
    boxes = [
        box("Atrium", "a@x.test"),
        box("Atrium", "b@x.test"),
        box("", "third@x.test"),
        box("会議室", "k-1@x.test"),
    ]
    assert new_ids(boxes, ["atrium"]) == {
        "a@x.test": "atrium-2",
        "b@x.test": "atrium-3",
        "third@x.test": "third",
        "k-1@x.test": "k-1",
    }

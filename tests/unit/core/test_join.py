"""Which link an item belongs to that was never seen before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import Gone, Half, Link, LinkState, Occupancy, Person, Seen, Side, Unknown
from calsync.model.observation import Absence
from calsync.reconcile.join import (
    Joiner,
    is_heir,
    link_id,
    never_read,
    strangers,
    succeed,
)
from tests.unit.core.planning import planned, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    PAIR,
    agreed,
    buried,
    gone,
    link,
    occ,
    seen,
    there,
    unknown,
)

NINE, TEN = occ(9, 10), occ(10, 11)
ANNA, BERT = Person("Anna", "Anna@x.example"), Person("Bert", "bert@x.example")


def booked(name: str = "x", what: Occupancy = NINE, *, uid: str = "u", **more: object) -> Link:
    """A booking that has no event yet."""
    return link(there(what, key=f"b {name}", uid=uid), id=name, **more)  # type: ignore[arg-type]


def invited(name: str = "x", what: Occupancy = NINE, *, uid: str = "u") -> Link:
    """An event that has no booking yet."""
    return link(None, there(what, key=f"e {name}", uid=uid), id=name, origin=CALENDAR)


def waiting(side: Side, obs: Seen, *links: Link, importing: bool = False) -> str | None:
    found = Joiner(PAIR, links, importing=importing).waiting(side, obs)
    return found and found.id


# --- by our tag --------------------------------------------------------------------------------


def test_an_event_with_our_tag_is_the_one_we_made() -> None:
    obs = seen(TEN, key="new", tag="x")
    assert waiting(CALENDAR, obs, booked(uid="")) == "x"
    assert waiting(CALENDAR, obs, booked("other", uid="")) is None
    assert waiting(CALENDAR, replace(obs, tag=None), booked(uid="")) is None


def test_a_tag_is_a_hint_and_no_authority() -> None:
    """A copied event carries the tag of a booking that has its event, or one of another room."""
    obs = seen(NINE, key="copy", tag="x")
    assert waiting(CALENDAR, obs, agreed(NINE)) is None
    assert waiting(CALENDAR, obs, replace(booked(uid=""), pair_id="another")) is None


def test_on_the_first_import_equal_content_says_more_than_a_tag_of_a_former_life() -> None:
    """A lost database: tags in the calendar may name links of another life of the bookings."""
    nine, ten = booked("x", NINE, uid=""), booked("y", TEN, uid="")
    joiner = Joiner(PAIR, [nine, ten], importing=True)
    for item, what in ((nine, NINE), (ten, TEN)):
        joiner.note(BOOKING, item, seen(what, key=f"b {item.id}"))
    assert joiner.waiting(CALENDAR, seen(NINE, key="e", tag="y")) == nine
    assert joiner.waiting(CALENDAR, seen(NINE, key="e", tag="x")) == nine
    assert joiner.waiting(CALENDAR, seen(occ(1, 2), key="e", tag="y")) == ten, "none is equal"
    twin = booked("z", NINE, uid="")
    joiner = Joiner(PAIR, [nine, twin], importing=True)
    for item in (nine, twin):
        joiner.note(BOOKING, item, seen(NINE, key=f"b {item.id}"))
    assert joiner.waiting(CALENDAR, seen(NINE, key="e", tag="z")) == twin, "its own tag decides"


def test_later_a_tag_says_more_than_equal_content() -> None:
    nine, ten = booked("x", NINE, uid=""), booked("y", TEN, uid="")
    joiner = Joiner(PAIR, [nine, ten], importing=False)
    assert joiner.waiting(CALENDAR, seen(NINE, key="e", tag="y")) == ten


def test_a_tag_says_more_than_a_uid() -> None:
    obs = seen(NINE, key="e", tag="x", uid="u")
    assert waiting(CALENDAR, obs, booked("x", uid=""), booked("y", uid="u")) == "x"


# --- by uid ------------------------------------------------------------------------------------


def test_copies_of_one_meeting_share_their_uid() -> None:
    assert waiting(CALENDAR, seen(NINE, key="new", uid="u"), booked()) == "x"
    assert waiting(CALENDAR, seen(NINE, key="new", uid="v"), booked()) is None
    assert waiting(CALENDAR, seen(NINE, key="new", uid=""), booked(uid="")) is None
    assert waiting(BOOKING, seen(TEN, key="new", uid="u"), invited()) == "x"


def test_only_links_that_wait_for_this_side_are_asked() -> None:
    obs = seen(NINE, key="new", uid="u")
    assert waiting(BOOKING, obs, booked()) is None
    assert waiting(CALENDAR, obs, agreed(NINE)) is None
    assert waiting(CALENDAR, obs, replace(booked(), state=LinkState.PARKED)) is None
    assert waiting(CALENDAR, obs, replace(booked(), event=gone())) is None


def test_where_two_wait_for_one_uid_nobody_is_chosen() -> None:
    obs = seen(NINE, key="new", uid="u")
    assert waiting(CALENDAR, obs, booked("x"), booked("y")) is None
    joiner = Joiner(PAIR, [booked("x"), booked("y")], importing=False)
    joiner.links["x"] = replace(joiner.links["x"], event=there(NINE))
    found = joiner.waiting(CALENDAR, obs)
    assert found is not None
    assert found.id == "y", "one of the two has its event by now"
    joiner.links["y"] = replace(joiner.links["y"], state=LinkState.BURIED)
    assert joiner.waiting(CALENDAR, obs) is None


@pytest.mark.parametrize(
    ("event", "joins"),
    [
        (seen(NINE, uid="u", owned=False), True),
        (seen(TEN, uid="u", owned=False), False),
        (seen(replace(NINE, title="x"), uid="u", owned=False), True),
        (seen(NINE, uid="u", owned=False, person=ANNA), True),
        (seen(NINE, uid="u", owned=False, person=Person("A", "anna@X.example")), True),
        (seen(NINE, uid="u", owned=False, person=BERT), False),
        (seen(NINE, uid="u", owned=True, person=BERT), True),
    ],
    ids=["same time", "other time", "other title", "same person", "in other letters",
         "another organiser", "the room's own"],
)  # fmt: skip
def test_who_knows_a_uid_does_not_get_hold_of_the_booking_by_it(event: Seen, joins: bool) -> None:
    """The organiser of a meeting chooses its uid: its time and its organiser have to agree."""
    assert waiting(CALENDAR, event, booked(person=ANNA)) == ("x" if joins else None)


def test_the_rooms_own_item_that_is_back_is_its_bookings_whatever_either_shows_by_now() -> None:
    """It was taken out of Deleted Items, where it had got another key (seed 1343)."""
    back = seen(TEN, key="new", uid="u")
    assert waiting(CALENDAR, back, booked()) == "x"
    assert waiting(CALENDAR, replace(back, owned=False), booked()) is None, "anybody may invite"
    assert waiting(CALENDAR, back, booked(uid="v")) is None
    assert waiting(CALENDAR, back, booked(), importing=True) is None, "nothing was there before"
    part = agreed(NINE, id="part")
    part = replace(part, event=replace(part.event, uid="u"))
    for state in (LinkState.ACTIVE, LinkState.PARKED):
        held = replace(part, state=state)
        assert waiting(CALENDAR, back, booked(), held) is None, "it may be that one, made anew"
    assert waiting(CALENDAR, back, booked(), replace(part, state=LinkState.BURIED)) == "x"


def test_what_is_back_while_another_item_is_made_is_told_apart_later() -> None:
    back = seen(TEN, key="new", uid="u")
    doubt = booked(in_flight=True)
    assert waiting(CALENDAR, back, doubt) is None
    assert waiting(CALENDAR, replace(back, occupancy=NINE), doubt) == "x"

    def in_doubt(side: Side, obs: Seen, *links: Link) -> bool:
        return Joiner(PAIR, links, importing=False).in_doubt(side, obs)

    assert in_doubt(CALENDAR, back, doubt)
    assert not in_doubt(CALENDAR, back, booked())
    assert not in_doubt(CALENDAR, replace(back, owned=False), doubt)
    assert not in_doubt(CALENDAR, replace(back, uid=""), booked(uid="", in_flight=True))
    assert not in_doubt(BOOKING, back, replace(invited(), in_flight=True))


@pytest.mark.parametrize("more", [{"importing": True}, {"in_flight": True}], ids=str)
def test_the_rooms_own_item_of_its_uid_and_time_is_its_bookings_whoever_is_named(
    more: dict[str, bool],
) -> None:
    importing = more.get("importing", False)
    own = seen(NINE, uid="u", owned=True, person=BERT)
    wanted = booked(person=ANNA, in_flight=more.get("in_flight", False))
    assert waiting(CALENDAR, own, wanted, importing=importing) == "x"
    assert waiting(CALENDAR, replace(own, owned=False), wanted, importing=importing) is None


@pytest.mark.parametrize("more", [{"importing": True}, {"in_flight": True}], ids=str)
def test_a_booking_that_names_an_events_uid_is_its_own_whatever_it_shows(
    more: dict[str, bool],
) -> None:
    """Only our own platform gives a booking the uid of an event."""
    event = replace(invited(), in_flight=more.get("in_flight", False))
    importing = more.get("importing", False)
    assert waiting(BOOKING, seen(TEN, uid="u"), event, importing=importing) == "x"


def test_what_has_no_uid_shares_it_with_nothing() -> None:
    joiner = Joiner(PAIR, [agreed(NINE), invited("y")], importing=False)
    assert joiner.holding(CALENDAR, "") == []
    assert [one.id for one in joiner.holding(CALENDAR, "u")] == ["y"]
    assert joiner.holding(BOOKING, "u") == []


def test_both_are_back_and_the_booking_could_not_be_read_at_first() -> None:
    """Its uid was known before it was read: named twice by it, it is still one booking, and not
    refused in favour of its own event."""
    back = link(unknown(key="b", uid="u"))
    plan = planned(
        back,
        booking=[seen(NINE, key="b", uid="u", mark=9)],
        calendar=[seen(NINE, key="e", uid="u", owned=False, person=BERT)],
    )
    assert plan.effects == []
    assert (stored(plan)["x"].booking.key, stored(plan)["x"].event.key) == ("b", "e")


def test_a_booking_whose_person_is_not_known_is_joined_by_time_and_uid() -> None:
    assert waiting(CALENDAR, seen(NINE, uid="u", owned=False, person=BERT), booked()) == "x"


def test_a_booking_of_unknown_content_is_not_joined_by_uid() -> None:
    unread = link(unknown(key="b", uid="u"))
    assert waiting(CALENDAR, seen(NINE, uid="u"), unread) is None


# --- by content, on the first import -------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_the_first_import_joins_equal_items_that_it_finds_on_both_sides(side: Side) -> None:
    joiner = Joiner(PAIR, [], importing=True)
    first = joiner.fresh(side, seen(NINE, key="one"))
    first = (
        replace(first, booking=there(NINE))
        if side is BOOKING
        else replace(first, event=there(NINE))
    )
    joiner.links[first.id] = first
    joiner.note(side, first, seen(NINE, key="one"))
    found = joiner.waiting(side.other, seen(NINE, key="two"))
    assert found == first
    assert joiner.waiting(side.other, seen(TEN, key="two")) is None
    assert joiner.waiting(side, seen(NINE, key="two")) is None, "two on one side are two bookings"


def test_later_equal_content_is_no_reason_to_join() -> None:
    joiner = Joiner(PAIR, [], importing=False)
    first = replace(joiner.fresh(BOOKING, seen(NINE, key="one")), booking=there(NINE))
    joiner.links[first.id] = first
    joiner.note(BOOKING, first, seen(NINE, key="one"))
    assert joiner.waiting(CALENDAR, seen(NINE, key="two")) is None


def test_equal_items_are_joined_one_for_one() -> None:
    joiner = Joiner(PAIR, [], importing=True)
    for key in ("one", "two"):
        made = replace(joiner.fresh(BOOKING, seen(NINE, key=key)), booking=there(NINE, key=key))
        joiner.links[made.id] = made
        joiner.note(BOOKING, made, seen(NINE, key=key))
    taken = []
    while (found := joiner.waiting(CALENDAR, seen(NINE, key="e"))) is not None:
        taken.append(found.booking.key)
        joiner.links[found.id] = replace(found, event=there(NINE))
    assert taken == ["one", "two"]


def test_a_new_item_waits_for_its_counterpart_by_uid() -> None:
    joiner = Joiner(PAIR, [], importing=False)
    made = replace(joiner.fresh(CALENDAR, seen(NINE, key="e", uid="u")), event=there(NINE, uid="u"))
    joiner.links[made.id] = made
    joiner.note(CALENDAR, made, seen(NINE, key="e", uid="u"))
    assert joiner.waiting(BOOKING, seen(TEN, key="b", uid="u")) == made
    joiner.note(CALENDAR, made, seen(NINE, key="e", uid=""))
    assert joiner.waiting(BOOKING, seen(TEN, key="b", uid="")) is None


# --- new links -----------------------------------------------------------------------------------


def test_the_id_of_a_link_is_derived_from_its_item() -> None:
    """So that a crash or a restored database gives the same one."""
    names = {
        link_id("p", BOOKING, "k"),
        link_id("p", CALENDAR, "k"),
        link_id("q", BOOKING, "k"),
        link_id("p", BOOKING, "l"),
        link_id("p", BOOKING, "k", "2"),
        link_id("p", BOOKING, "", "k"),
    }
    assert len(names) == 6
    assert link_id("p", BOOKING, "k") in names
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)
    assert link_id("p", BOOKING, "\ud800"), "also of a key that is no valid text"


def test_ids_are_the_same_in_every_release() -> None:
    """They stand in people's calendars, as tags."""
    tomb = replace(buried(), revision=7)
    assert link_id("p", BOOKING, "k") == "eae3f85a1105f36538e2e2e6f9146766"
    assert succeed(tomb, BOOKING).id == "cd91e9924b69296bdf7427fba43ea6e4"
    assert succeed(replace(tomb, booking=Half()), BOOKING).id == "c8f3ab46d0a2d7a9bb547d634e463c3e"
    joiner = Joiner(PAIR, [succeed(tomb, CALENDAR)], importing=False)
    assert joiner.successor(tomb, CALENDAR).id == "76a8189b307eb09d5e32316d225ecfd3"


@pytest.mark.parametrize("side", Side)
def test_a_fresh_link_has_no_item_yet(side: Side) -> None:
    joiner = Joiner(PAIR, [], importing=False)
    made = joiner.fresh(side, seen(NINE, key="k"))
    assert made == Link(id=link_id("p", side, "k"), pair_id="p", origin=side)
    assert joiner.links == {made.id: made}


def test_an_item_that_had_an_earlier_life_gets_a_link_of_its_own() -> None:
    tomb = replace(buried(), id=link_id("p", BOOKING, "b"))
    joiner = Joiner(PAIR, [tomb], importing=False)
    second = joiner.fresh(BOOKING, seen(NINE, key="b"))
    assert second.id != tomb.id
    assert is_heir(second, tomb, BOOKING)
    third = joiner.successor(tomb, BOOKING)
    assert third.id not in (tomb.id, second.id), "every life has its own id"


@pytest.mark.parametrize("side", Side)
def test_a_successor_takes_over_the_item_of_one_side(side: Side) -> None:
    tomb = agreed(NINE, person=ANNA, seats=4)
    new = succeed(tomb, side)
    assert new.half(side) == tomb.half(side)
    assert new.half(side.other) == Half()
    assert (new.origin, new.person, new.seats, new.pair_id) == (side, ANNA, 4, "p")
    assert new.base is None
    assert is_heir(new, tomb, side)
    assert not is_heir(new, replace(tomb, revision=tomb.revision + 1), side)
    assert not is_heir(tomb, tomb, side)
    assert not is_heir(link(), tomb, side), "it has no item there"


# --- what cannot be read, and what is nobody's ---------------------------------------------------


@pytest.mark.parametrize(
    ("item", "side"),
    [
        (link(unknown()), BOOKING),
        (link(None, unknown()), CALENDAR),
        (link(unknown(), there(NINE)), None),
        (link(unknown(seen=NINE)), None),
        (link(there(NINE)), None),
        (link(unknown(), there(NINE), base=NINE), None),
        (link(unknown(), base=NINE), None),
        (link(unknown(), state=LinkState.BURIED), None),
        (link(), None),
    ],
)
def test_an_item_of_which_only_its_key_is_known(item: Link, side: Side | None) -> None:
    assert never_read(item) is side


def test_strangers_come_in_the_order_of_their_keys() -> None:
    observed = {
        "c": seen(NINE, key="c"),
        "a": Unknown(key="a", reason="timeout"),
        "b": Gone(key="b", absence=Absence.READ),
        "known": seen(NINE, key="known"),
    }
    assert [obs.key for obs in strangers(observed, {"known", "elsewhere"})] == ["a", "c"]
    many = [f"{n:02}" for n in range(40)]
    found = strangers({key: seen(NINE, key=key) for key in reversed(many)}, set())
    assert [obs.key for obs in found] == many

"""In whose calendar a booking of the platform is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.model import Half, Link, Person, WriteAs
from calsync.reconcile.route import NAMELESS, NOBODY_NAMED, may_be_our_own, routed
from tests.unit.core.planning import ANNA, NINE
from tests.unit.core.values import PAIR, link, there

ROOM, ORGANIZER = PAIR, replace(PAIR, write_as=WriteAs.ORGANIZER)
HIDDEN = replace(NINE, private=True)


def booked(what: Any = NINE, *, sent: str = "", **more: Any) -> Link:
    return link(there(what, key="b"), Half(sent=sent), **{"person": ANNA, **more})


@pytest.mark.parametrize(
    ("item", "pair", "organizer", "hindrance"),
    [
        (booked(), ORGANIZER, "anna@x.example", ""),
        (booked(person=Person("", " Anna@X.example ")), ORGANIZER, "anna@x.example", ""),
        (booked(person=Person("", PAIR.mailbox.upper())), ORGANIZER, "", ""),
        (booked(person=Person("Eve")), ORGANIZER, "", NOBODY_NAMED),
        (booked(HIDDEN, person=Person()), ORGANIZER, "", NAMELESS),
        (booked(HIDDEN, person=Person(), base=HIDDEN), ORGANIZER, "", NAMELESS),
        # Made public since: only that nobody is named.
        (booked(NINE, person=Person(), base=HIDDEN), ORGANIZER, "", NOBODY_NAMED),
        # What was found out once stands: where it goes, or why it cannot.
        (booked(organizer="bert@x.example"), ORGANIZER, "bert@x.example", ""),
        (booked(hindrance="closed"), ORGANIZER, "", "closed"),
        # What may have been made in the room's calendar goes there again.
        (booked(sent="s"), ORGANIZER, "", ""),
        (booked(), ROOM, "", ""),
        (booked(organizer="bert@x.example", hindrance="closed"), ROOM, "", ""),
        (booked(organizer="bert@x.example", sent="s"), ROOM, "bert@x.example", ""),
    ],
)
def test_where_a_booking_is_made(item: Link, pair: Any, organizer: str, hindrance: str) -> None:
    found = routed(item, pair)
    assert (found.organizer, found.hindrance) == (organizer, hindrance)
    assert found == replace(item, organizer=organizer, hindrance=hindrance)


@pytest.mark.parametrize("address", ["", "BERT@x.example", "Anna@X.example"])
def test_a_meeting_in_either_name_may_be_the_one_that_was_sent(address: str) -> None:
    """That of whoever booked it now, or in whose mailbox it was to be made."""
    sent = booked(sent="s", organizer="Bert@x.example")
    assert may_be_our_own(sent, address)
    assert not may_be_our_own(sent, "eve@x.example")
    assert not may_be_our_own(replace(sent, event=there(NINE, sent="s")), address)
    assert not may_be_our_own(replace(sent, organizer=""), address)
    assert may_be_our_own(replace(sent, person=Person("Anna", "ANNA@x.example")), address)

"""A room's rules and reactions as people read and write them."""

from __future__ import annotations

import re

import pytest

from calsync.mapping.booking_rules import BookingRules, Opening, Violation
from calsync.mapping.reactions import NAMES, reactions_text, read_reactions
from calsync.mapping.rule_words import opening_hours, told
from calsync.model import LET_BE, Reaction, Reactions, Weekday

MO, TU, WE, TH, FR, SA, SU = Weekday
DAILY = Opening(frozenset(Weekday), 0, 1440)


@pytest.mark.parametrize(
    ("days", "opens", "closes", "words"),
    [
        ((MO,), 0, 1, "Mo 00:00-00:01"),
        ((SU, MO), 59, 60, "Mo/Su 00:59-01:00"),
        ((MO, TU), 61, 119, "Mo-Tu 01:01-01:59"),
        ((WE, TH, FR), 600, 1440, "We-Fr 10:00-24:00"),
        ((MO, TU, TH, SA, SU), 480, 1110, "Mo-Tu/Th/Sa-Su 08:00-18:30"),
        ((MO, WE, FR, SU), 1380, 1439, "Mo/We/Fr/Su 23:00-23:59"),
        (tuple(Weekday), 0, 1440, "Mo-Su 00:00-24:00"),
    ],
)
def test_the_opening_hours_of_some_days(
    days: tuple[Weekday, ...], opens: int, closes: int, words: str
) -> None:
    assert opening_hours([Opening(frozenset(days), opens, closes)]) == words


@pytest.mark.parametrize(
    ("count", "shown", "end"), [(0, 0, ""), (1, 1, ""), (7, 7, ""), (8, 7, " and more")]
)
def test_seven_openings_are_told(count: int, shown: int, end: str) -> None:
    assert opening_hours([DAILY] * count) == ", ".join(["Mo-Su 00:00-24:00"] * shown) + end


def test_only_who_comes_when_it_is_closed_is_told_when_it_is_open() -> None:
    rules = BookingRules(opening=(DAILY,))
    closed = Violation("openingHours", "the room is closed then", "Take another time")
    short = Violation("minDuration", "it is too short", "Book more time")
    assert told(closed, rules) == "the room is closed then (open Mo-Su 00:00-24:00)"
    assert told(short, rules) == "it is too short"
    assert told(closed, BookingRules()) == "the room is closed then"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", LET_BE),
        ("seats=warn", Reactions(seats=Reaction.WARN)),
        ("notice=decline,length=warn", Reactions(notice=Reaction.DECLINE, length=Reaction.WARN)),
        (" ahead=warn \n seats=nothing,", Reactions(ahead=Reaction.WARN)),
    ],
)
def test_reactions_are_read(text: str, wanted: Reactions) -> None:
    assert read_reactions(text) == wanted


def test_what_is_not_said_stays() -> None:
    before = Reactions(seats=Reaction.WARN, ahead=Reaction.DECLINE)
    after = Reactions(seats=Reaction.NOTHING, ahead=Reaction.DECLINE)
    assert read_reactions("seats=nothing", before) == after
    assert read_reactions("", before) == before


def test_reactions_are_written_in_the_order_of_the_rules() -> None:
    assert NAMES == ("opening_hours", "notice", "length", "ahead", "seats")
    some = Reactions(seats=Reaction.WARN, opening_hours=Reaction.DECLINE)
    assert reactions_text(some) == "opening_hours=decline, seats=warn"
    assert reactions_text(LET_BE) == ""


RULES = "opening_hours, notice, length, ahead, seats"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("seats", f"'seats' is not RULE=REACTION with a rule of {RULES}"),
        ("hours=warn", f"'hours=warn' is not RULE=REACTION with a rule of {RULES}"),
        ("x" * 41, f"'{'x' * 40}' is not RULE=REACTION with a rule of {RULES}"),
        ("seats=maybe", "seats cannot be 'maybe': one of nothing, warn, decline"),
        ("seats=", "seats cannot be '': one of nothing, warn, decline"),
        ("seats=warn=warn", "seats cannot be 'warn=warn': one of nothing, warn, decline"),
        ("seats=" + "x" * 41, f"seats cannot be '{'x' * 40}': one of nothing, warn, decline"),
        ("seats=warn, seats=warn", "seats is said twice"),
    ],
)
def test_why_reactions_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        read_reactions(text)
    assert str(refused.value) == why

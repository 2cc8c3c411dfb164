"""A refusal as a connector sends it: what is read, and what is said of what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calsync.mapping.booking import refusal_to_json
from calsync.mapping.booking_form import FieldError, Form
from calsync.mapping.booking_refusal import read_refusal
from calsync.mapping.booking_series import MAX_OVERRIDES
from calsync.model import Alternative, Refusal

NINE, TEN = datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)
SPAN = {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z"}
TAKEN = {"reason": "Taken."}


def read(doc: dict[str, object]) -> tuple[Refusal, list[FieldError]]:
    form = Form(doc, at="/refusal")
    return read_refusal(form), form.errors


def test_all_that_it_may_say() -> None:
    doc: dict[str, object] = {
        "@type": "Refusal",
        "code": "room-conflict",
        "reason": "The room is taken.",
        "dates": ["2026-12-08T09:00:00", "2026-12-01T09:00:00"],
        "conflicts": [SPAN],
        "times": [{"start": "2026-12-01T12:00:00+02:00", "end": "2026-12-01T11:30:00.5Z"}],
        "alternatives": [
            {"roomId": "r2", "name": "Room 2", "capacity": 6},
            {"roomId": "r3", "name": None, "capacity": None},
        ],
    }
    assert read(doc) == (
        Refusal(
            reason="The room is taken.",
            code="room-conflict",
            dates=(datetime(2026, 12, 1, 9), datetime(2026, 12, 8, 9)),
            conflicts=((NINE, TEN),),
            times=((TEN, datetime(2026, 12, 1, 11, 30, 0, 500_000, tzinfo=UTC)),),
            alternatives=(
                Alternative(room_id="r2", name="Room 2", capacity=6),
                Alternative(room_id="r3", name="r3"),
            ),
        ),
        [],
    )


def test_a_sentence_is_enough() -> None:
    assert read({"reason": "No."}) == (Refusal(reason="No.", code="refused"), [])


def test_what_calsync_sends_it_takes() -> None:
    refusal = Refusal(
        reason="Taken.",
        dates=(datetime(2026, 12, 1, 9),),
        conflicts=((NINE, TEN),),
        times=((NINE, TEN),),
        alternatives=(Alternative(room_id="r2", name="Room 2", capacity=6),),
    )
    assert read(refusal_to_json(refusal)) == (refusal, [])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  Taken\r\n by\tEve\u200b. ", "Taken by Eve."),
        ("A\u202eB \x00 C", "AB C"),
        ("all of it " * 100, ("all of it " * 100).strip()),
        ("x" * 1000, "x" * 255),  # no word is that long
    ],
)
def test_a_reason_is_kept_on_one_line_and_whole(said: str, kept: str) -> None:
    refusal, errors = read({"reason": said})
    assert (refusal.reason, errors) == (kept, [])


MISSING = FieldError(
    "/refusal/reason", "is missing", "Say why, in a sentence for the person who booked"
)
NO_CODE = FieldError("/refusal/code", "is not a code", "Use small letters, digits and dashes")
NO_DATE = FieldError(
    "/refusal/dates",
    "is not a local date and time",
    "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone",
)
NO_SPAN = FieldError("/refusal/conflicts", "an entry is no span", "Give start and end as instants")
NO_ROOM = FieldError("/refusal/alternatives", "an entry names no room", "Give roomId and name")


@pytest.mark.parametrize(
    ("doc", "errors"),
    [
        ({}, [MISSING]),
        ({"reason": None}, [MISSING]),
        ({"reason": " \u200b "}, [MISSING]),
        ({"reason": 7}, [FieldError("/refusal/reason", "must be a string")]),
        (
            {"reason": "x" * 1001},
            [FieldError("/refusal/reason", "must have at most 1000 characters, has 1001")],
        ),
        (
            {**TAKEN, "why": "x"},
            [
                FieldError(
                    "/refusal/why",
                    "this member is not known here",
                    "Check its spelling, or drop it",
                )
            ],
        ),
        ({**TAKEN, "code": "Taken"}, [NO_CODE]),
        ({**TAKEN, "code": "-taken"}, [NO_CODE]),
        ({**TAKEN, "code": "taken\n"}, [NO_CODE]),
        ({**TAKEN, "code": 7}, [FieldError("/refusal/code", "must be a string")]),
        (
            {**TAKEN, "code": "x" * 65},
            [FieldError("/refusal/code", "must have at most 64 characters, has 65")],
        ),
        ({**TAKEN, "dates": "2026-12-01"}, [FieldError("/refusal/dates", "must be an array")]),
        ({**TAKEN, "dates": ["2026-12-01T09:00:00Z"]}, [NO_DATE]),
        ({**TAKEN, "dates": [7]}, [NO_DATE]),
        ({**TAKEN, "conflicts": [7]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{"start": SPAN["start"]}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{"end": SPAN["end"]}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{**SPAN, "end": 7}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{**SPAN, "end": "soon"}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{**SPAN, "end": "2026-12-01T10:00:00"}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{**SPAN, "start": "0001-01-01T00:00:00+05:00"}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{**SPAN, "end": SPAN["start"]}]}, [NO_SPAN]),
        ({**TAKEN, "conflicts": [{"start": SPAN["end"], "end": SPAN["start"]}]}, [NO_SPAN]),
        (
            {**TAKEN, "times": [[]]},
            [FieldError("/refusal/times", "an entry is no span", "Give start and end as instants")],
        ),
        ({**TAKEN, "alternatives": ["r2"]}, [NO_ROOM]),
        ({**TAKEN, "alternatives": [{"name": "Room 2"}]}, [NO_ROOM]),
        ({**TAKEN, "alternatives": [{"roomId": ""}]}, [NO_ROOM]),
        (
            {**TAKEN, "alternatives": [{"roomId": "r2"}, {"roomId": "x" * 65}]},
            [
                FieldError(
                    "/refusal/alternatives/1/roomId", "must have at most 64 characters, has 65"
                ),
                NO_ROOM,
            ],
        ),
        (
            {**TAKEN, "alternatives": [{"roomId": "r2", "name": "x" * 4097}]},
            [
                FieldError(
                    "/refusal/alternatives/0/name", "must have at most 4096 characters, has 4097"
                )
            ],
        ),
        (
            {**TAKEN, "alternatives": [{"roomId": "r", "capacity": n} for n in (0, 100_001)]},
            [
                FieldError(f"/refusal/alternatives/{n}/capacity", "must be between 1 and 100000")
                for n in range(2)
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    doc: dict[str, object], errors: list[FieldError]
) -> None:
    assert read(doc)[1] == errors


def test_a_date_that_is_null_does_not_refuse_the_whole_series() -> None:
    """A refusal without dates is one of all of it."""
    error = FieldError("/refusal/dates", "an entry is null", "Leave it out")
    assert read({**TAKEN, "dates": [None]})[1] == [error]


@pytest.mark.parametrize(
    ("name", "entry", "most"),
    [
        ("dates", "2026-12-01T09:00:00", MAX_OVERRIDES),
        ("conflicts", SPAN, 50),
        ("times", SPAN, 50),
        ("alternatives", {"roomId": "r", "name": "x" * 4096}, 50),
    ],
)
def test_how_many_of_each(name: str, entry: object, most: int) -> None:
    refusal, errors = read({**TAKEN, name: [entry] * most})
    assert (len(getattr(refusal, name)), errors) == (most, [])
    refusal, errors = read({**TAKEN, name: [entry] * (most + 1)})
    assert getattr(refusal, name) == ()
    assert errors == [FieldError(f"/refusal/{name}", f"must have at most {most} entries")]


def test_the_longest_of_each_are_taken() -> None:
    room = {"roomId": "x" * 64, "capacity": 100_000}
    refusal, errors = read({"reason": "x " * 500, "code": "x" * 64, "alternatives": [room]})
    assert errors == []
    assert refusal.code == "x" * 64
    assert refusal.alternatives == (Alternative(room_id="x" * 64, name="x" * 64, capacity=100_000),)
    smallest, errors = read({**TAKEN, "alternatives": [{"roomId": "r", "capacity": 1}]})
    assert (smallest.alternatives[0].capacity, errors) == (1, [])


def test_what_is_wrong_is_left_out_of_what_is_read() -> None:
    bad: dict[str, object] = {
        "dates": ["soon", "2026-12-01T09:00:00"],
        "conflicts": [7, SPAN],
        "times": [SPAN, 7],
        "alternatives": [7, {"roomId": "r"}],
    }
    refusal, errors = read(bad)
    assert len(errors) == 5
    assert refusal == Refusal(
        reason="",
        code="refused",
        dates=(datetime(2026, 12, 1, 9),),
        conflicts=((NINE, TEN),),
        times=((NINE, TEN),),
        alternatives=(Alternative(room_id="r", name="r"),),
    )

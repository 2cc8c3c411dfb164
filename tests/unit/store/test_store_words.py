"""Every column of text is known: whether it holds words of people, and then it is forgotten."""

from __future__ import annotations

from sqlalchemy import LargeBinary, String, Text

from calsync.store.tables import metadata
from calsync.store.words import OCCUPANCIES, occupancies

#: Who booked, or was told: taken by name where a booking is forgotten, hidden or erased.
PEOPLE = {
    *("link.person_name", "link.person_address", "notice.recipient", "notice.recipient_name"),
    *("hub_booking.person_name", "hub_booking.person_address", "link.organizer"),
    # Kept for two days, and searched when a person is erased.
    "hub_answer.body",
}
#: Columns of free text that calsync or an admin words: reasons, names of rooms, ids.
OURS = {
    *(
        "why",
        "reason",
        "booking_reason",
        "event_reason",
        "detail",
        "what",
        "result",
        "halted",
        "error",
    ),
    *(
        "name",
        "building",
        "floor",
        "rules",
        "value",
        "fields",
        "refusal",
        "headers",
        "scopes",
        "rooms",
    ),
    *("url", "data", "parts", "waiting", "calendar_cursor", "booking_cursor", "booking_sent"),
    *(
        "event_sent",
        "uid",
        "booking_uid",
        "event_uid",
        "cause",
        "channel",
        "reactions",
        "own_reactions",
        "hindrance",
    ),
}


def test_every_column_of_text_is_known() -> None:
    unknown = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Text) and not isinstance(column.type, LargeBinary)
        if column.name not in OCCUPANCIES | OURS
        if f"{table.name}.{column.name}" not in PEOPLE
    ]
    assert not unknown, "does it hold words of people? Say so in calsync/store/words.py, or here"


def test_short_text_holds_ids_and_words_of_a_list() -> None:
    """People's words are long: a column for them is of the kind that the test above asks about."""
    short = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, String) and not isinstance(column.type, Text)
    }
    assert short & PEOPLE == {"notice.recipient"}
    assert not {name.partition(".")[2] for name in short} & OCCUPANCIES


def test_what_holds_occupancies() -> None:
    assert {"base", "booking_seen", "event_seen"} <= set(occupancies("link"))
    assert set(occupancies("former")) == {"was", "became"}
    assert occupancies("hub_booking") == ("content",)
    assert occupancies("audit") == ()

"""Bookings made in Outlook against the rules that the platform has for the room, end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.fault_kit import ADA, BOB, Company, Office, company, day, taken
from tests.scenarios.rule_kit import DAYS, HOURS, at, resized, ruled, ruled_room, run, told
from tests.support import front

START = datetime.min.replace(tzinfo=UTC)
DECLINE = "opening_hours=decline notice=decline length=decline ahead=decline seats=decline"


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as made:
        yield made


def daily(count: int) -> dict[str, Any]:
    """The pattern of a series from tomorrow's tomorrow on."""
    return {
        "recurrence": {
            "pattern": {"type": "daily", "interval": 1},
            "range": {
                "type": "numbered",
                "startDate": f"{day(3):%Y-%m-%d}",
                "numberOfOccurrences": count,
            },
        }
    }


def story(made: Office, folder: Path) -> str:
    """What explain tells of the newest booking."""
    link = max(
        made.home.store.links(made.pair("hall").id), key=lambda lk: lk.event.created or START
    )
    return run(folder, "explain", link.id).out


def nothing_seen(made: Office) -> None:
    """The platform holds no booking and was never shown any."""
    assert made.taken() == {}
    with made.home.hub.read() as tx:
        assert tx.feed(0, room_id="hall", limit=10) == []


# --- one rule, one decline ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "start", "minutes", "says"),
    [
        (HOURS, at(day(3), 8), 90, "the room is not open then (open Mo-Su 08:00-18:00)"),
        ({"minNotice": "P2D"}, at(day(1), 0), 60, "booked 2 days before at the latest"),
        ({"maxDuration": "PT1H"}, day(3), 90, "lasts 1 hour at most"),
        ({"minDuration": "PT30M"}, day(3), 15, "lasts 30 minutes at least"),
        ({"maxAhead": "P30D"}, day(90), 60, "booked 30 days ahead at most"),
    ],
)
def test_a_meeting_against_a_rule_is_declined_with_the_rule_and_what_is_free(
    firm: Company, tmp_path: Path, rules: dict[str, Any], start: Any, minutes: int, says: str
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, rooms=2, **rules) as (made, post, room):
        made.rest("loft")
        firm.book(room, start, minutes=minutes)
        (entry,) = run(tmp_path, "plan", "hall", "--json").json()["rooms"]
        assert [(w["what"], says in w["refusal"]) for w in entry["writes"]] == [
            ("decline event", True)
        ]
        assert entry["mails"] == [{"to": ADA, "kind": "declined", "by": "Exchange"}]
        made.rest()
        told(made)
        (mail,) = post.answers()
        assert (mail["kind"], mail["from"], mail["to"]) == ("response", room, ADA)
        assert says in mail["comment"]
        assert "Free at that time: loft (8 seats)" in mail["comment"]
        assert "Free in this room: " in mail["comment"]
        nothing_seen(made)
        assert firm.taken(room) == {}
        made.equal()


def test_free_rooms_are_those_whose_own_rules_allow_it(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, rooms=3, **HOURS) as (made, post, room):
        ruled(made, "loft", **HOURS)
        ruled(made, "cellar", maxDuration="PT2H")
        firm.book(room, at(day(3), 10))
        made.rest()
        (mail,) = post.declines()
        assert "Free at that time: cellar (8 seats)." in mail["comment"]
        assert (
            f"Free in this room: {day(3):%Y-%m-%d} 15:00"
            in mail["comment"].replace("Free in this room: ", "Free in this room: ")
            or "17:00 to 18:00" in mail["comment"]
        )


def test_explain_tells_the_rule(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, _, room):
        firm.book(room, at(day(3), 10))
        made.rest()
        said = story(made, tmp_path)
        assert "against the rules of the room: the room is not open then" in said
        assert "the meeting is declined, and Exchange tells its organiser" in said


def test_what_obeys_the_rules_is_carried_as_ever(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        firm.book(room, day(3))
        firm.book(room, at(day(4), 8))  # Until 18:00, to the minute.
        made.rest()
        assert post.declines() == []
        assert made.equal() == {taken(day(3)): 1, taken(at(day(4), 8)): 1}


# --- a warning -----------------------------------------------------------------------------------


def test_a_warning_is_one_mail_and_the_meeting_stands(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, "opening_hours=warn", **HOURS) as (made, post, room):
        meeting = firm.book(room, at(day(3), 10))
        (entry,) = run(tmp_path, "plan", "--json").json()["rooms"]
        assert entry["mails"] == [{"to": ADA, "kind": "warned", "by": "calsync"}]
        made.rest()
        told(made)
        (mail,) = post.warnings()
        assert mail["to"] == ADA
        assert mail["subject"].startswith("Against the rules of the room")
        assert made.equal() == {taken(at(day(3), 10)): 1}
        # Changed in something else, looked at in full, by a new process: nothing more is said.
        firm.act("retitle", room=room, iCalUId=meeting["iCalUId"], subject="Party")
        made.rest()
        made.cycle(full=True)
        made.close()
        made.open()
        made.rest()
        told(made)
        assert post.warnings() == []
        # Other time against the rule is another act.
        later = f"{at(day(3), 11):%Y-%m-%dT%H:%M:%SZ}"
        firm.act("move", room=room, iCalUId=meeting["iCalUId"], start=later)
        made.rest()
        told(made)
        assert [m["to"] for m in post.warnings()] == [ADA]
        # Into the hours: nothing to say.
        firm.act(
            "move", room=room, iCalUId=meeting["iCalUId"], start=f"{day(5):%Y-%m-%dT%H:%M:%SZ}"
        )
        made.rest()
        told(made)
        assert post.warnings() == []
        assert made.equal() == {taken(day(5)): 1}
        assert "against the rules of the room" in story(made, tmp_path)


def test_of_two_rules_the_decline_counts_and_one_message_goes(
    firm: Company, tmp_path: Path
) -> None:
    rules = {**HOURS, "maxDuration": "PT1H"}
    with ruled_room(firm, tmp_path, "opening_hours=warn length=decline", **rules) as (
        made,
        post,
        room,
    ):
        firm.book(room, at(day(3), 10), minutes=90)
        made.rest()
        told(made)
        (mail,) = post.answers()
        assert "lasts 1 hour at most" in mail["comment"]
        nothing_seen(made)


# --- moved, sent again ---------------------------------------------------------------------------


def test_a_meeting_moved_out_of_hours_is_declined_and_judged_anew_when_it_is_sent_again(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        meeting = firm.book(room, day(3))
        made.rest()
        assert made.equal() == {taken(day(3)): 1}
        out = f"{at(day(3), 10):%Y-%m-%dT%H:%M:%SZ}"
        firm.act("move", room=room, iCalUId=meeting["iCalUId"], start=out)
        made.rest()
        assert len(post.declines()) == 1
        assert made.equal() == {}
        # Sent again as it was: no again. Into the hours: yes.
        firm.act(
            "move",
            room=room,
            iCalUId=meeting["iCalUId"],
            start=f"{at(day(4), 11):%Y-%m-%dT%H:%M:%SZ}",
        )
        made.rest()
        assert len(post.declines()) == 1
        assert made.equal() == {}
        firm.act(
            "move", room=room, iCalUId=meeting["iCalUId"], start=f"{day(4):%Y-%m-%dT%H:%M:%SZ}"
        )
        made.rest()
        assert post.declines() == []
        assert made.equal() == {taken(day(4)): 1}


def test_a_meeting_that_gives_up_time_is_not_judged(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE) as (made, post, room):
        meeting = firm.book(room, at(day(3), 8), minutes=120)
        made.rest()
        ruled(made, **HOURS)  # Stricter rules turn nobody out.
        firm.act(
            "shorten",
            room=room,
            iCalUId=meeting["iCalUId"],
            end=f"{at(day(3), 9.5):%Y-%m-%dT%H:%M:%SZ}",
        )
        made.rest()
        firm.act("retitle", room=room, iCalUId=meeting["iCalUId"], subject="Later")
        made.rest()
        made.cycle(full=True)
        assert post.declines() == []
        assert made.equal() == {taken(at(day(3), 8), 90): 1}


# --- what is let be ------------------------------------------------------------------------------


def test_what_was_booked_before_the_import_or_the_rule_is_let_be(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, DECLINE) as (made, post, room):
        firm.book(room, at(day(3), 10))  # Before the rule, and seen only after it.
        ruled(made, **HOURS)
        made.rest()
        assert post.declines() == []
        firm.book(room, at(day(4), 10))
        made.rest()
        assert len(post.declines()) == 1
        # Mapped anew: everything that stands is from before the import.
        pair = made.pair("hall")
        firm.book(room, at(day(6), 10))
        made.home.mappings.retire(pair.id)
        made.close()
        made.open()
        made.rest()
        assert post.declines() == []
        assert made.equal() == {taken(at(day(3), 10)): 1, taken(at(day(6), 10)): 1}


def test_what_nobody_organizes_is_recorded_and_stands(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        raw = {"room": room, "subject": "Cleaning"}
        start, end = at(day(3), 10), at(day(3), 11)
        firm.act(
            "book_direct",
            **raw,
            start=f"{start:%Y-%m-%dT%H:%M:%SZ}",
            end=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        )
        made.rest()
        told(made)
        assert post.fresh() == []
        assert made.equal() == {taken(start): 1}
        assert "nobody could be told" in story(made, tmp_path)


def test_free_time_breaks_no_rule(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        start, end = at(day(3), 10), at(day(3), 11)
        firm.act(
            "book_direct",
            room=room,
            subject="Idea",
            showAs="free",
            start=f"{start:%Y-%m-%dT%H:%M:%SZ}",
            end=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        )
        made.rest()
        assert post.fresh() == []


# --- series --------------------------------------------------------------------------------------


def closed_on(*numbers: int) -> dict[str, Any]:
    """Open but on the weekdays of these days from today."""
    shut = {DAYS[day(n).weekday()] for n in numbers}
    return {
        "openingHours": [
            {"days": [d for d in DAYS if d not in shut], "opens": "08:00", "closes": "18:00"}
        ]
    }


def test_of_a_series_only_the_dates_against_the_rule_are_declined_with_one_message(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, rooms=2, **closed_on(4, 6)) as (made, post, room):
        made.rest("loft")
        meeting = firm.book(room, day(3), **daily(5))
        made.rest()
        made.cycle(full=True)
        told(made)
        (mail,) = post.declines()
        assert (
            f"Refused dates: {day(4):%Y-%m-%d} 09:00, {day(6):%Y-%m-%d} 09:00." in mail["comment"]
        )
        assert "Free at that time: loft" in mail["comment"]
        assert made.equal() == {taken(day(n)): 1 for n in (3, 5, 7)}
        # Nothing of it is judged again, and one date moved out of hours is judged alone.
        firm.act("retitle", room=room, iCalUId=meeting["iCalUId"], subject="Other")
        made.rest()
        assert post.declines() == []
        firm.act(
            "move_occurrence",
            room=room,
            iCalUId=meeting["iCalUId"],
            date=f"{day(5):%Y-%m-%d}",
            start=f"{at(day(5), 10):%Y-%m-%dT%H:%M:%SZ}",
        )
        made.rest()
        assert len(post.declines()) == 1
        assert made.equal() == {taken(day(n)): 1 for n in (3, 7)}


def test_a_series_that_breaks_a_rule_on_all_dates_is_declined_as_a_whole(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        late = {"recurrence": daily(4)["recurrence"]}
        firm.book(room, at(day(3), 10), **late)
        made.rest()
        (mail,) = post.declines()
        assert "Refused dates" not in mail["comment"]
        nothing_seen(made)


def test_notice_is_counted_from_the_act_for_every_date(firm: Company, tmp_path: Path) -> None:
    """The decline of some dates changes the series; that is our act, and no later one of people."""
    rules = {**closed_on(5), "minNotice": "P2D"}
    with ruled_room(firm, tmp_path, DECLINE, **rules) as (made, post, room):
        firm.book(room, day(3), **daily(4))
        made.clock.ahead += timedelta(days=2, hours=1)  # calsync was away since.
        made.rest()
        (mail,) = post.declines()
        assert f"Refused dates: {day(5):%Y-%m-%d} 09:00." in mail["comment"]
        assert made.taken() == {taken(day(n)): 1 for n in (3, 4, 6)}


# --- people, zones, days -------------------------------------------------------------------------


def crowd(count: int) -> list[str]:
    return [f"guest{n}@contoso.example" for n in range(count)]


def test_too_many_people_are_told_and_larger_rooms_offered(firm: Company, tmp_path: Path) -> None:
    with ruled_room(firm, tmp_path, DECLINE, rooms=3, seatsWithinCapacity=True) as (
        made,
        post,
        room,
    ):
        resized(made, "cellar", 20)
        firm.book(room, day(3), attendees=crowd(7))  # With the organizer: eight.
        made.rest()
        assert post.declines() == []
        firm.book(room, day(4), attendees=crowd(8))
        made.rest()
        (mail,) = post.declines()
        assert "the room has 8 seats, not 9" in mail["comment"]
        assert "Free at that time: cellar (20 seats)." in mail["comment"]
        assert "Free in this room" not in mail["comment"]
        assert made.equal() == {taken(day(3)): 1}


def test_more_people_later_are_an_act_and_hidden_ones_say_nothing(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, "seats=warn", seatsWithinCapacity=True) as (made, post, room):
        meeting = firm.book(room, day(3), attendees=crowd(3))
        made.rest()
        people = [{"emailAddress": {"address": a}, "type": "required"} for a in crowd(12)]
        people.append({"emailAddress": {"address": room}, "type": "resource"})
        more = {"subject": "All of us", "graph": {"attendees": people}}
        firm.act("set", room=room, iCalUId=meeting["iCalUId"], **more)
        made.rest()
        told(made)
        (mail,) = post.warnings()
        assert "the room has 8 seats, not 13" in mail["body"]
        firm.act("retitle", room=room, iCalUId=meeting["iCalUId"], subject="Same crowd")
        made.rest()
        told(made)
        assert post.warnings() == []
        if front.by_ews():
            return  # EWS knows no hidden attendees.
        firm.book(room, day(4), attendees=crowd(30), graph={"hideAttendees": True})
        made.rest()
        told(made)
        assert post.warnings() == []


def test_the_hours_are_those_of_the_room_and_days_need_to_be_open(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **closed_on(6)) as (made, post, room):
        # 20:00 in Tokyo is 11:00 in the room.
        firm.act(
            "book",
            room=room,
            start=f"{day(3):%Y-%m-%d}T20:00:00",
            end=f"{day(3):%Y-%m-%d}T21:00:00",
            zone="Tokyo Standard Time",
            subject="Call",
            person=BOB,
        )
        whole = {"allDay": True, "zone": "UTC"}
        for number in (4, 6):
            span = {"start": f"{day(number):%Y-%m-%d}T00:00:00"}
            span["end"] = f"{day(number + 1):%Y-%m-%d}T00:00:00"
            firm.act("book", room=room, person=ADA, subject="Fair", **span, **whole)
        made.rest()
        (mail,) = post.declines()
        assert mail["to"] == ADA
        midnight = at(day(4), -9)
        assert made.equal() == {taken(at(day(3), 2)): 1, taken(midnight, 1440): 1}


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reply_lost", "error_after"])
def test_a_decline_whose_reply_is_lost_is_told_once(
    firm: Company, tmp_path: Path, kind: str
) -> None:
    with ruled_room(firm, tmp_path, DECLINE, **HOURS) as (made, post, room):
        firm.book(room, at(day(3), 10))
        firm.fault(kind, "/decline", method="POST")
        made.rest()
        assert firm.fired() == 1
        assert len(post.declines()) == 1
        nothing_seen(made)


def test_a_warning_outlives_a_crash_between_decision_and_write(
    firm: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ruled_room(firm, tmp_path, "opening_hours=warn", **HOURS) as (made, post, room):
        firm.book(room, at(day(3), 10))

        def dies(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(made.home.booking_side, "apply", dies)  # The process ends there.
        with pytest.raises(KeyboardInterrupt):
            made.cycle()
        made.close()
        made.open()
        made.rest()
        told(made)
        assert len(post.warnings()) == 1
        assert made.equal() == {taken(at(day(3), 10)): 1}


def test_a_booking_of_the_platform_takes_the_time_that_a_decline_frees(
    firm: Company, tmp_path: Path
) -> None:
    """It is not refused for the sake of a meeting that cannot stay."""
    with ruled_room(firm, tmp_path, "length=decline", maxDuration="PT1H") as (made, post, room):
        firm.book(room, day(3), minutes=120)
        booking = made.booking("hall", day(3))
        made.rest()
        assert made.status(booking) == "confirmed"
        assert len(post.declines()) == 1
        assert made.equal() == {taken(day(3)): 1}


# --- what flows out ------------------------------------------------------------------------------

HOSTILE = "Loft\r\nBcc: eve@evil.example\u202e<script>alert(1)</script>\x1b[2J"
SECRET = "Merger with Initech"


def test_names_that_are_put_into_a_decline_or_a_warning_stay_names(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, "length=decline opening_hours=warn", rooms=2, **HOURS) as (
        made,
        post,
        room,
    ):
        ruled(made, **HOURS, maxDuration="PT1H")
        for name in ("hall", "loft"):
            stored = made.home.bookings.room(name)
            made.home.bookings.put_room(replace(stored.room, name=HOSTILE))
        firm.book(room, day(3), minutes=120, subject=SECRET, sensitivity="private")
        firm.book(room, at(day(4), 10), subject=SECRET, sensitivity="private")
        said = [run(tmp_path, "plan").out]
        made.rest()
        told(made)
        mails = post.answers()
        assert sorted(m["kind"] for m in mails) == ["mail", "response"]
        for mail in mails:
            text = mail.get("comment") or mail["body"]
            # One line each, without control signs; the name is text within its line.
            assert not any(c in text for c in "\r\x1b\u202e")
            assert not any(line.startswith("Bcc:") for line in text.splitlines())
            assert SECRET not in text
        (warning,) = [m for m in mails if m["kind"] == "mail"]
        assert "\n" not in warning["subject"]
        assert SECRET not in warning["subject"]
        for link in made.home.store.links(made.pair("hall").id):
            said.append(run(tmp_path, "explain", link.id).out)
        assert not any(SECRET in text or "\x1b" in text for text in said)
        with made.home.db.read() as reading:
            kept = str(reading.exec_driver_sql("SELECT * FROM link").all())
            kept += str(reading.exec_driver_sql("SELECT * FROM notice").all())
        assert SECRET not in kept


def test_only_the_number_of_people_is_kept_and_only_where_it_counts(
    firm: Company, tmp_path: Path
) -> None:
    with ruled_room(firm, tmp_path, "seats=decline", seatsWithinCapacity=True) as (made, _, room):
        firm.book(room, day(3), attendees=crowd(4))
        made.rest()
        (link,) = made.home.store.links(made.pair("hall").id)
        assert link.seats == 5
        dump = (tmp_path / "calsync.db").read_bytes()
        wal = tmp_path / "calsync.db-wal"
        assert b"guest1@contoso.example" not in dump + (wal.read_bytes() if wal.exists() else b"")
    (folder := tmp_path / "other").mkdir()
    with ruled_room(firm, folder, "length=decline", seatsWithinCapacity=True) as (
        made,
        _,
        room,
    ):
        firm.book(room, day(3), attendees=crowd(4))
        made.rest()
        (link,) = made.home.store.links(made.pair("hall").id)
        assert link.seats is None

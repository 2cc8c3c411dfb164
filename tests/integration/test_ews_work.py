"""What a day's work looks like to the EWS side: invitations, declines, items made anew, poison,
lost rights, room lists, counted calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.adapters.ews import rooms
from calsync.errors import AccessDenied, CursorExpired, SideError, UsageError
from calsync.model import (
    Absence,
    Alternative,
    Done,
    EffectKind,
    Frequency,
    Gone,
    InDoubt,
    Interval,
    Nth,
    Occupancy,
    Reaction,
    Reactions,
    Recurrence,
    Refusal,
    Refused,
    Rule,
    Seen,
    Unknown,
    Weekday,
)
from calsync.sandbox.graph.request import Response
from tests.contract.sync_side import effect, single, weekly, with_exceptions
from tests.integration.ews_kit import ROOM, EwsLab, ews_lab

CREATE, CHANGE = EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT
DELETE, DECLINE = EffectKind.DELETE_EVENT, EffectKind.DECLINE_EVENT
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
    "range": {"type": "numbered", "startDate": "2026-12-01", "numberOfOccurrences": 6},
}
REFUSAL = Refusal(
    reason="The room was already booked at that time.",
    conflicts=((datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10)),),
    alternatives=(Alternative(room_id="r2", name="Zuse", capacity=6),),
)


@pytest.fixture
def lab() -> Iterator[EwsLab]:
    with ews_lab() as lab:
        yield lab


def invited(lab: EwsLab, **raw: Any) -> Seen:
    """A meeting of Ada's that the room was invited to, as the room's calendar shows it."""
    values = {"start": "2026-12-01T09:00:00", "end": "2026-12-01T10:00:00", **raw}
    lab.act(
        "recur" if "recurrence" in raw else "book",
        person="ada@contoso.example",
        room=ROOM,
        subject="Interview",
        **values,
    )
    (found,) = lab.side.pull(lab.pair, None, lab.window).observations
    assert isinstance(found, Seen), found
    assert not found.owned
    assert found.person.address == "ada@contoso.example"
    return found


def mails(lab: EwsLab) -> list[dict[str, Any]]:
    return [mail for mail in lab.control.world.mails if mail["to"] == "ada@contoso.example"]


# --- invitations -----------------------------------------------------------------------------


def test_an_invitation_is_known_by_the_uid_that_graph_tells(lab: EwsLab) -> None:
    """So that a mailbox keeps its links when it moves to the cloud."""
    seen = invited(lab)
    (other,) = lab.people.side.pull(lab.people.pair, None, lab.window).observations
    assert isinstance(other, Seen)
    assert seen.uid == other.uid
    assert seen.occupancy == other.occupancy
    assert seen.mark // 10_000 == other.mark // 10_000, "EWS tells milliseconds"


def test_an_acceptance_that_makes_the_item_anew_is_found_by_its_identity(lab: EwsLab) -> None:
    lab.switch(accept_recreates_copy=True, attendant_delay_s=30.0)
    seen = invited(lab)
    before = lab.side.pull(lab.pair, None, lab.window)
    lab.advance(60)
    after = lab.side.pull(lab.pair, before.cursor, lab.window)
    assert seen.key in after.hints, "the deletion alone says nothing of the meeting"
    gone = lab.side.read(lab.pair, [seen.key])[0]
    assert isinstance(gone, Gone)
    (anew,) = lab.side.elsewhere(lab.pair, [seen.uid])
    assert isinstance(anew, Seen)
    assert anew.key != seen.key
    assert anew.uid == seen.uid
    assert lab.side.elsewhere(lab.pair, ["no-such-uid", ""]) == []


def test_a_decline_tells_the_organizer_once_and_frees_the_room(lab: EwsLab) -> None:
    seen = invited(lab)
    before = len(mails(lab))
    lost = effect(DECLINE, "a", seen=seen, refusal=REFUSAL, owned=False)
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Gone)
    (mail,) = mails(lab)[before:]
    assert "already booked" in str(mail)
    assert "Zuse (6 seats)" in str(mail)
    (again,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(again, Done)
    assert len(mails(lab)) == before + 1, "a decline sent twice is told once"


def test_declined_dates_leave_the_rest_of_the_series(lab: EwsLab) -> None:
    seen = invited(lab, recurrence=WEEKLY)
    before = len(mails(lab))
    dates = (datetime(2026, 12, 8, 9), datetime(2026, 12, 15, 9), datetime(2026, 12, 22, 9))
    refusal = Refusal(reason="The room was already booked on some of the dates.", dates=dates)
    lost = effect(DECLINE, "a", seen=seen, refusal=refusal, owned=False)
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.complete
    assert outcome.now.occupancy.recurrence is not None
    assert outcome.now.occupancy.recurrence.excluded == dates
    assert len(mails(lab)) == before + 1, "one message for all dates"


def test_a_decline_that_is_not_seen_yet_is_in_doubt(lab: EwsLab) -> None:
    seen = invited(lab)
    lab.switch(decline_removes_copy=False)
    lab.fault("stale_read", count=None, params={"seconds": 60}, method="GetItem", after=1)
    lost = effect(DECLINE, "a", seen=seen, refusal=REFUSAL, owned=False)
    assert isinstance(lab.side.apply(lab.pair, [lost])[0], InDoubt)


def test_what_the_room_organises_itself_is_deleted_instead(lab: EwsLab) -> None:
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    (outcome,) = lab.side.apply(lab.pair, [effect(DECLINE, "a", seen=seen, refusal=REFUSAL)])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Gone)
    assert lab.live() == []


def test_a_meeting_of_somebody_else_is_not_changed(lab: EwsLab) -> None:
    seen = invited(lab)
    one = effect(CHANGE, "a", seen=seen, target=single(hour=20), owned=False)
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, Refused)
    assert outcome.code == "not-organizer"
    assert "UpdateItem" not in lab.calls()


def test_one_cancelled_date_arrives_with_its_series(lab: EwsLab) -> None:
    seen = invited(lab, recurrence=WEEKLY)
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    lab.act("cancel_occurrence", id=seen.key, room=ROOM, date="2026-12-08")
    (after,) = lab.side.pull(lab.pair, cursor, lab.window).observations
    assert isinstance(after, Seen)
    assert after.key == seen.key
    assert after.occupancy.recurrence is not None
    assert after.occupancy.recurrence.excluded == (datetime(2026, 12, 8, 9),)
    assert after.version != seen.version


# --- what may look like a deletion, and is none -------------------------------------------------


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("impersonate", [True, False])
def test_a_right_that_was_taken_away_deletes_nothing(status: int, impersonate: bool) -> None:
    """Exchange says ErrorItemNotFound for it, too (EWS facts, 13)."""
    with ews_lab(impersonate=impersonate) as lab:
        keys = [lab.put(single(day=day)) for day in (1, 2)]
        cursor = lab.side.pull(lab.pair, None, lab.window).cursor
        lab.fault("permission_removed", count=None, params={"status": status})
        with pytest.raises(AccessDenied) as denied:
            lab.side.pull(lab.pair, cursor, lab.window)
        assert "connect-exchange-server" in denied.value.todo
        try:
            found = lab.side.read(lab.pair, keys)
        except SideError:
            return
        assert all(isinstance(one, Unknown) and not one.poison for one in found), found


def test_a_void_state_is_read_in_full_again(lab: EwsLab) -> None:
    lab.put(single())
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    lab.fault("sync_state_invalid", method="SyncFolderItems")
    with pytest.raises(CursorExpired):
        lab.side.pull(lab.pair, cursor, lab.window)
    assert lab.side.pull(lab.pair, None, lab.window).complete


def test_what_is_cancelled_counts_as_gone(lab: EwsLab) -> None:
    """The attendant may leave a cancelled meeting in the calendar (RemoveCanceledMeetings)."""
    seen = invited(lab)
    before = lab.side.pull(lab.pair, None, lab.window)
    lab.act("cancel", id=seen.key, room=ROOM)
    after = lab.side.pull(lab.pair, before.cursor, lab.window)
    told = [one for one in after.observations if isinstance(one, Gone)]
    assert told or seen.key in after.hints
    assert isinstance(lab.side.read(lab.pair, [seen.key])[0], Gone)


def test_only_what_meets_the_window_is_listed(lab: EwsLab) -> None:
    """A room's folder holds its whole history; a full round reads what the window needs."""
    past = Occupancy(start=datetime(2020, 1, 7, 9), end=datetime(2020, 1, 7, 10), zone="UTC")
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),), count=3)
    over = replace(past, zone="Europe/Berlin", recurrence=Recurrence(rule=rule))
    endless = replace(over, recurrence=Recurrence(rule=replace(rule, count=None)))
    for one in (past, over):
        lab.put(one)
    kept = [lab.put(one) for one in (endless, single())]
    pulled = lab.side.pull(lab.pair, None, lab.window)
    assert sorted(one.key for one in pulled.observations) == sorted(kept)


# --- poison ----------------------------------------------------------------------------------


def rewrite(lab: EwsLab, change: Callable[[bytes], bytes]) -> None:
    """Let ``change`` edit every answer of the EWS front."""
    inner = lab.control.handle

    def handle(method: str, target: str, headers: Any = None, body: bytes = b"") -> Response:
        answer = inner(method, target, headers, body)
        if "asmx" in target:
            answer.body = change(answer.body)
        return answer

    lab.control.handle = handle  # type: ignore[method-assign]


def test_a_zone_that_only_its_server_knows_stops_nothing(lab: EwsLab) -> None:
    """exchangelib raises on such a name, and a page of changes ends with it (libraries, 3.3)."""
    key, other = lab.put(weekly()), lab.put(single(day=3))
    rewrite(
        lab, lambda body: body.replace(b'"W. Europe Standard Time"', b'"tzone://Microsoft/Custom"')
    )
    found = {one.key: one for one in lab.side.pull(lab.pair, None, lab.window).observations}
    series, plain = found[key], found[other]
    assert isinstance(plain, Seen)
    assert isinstance(series, Seen), series
    assert series.occupancy.recurrence is not None
    shown = {series.occupancy.start, *(o.start for o in series.occupancy.recurrence.overrides)}
    assert datetime(2026, 12, 1, 10) in shown


def test_a_character_that_xml_forbids_stops_nothing(lab: EwsLab) -> None:
    key, other = lab.put(single(title="Bell MARK bell")), lab.put(single(day=2))
    rewrite(lab, lambda body: body.replace(b"MARK", b"&#x7;"))
    found = {one.key: one for one in lab.side.pull(lab.pair, None, lab.window).observations}
    assert set(found) == {key, other}
    strange = found[key]
    assert isinstance(strange, Seen)
    assert strange.occupancy.title == "Bell \ufffd bell"


def test_an_item_that_no_parser_takes_is_alone_with_it(lab: EwsLab) -> None:
    keys = [lab.put(single(day=day, title="MARK" if day == 3 else "Plain")) for day in range(1, 6)]
    rewrite(lab, lambda body: body.replace(b"MARK", b"<\xff\xfe"))
    found = {one.key: one for one in lab.side.pull(lab.pair, None, lab.window).observations}
    assert set(found) == set(keys)
    bad = found[keys[2]]
    assert isinstance(bad, Unknown)
    assert bad.poison
    assert all(isinstance(found[key], Seen) for key in keys if key != keys[2])


def test_an_item_that_exchange_cannot_read_is_alone_with_it(lab: EwsLab) -> None:
    keys = [lab.put(single(day=day)) for day in range(1, 4)]
    lab.side.pull(lab.pair, None, lab.window)
    hurt = re.compile(
        rb'<m:GetItemResponseMessage ResponseClass="Success">(?:(?!</m:GetItemResponseMessage>).)*'
        + re.escape(keys[1].encode())
        + rb".*?</m:GetItemResponseMessage>",
        re.S,
    )
    broken = (
        b'<m:GetItemResponseMessage ResponseClass="Error"><m:MessageText>x</m:MessageText>'
        b"<m:ResponseCode>ErrorItemCorrupt</m:ResponseCode><m:Items/></m:GetItemResponseMessage>"
    )
    rewrite(lab, lambda body: hurt.sub(broken, body))
    first, second, third = lab.side.read(lab.pair, keys)
    assert isinstance(first, Seen)
    assert isinstance(third, Seen)
    assert isinstance(second, Unknown)
    assert second.poison
    assert "Outlook" not in second.reason
    assert "ErrorItemCorrupt" in second.reason


# --- counted calls ---------------------------------------------------------------------------


def made(lab: EwsLab) -> list[str]:
    """Requests since the last look."""
    every = lab.calls()
    seen, lab.looked = getattr(lab, "looked", 0), len(every)  # type: ignore[attr-defined]
    return every[seen:]


def test_calls_are_few(lab: EwsLab) -> None:
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    made(lab)
    lab.side.pull(lab.pair, cursor, lab.window)
    assert made(lab) == ["SyncFolderItems"], "an idle pull"

    (one,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(one, Done)
    assert isinstance(one.now, Seen)
    assert made(lab) == ["FindItem", "CreateItem", "GetItem"], "looked for, made, read"
    (changed,) = lab.side.apply(
        lab.pair, [effect(CHANGE, "a", seen=one.now, target=single(hour=15))]
    )
    assert isinstance(changed, Done)
    assert isinstance(changed.now, Seen)
    assert made(lab) == ["GetItem", "UpdateItem", "GetItem"], "read, written if unchanged, read"
    lab.side.apply(lab.pair, [effect(DELETE, "a", seen=changed.now)])
    assert made(lab) == ["GetItem", "UpdateItem", "DeleteItem"], (
        "read, touched if unchanged, deleted"
    )
    many = [effect(CREATE, f"l{day}", target=single(day=day)) for day in range(1, 21)]
    assert all(isinstance(one, Done) for one in lab.side.apply(lab.pair, many))
    assert made(lab) == ["FindItem", "CreateItem", "GetItem"], "twenty in one"
    (series,) = lab.side.apply(lab.pair, [effect(CREATE, "s", target=with_exceptions())])
    assert isinstance(series, Done)
    assert series.complete
    count = made(lab)
    assert count.count("CreateItem") == 1
    assert len(count) <= 11, count


def test_a_pair_of_another_connection_is_refused(lab: EwsLab) -> None:
    with pytest.raises(UsageError, match="belongs to connection"):
        lab.side.pull(replace(lab.pair, connection="other"), None, lab.window)
    assert lab.calls() == []


# --- the server ------------------------------------------------------------------------------


def test_the_build_is_told_and_the_version_is_not_guessed(lab: EwsLab) -> None:
    lab.side.pull(lab.pair, None, lab.window)
    assert lab.transport.version.startswith("15.2.")
    assert lab.calls() == ["SyncFolderItems"], "no autodiscover, no zones, no version guess"


def test_busy_times_are_asked_in_pieces(lab: EwsLab) -> None:
    lab.put(single())
    lab.put(single(day=2, busy="free"))
    span = Interval(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 10, tzinfo=UTC))
    found = rooms.busy(lab.caller, [ROOM, "nobody@contoso.example"], span)
    start = datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert found == {ROOM: [Interval(start, start.replace(hour=10))]}
    assert lab.calls().count("GetUserAvailabilityRequest") == 2, "42 days at a time"


def test_rooms_are_those_of_the_room_lists(lab: EwsLab) -> None:
    shown = {one.address: one for one in lab.side.resource_calendars()}
    listed = rooms.directory(lab.caller)
    assert [one.calendar for one in listed] == list(shown.values())


def test_absences_name_their_evidence(lab: EwsLab) -> None:
    key = lab.put(single())
    lab.remove(key)
    assert lab.side.read(lab.pair, [key]) == [Gone(key=key, absence=Absence.READ)]


def test_a_copy_made_in_outlook_bears_our_tag_and_is_not_ours(lab: EwsLab) -> None:
    (outcome,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(outcome, Done)
    mine = outcome.now
    assert isinstance(mine, Seen)
    with lab.server.lock:
        world = lab.control.world
        box = world.box(ROOM)
        assert box is not None
        (item,) = box.items.values()
        # Even one that is older by the server's clock.
        copied = replace(
            item, key=world.new_key(), uid=world.new_uid(), created=item.created - 10_000_000
        )
        world.put(box, copied)
    seen = {one.key: one for one in lab.side.pull(lab.pair, None, lab.window).observations}
    (other,) = (one for key, one in seen.items() if key != mine.key)
    assert isinstance(other, Seen)
    assert other.tag is None
    assert other.maker, "that calsync made it once is known"
    found = lab.side.find(lab.pair, ["a"])["a"]
    assert found.key == mine.key
    (again,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(again, Done)
    assert again.now.key == mine.key


def test_people_are_counted_where_the_rooms_seats_count(lab: EwsLab) -> None:
    """Organizer and who is asked to come; nobody is asked for where no rule counts them."""
    seen = invited(lab, attendees=["ben@x.test", "cleo@x.test"])
    assert seen.seats is None
    counted = replace(lab.pair, reactions=Reactions(seats=Reaction.WARN))
    (again,) = lab.side.read(counted, [seen.key])
    (graph,) = lab.people.side.read(replace(lab.people.pair, reactions=counted.reactions), [
        one["id"] for one in lab.live()
    ])  # fmt: skip
    assert isinstance(again, Seen)
    assert isinstance(graph, Seen)
    assert again.seats == graph.seats == 3
    assert replace(again, seats=None) == seen

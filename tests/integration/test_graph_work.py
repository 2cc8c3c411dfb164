"""What a day's work looks like to the Graph side: declines, rooms, counted calls, many threads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.notify.graph_mail import GraphMail
from calsync.adapters.notify.switchboard import Switchboard
from calsync.adapters.notify.wording import Words
from calsync.errors import Unavailable, UsageError
from calsync.model import (
    Alternative,
    Done,
    EffectKind,
    Frequency,
    Gone,
    InDoubt,
    Later,
    Notice,
    NoticeKind,
    Occupancy,
    Override,
    Person,
    Recurrence,
    Refusal,
    Refused,
    Rule,
    Seen,
)
from calsync.ports import Delivery
from calsync.sandbox import SandboxServer, create_sandbox
from tests.contract.sync_side import effect, single, weekly, with_exceptions
from tests.integration.graph_kit import ROOM, GraphLab, graph_lab

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
def lab() -> Iterator[GraphLab]:
    with graph_lab() as lab:
        yield lab


def invited(lab: GraphLab, **raw: Any) -> Seen:
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


def mails(lab: GraphLab) -> list[dict[str, Any]]:
    return [mail for mail in lab.control.world.mails if mail["to"] == "ada@contoso.example"]


def test_a_decline_tells_the_organizer_once_and_frees_the_room(lab: GraphLab) -> None:
    seen = invited(lab)
    before = len(mails(lab))
    lost = effect(DECLINE, "a", seen=seen, refusal=REFUSAL, owned=False)
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Gone)
    (mail,) = mails(lab)[before:]
    text = str(mail)
    assert "already booked" in text
    assert "Zuse (6 seats)" in text
    (again,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(again, Done)
    assert len(mails(lab)) == before + 1, "a decline sent twice is told once"


@pytest.mark.parametrize("removes", [True, False])
def test_declined_dates_leave_the_rest_of_the_series(lab: GraphLab, removes: bool) -> None:
    lab.switch(decline_removes_copy=removes)
    seen = invited(lab, recurrence=WEEKLY)
    before = len(mails(lab))
    dates = (datetime(2026, 12, 8, 9), datetime(2026, 12, 15, 9))
    refusal = Refusal(reason="The room was already booked on some of the dates.", dates=dates)
    lost = effect(DECLINE, "a", seen=seen, refusal=refusal, owned=False)
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.complete
    assert outcome.now.occupancy.recurrence is not None
    assert outcome.now.occupancy.recurrence.excluded == dates
    assert len(mails(lab)) == before + 1, "one message for all dates"
    (again,) = lab.side.pull(lab.pair, None, lab.window).observations
    assert isinstance(again, Seen)
    assert again.version == outcome.now.version


def test_a_decline_of_something_that_has_just_gone(lab: GraphLab) -> None:
    seen = invited(lab)
    lab.fault("not_found", method="POST", path="/decline")
    lost = effect(DECLINE, "a", seen=seen, refusal=REFUSAL, owned=False)
    assert isinstance(lab.side.apply(lab.pair, [lost])[0], InDoubt), "it still reads as there"


def test_a_decline_that_is_not_seen_yet_is_in_doubt(lab: GraphLab) -> None:
    seen = invited(lab)
    lab.switch(respond_delay_s=60.0)
    lost = effect(DECLINE, "a", seen=seen, refusal=REFUSAL, owned=False)
    assert isinstance(lab.side.apply(lab.pair, [lost])[0], InDoubt)


@pytest.mark.parametrize("dates", [(), (datetime(2026, 12, 8, 9), datetime(2026, 12, 15, 9))])
def test_a_decline_that_its_organizer_would_never_hear_of_is_for_a_person(
    lab: GraphLab, dates: tuple[datetime, ...]
) -> None:
    seen = invited(lab, recurrence=WEEKLY, responseRequested=False)
    lost = effect(DECLINE, "a", seen=seen, refusal=replace(REFUSAL, dates=dates), owned=False)
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Refused), outcome
    assert outcome.code == "no-answers"
    assert "asked for no answers" in outcome.reason
    assert lab.side.read(lab.pair, [seen.key])[0] == seen, "nothing was taken from anybody"


def test_what_the_room_organises_itself_is_deleted_instead(lab: GraphLab) -> None:
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    (outcome,) = lab.side.apply(lab.pair, [effect(DECLINE, "a", seen=seen, refusal=REFUSAL)])
    assert isinstance(outcome, Done)
    assert isinstance(outcome.now, Gone)
    assert lab.side.pull(lab.pair, None, lab.window).observations == ()


def test_dates_of_a_series_that_the_room_organises_are_deleted_instead(lab: GraphLab) -> None:
    key = lab.put(weekly())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    start = seen.occupancy.start
    dates = (start + timedelta(days=7), start + timedelta(days=14))
    lost = effect(DECLINE, "a", seen=seen, refusal=Refusal(reason="Taken.", dates=dates))
    (outcome,) = lab.side.apply(lab.pair, [lost])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.now.occupancy.recurrence is not None
    assert outcome.now.occupancy.recurrence.excluded == dates


def test_a_meeting_of_somebody_else_is_not_changed(lab: GraphLab) -> None:
    seen = invited(lab)
    (outcome,) = lab.side.apply(
        lab.pair, [effect(CHANGE, "a", seen=seen, target=single(hour=20), owned=False)]
    )
    assert isinstance(outcome, Refused)
    assert outcome.code == "not-organizer"
    assert lab.side.read(lab.pair, [seen.key])[0] == seen


def test_one_cancelled_date_arrives_with_its_series(lab: GraphLab) -> None:
    seen = invited(lab, recurrence=WEEKLY)
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    lab.act("cancel_occurrence", id=seen.key, room=ROOM, date="2026-12-08")
    (after,) = lab.side.pull(lab.pair, cursor, lab.window).observations
    assert isinstance(after, Seen)
    assert after.key == seen.key
    assert after.occupancy.recurrence is not None
    assert after.occupancy.recurrence.excluded == (datetime(2026, 12, 8, 9),)
    assert after.version != seen.version


def test_a_date_far_from_its_slot_is_still_found(lab: GraphLab) -> None:
    """Its exception stands six days later; it is known by its original start."""
    rule = Rule(frequency=Frequency.MONTHLY, by_month_day=(1,), count=5)
    slot = datetime(2027, 1, 1, 9)
    away = Override(recurrence_id=slot, start=slot.replace(day=7), end=slot.replace(day=7, hour=10))
    series = Occupancy(
        start=datetime(2026, 12, 1, 9),
        end=datetime(2026, 12, 1, 10),
        zone="Europe/Berlin",
        recurrence=Recurrence(rule=rule, overrides=(away,)),
    )
    key = lab.put(series)
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    assert seen.occupancy == series
    longer = replace(away, end=away.end.replace(hour=12))
    target = replace(series, recurrence=Recurrence(rule=rule, overrides=(longer,)))
    (outcome,) = lab.side.apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=target)])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.now.occupancy == target


# --- counted calls ---------------------------------------------------------------------------


def calls(lab: GraphLab) -> list[str]:
    """Requests to Graph since the last look."""
    made = lab.requests()
    seen, lab.looked = getattr(lab, "looked", 0), len(made)  # type: ignore[attr-defined]
    return made[seen:]


def test_calls_are_few(lab: GraphLab) -> None:
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    assert len(calls(lab)) == 1
    lab.side.pull(lab.pair, cursor, lab.window)
    assert len(calls(lab)) == 1, "an idle pull"

    (made,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(made, Done)
    assert isinstance(made.now, Seen)
    assert len(calls(lab)) == 1, "a create"
    lab.side.pull(lab.pair, cursor, lab.window)
    assert len(calls(lab)) == 1, "its echo"

    one = effect(CHANGE, "a", seen=made.now, target=single(hour=15))
    (changed,) = lab.side.apply(lab.pair, [one])
    assert isinstance(changed, Done)
    assert isinstance(changed.now, Seen)
    assert len(calls(lab)) == 2, "a change"
    lab.side.apply(lab.pair, [effect(DELETE, "a", seen=changed.now)])
    assert len(calls(lab)) == 2, "a delete"

    (series,) = lab.side.apply(lab.pair, [effect(CREATE, "s", target=weekly())])
    assert isinstance(series, Done)
    assert len(calls(lab)) == 1, "a create of a series without exceptions"
    assert isinstance(series.now, Seen)
    less = with_exceptions().recurrence
    assert less is not None
    target = replace(weekly(), recurrence=replace(less, overrides=()))
    (cut,) = lab.side.apply(lab.pair, [effect(CHANGE, "s", seen=series.now, target=target)])
    assert isinstance(cut, Done)
    assert len(calls(lab)) == 4, "one date removed: read, find the date, delete it, read"


def test_many_series_are_read_in_batches(lab: GraphLab) -> None:
    for day in range(1, 26):
        lab.put(weekly(start=datetime(2026, 12, 1, 1, day), end=datetime(2026, 12, 1, 2, day)))
    pulled = lab.side.pull(lab.pair, None, lab.window)
    assert len(pulled.observations) == 25
    outer = [one for one in lab.logged.counts().by if one[1] == "read series"]
    assert lab.logged.counts().by[outer[0]] == 2, "25 masters in two batches"


# --- rooms -----------------------------------------------------------------------------------


def test_all_pages_of_rooms_and_lists_merge_by_address(lab: GraphLab) -> None:
    for number in range(130):
        room = {
            "address": f"Room-{number:03d}@contoso.example",
            "name": f"Room {number}",
            "building": f"B{number % 7}",
            "capacity": number,
        }
        lab.control.handle("POST", "/_sandbox/rooms", {}, json.dumps(room).encode())
    rooms = list(lab.side.resource_calendars())
    assert len(rooms) == 131
    assert len({room.address for room in rooms}) == 131
    assert all(room.address == room.address.lower() for room in rooms)
    atlas = next(room for room in rooms if room.address == ROOM)
    assert (atlas.name, atlas.building, atlas.capacity) == ("Atlas", "HQ", 8)


# --- many at once ----------------------------------------------------------------------------


def test_never_more_than_four_calls_at_once_for_a_mailbox(lab: GraphLab) -> None:
    lab.server.service_time_s = 0.02
    keys = [lab.put(single(day=day)) for day in range(1, 7)]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                lab.side.pull(lab.pair, None, lab.window)
                lab.side.read(lab.pair, keys)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    shown = lab.control.front.throttle.show()
    most = shown["most_at_once"]
    assert isinstance(most, dict)
    assert max(most.values()) == 4
    assert shown["refused"] == {}


def test_cold_threads_share_one_token_call(lab: GraphLab) -> None:
    threads = [
        threading.Thread(target=lab.side.pull, args=(lab.pair, None, lab.window)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = sum(n for key, n in lab.control.front.counts.items() if key[1] == "token")
    assert made == 1


def test_a_stop_ends_waiting_at_once(lab: GraphLab) -> None:
    lab.fault("throttled", count=None, params={"seconds": 2, "form": "fractional"}, path="delta")
    began = time.monotonic()
    threading.Timer(0.2, lab.stop.set).start()
    with pytest.raises(Exception, match=r"ending|slow down"):
        lab.side.pull(lab.pair, None, lab.window)
    assert time.monotonic() - began < 1.0


# --- the rest --------------------------------------------------------------------------------


def test_a_cloud_that_lacks_what_its_settings_promise() -> None:
    """Configured as global, the cloud refuses the parts of a series: instances are listed."""
    with graph_lab() as lab:
        lab.switch(national_cloud=True)
        key, other = lab.put(weekly()), lab.put(single(day=3))
        shown = {one.key: one for one in lab.side.pull(lab.pair, None, lab.window).observations}
        series = shown[key]
        assert isinstance(series, Seen)
        assert series.occupancy == weekly()
        assert [type(one) for one in lab.side.read(lab.pair, [key, other])] == [Seen, Seen]
        target = with_exceptions()
        (outcome,) = lab.side.apply(lab.pair, [effect(CHANGE, "a", seen=series, target=target)])
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.now, Seen)
        assert outcome.now.occupancy == target


def test_a_series_that_graph_cannot_say_is_refused_unsent(lab: GraphLab) -> None:
    rule = Rule(frequency=Frequency.MONTHLY, by_month_day=(31,), count=4)
    target = Occupancy(
        start=datetime(2026, 12, 31, 9),
        end=datetime(2026, 12, 31, 10),
        zone="Europe/Berlin",
        recurrence=Recurrence(rule=rule),
    )
    both = [effect(CREATE, "a", target=target), effect(CREATE, "b", target=single())]
    first, second = lab.side.apply(lab.pair, both)
    assert isinstance(first, Refused)
    assert first.code == "unsayable"
    assert isinstance(second, Done), "a refusal does not hold up the next"


def test_a_private_ca_is_trusted_only_where_it_is_named(tmp_path: Path) -> None:
    server = SandboxServer(create_sandbox(seed=1), tls=True).start()
    try:
        assert server.certificate is not None
        ca = tmp_path / "ca.pem"
        ca.write_bytes(server.certificate)
        with graph_lab(server, verify=str(ca)) as lab:
            assert lab.side.pull(lab.pair, None, lab.window).complete
        with graph_lab(server) as lab, pytest.raises(Unavailable, match="not reached"):
            lab.side.pull(lab.pair, None, lab.window)
        with graph_lab(server, verify=str(ca)) as lab:
            lab.tokens.token()
            lab.transport._session.verify = True
            (outcome,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
            assert isinstance(outcome, Later), "never sent: the certificate was not trusted"
    finally:
        server.stop()


def test_a_notice_arrives_as_mail(lab: GraphLab) -> None:
    mail = Switchboard(Words(), mailer=GraphMail(lab.caller, sender=ROOM))
    notice = Notice(
        kind=NoticeKind.REJECTED,
        link_id="l",
        booking_key="b",
        revision="1",
        person=Person(name="Ada", address="ada@contoso.example"),
        occupancy=single(),
        refusal=REFUSAL,
    )
    assert mail.deliver(lab.pair, None, notice).delivery is Delivery.SENT
    (sent,) = mails(lab)
    assert "Not possible" in str(sent)
    lab.fault("reply_lost", path="sendMail")
    assert mail.deliver(lab.pair, None, notice).delivery is Delivery.IN_DOUBT
    assert len(mails(lab)) == 2, "sent once, and not again by itself"
    lab.fault("throttled", count=None, params={"form": "absent"}, path="sendMail")
    assert mail.deliver(lab.pair, None, notice).delivery is Delivery.NOT_SENT
    assert len(mails(lab)) == 2


def test_a_pair_of_another_connection_is_refused(lab: GraphLab) -> None:
    stranger = replace(lab.pair, connection="fabrikam")
    before = len(lab.requests())
    with pytest.raises(UsageError):
        lab.side.pull(stranger, None, lab.window)
    with pytest.raises(UsageError):
        lab.side.apply(stranger, [effect(CREATE, "a", target=single())])
    assert len(lab.requests()) == before


def test_a_cursor_of_another_mailbox_is_a_full_round(lab: GraphLab) -> None:
    lab.put(single())
    first = lab.side.pull(lab.pair, None, lab.window)
    with graph_lab(lab.server) as other:
        pulled = other.side.pull(other.pair, first.cursor, other.window)
        assert (pulled.observations, pulled.complete) == ((), True)

"""exchangelib, an independent EWS client, against the sandbox over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from exchangelib import (
    DELEGATE,
    IMPERSONATION,
    Account,
    Attendee,
    CalendarItem,
    Configuration,
    Credentials,
    EWSDate,
    EWSTimeZone,
    Mailbox,
)
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorCalendarOccurrenceIsDeletedFromRecurrence,
    ErrorImpersonateUserDenied,
    ErrorIrresolvableConflict,
    ErrorServerBusy,
    UnauthorizedError,
)
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.folders import Calendar
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY, SEND_TO_NONE
from exchangelib.protocol import CachingProtocol
from exchangelib.recurrence import Recurrence, WeeklyPattern
from exchangelib.services import GetServerTimeZones
from exchangelib.version import Build, Version

from calsync.sandbox import SandboxServer
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD

from .client import ANN, BOB, ROOM, ROOM2, Graph
from .soap import GUID, SERVICE

BERLIN = EWSTimeZone("Europe/Berlin")


class Key(ExtendedProperty):  # type: ignore[misc]  # exchangelib has no types here
    property_set_id = GUID
    property_name = "calsync"
    property_type = "String"


class Clean(ExtendedProperty):  # type: ignore[misc]  # exchangelib has no types here
    distinguished_property_set_id = "Meeting"
    property_id = 35
    property_type = "Binary"


@pytest.fixture(scope="module", autouse=True)
def properties() -> Iterator[None]:
    """Registered for the process: taken back, since others may register the same."""
    CalendarItem.register("strangers_key", Key)
    CalendarItem.register("strangers_clean", Clean)
    yield
    CalendarItem.deregister("strangers_key")
    CalendarItem.deregister("strangers_clean")


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    with SandboxServer(made.box) as server:
        made.box.front.base = server.url
        yield made
        assert server.failures == []
    CachingProtocol.clear_cache()


def account(
    graph: Graph,
    address: str = ROOM,
    *,
    user: str = SERVICE,
    password: str = DEFAULT_PASSWORD,
    access: str = IMPERSONATION,
) -> Any:
    settings = Configuration(
        service_endpoint=f"{graph.box.front.base}/EWS/Exchange.asmx",
        credentials=Credentials(user, password),
        auth_type="basic",
        version=Version(Build(15, 2, 2562, 17)),
    )
    return Account(
        address, config=settings, autodiscover=False, access_type=access, default_timezone=BERLIN
    )


def day(number: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, 12, number, hour, minute, tzinfo=BERLIN)


def appointment(room: Any, **more: Any) -> Any:
    fields = {"subject": "Plan", "start": day(1), "end": day(1, 11)} | more
    return CalendarItem(account=room, folder=room.calendar, **fields)


def test_an_item_lives_and_dies(graph: Graph) -> None:
    room = account(graph)
    made = appointment(room, strangers_key="k", body="b", location="Here").save(
        send_meeting_invitations=SEND_TO_NONE
    )
    stale = appointment(room)
    stale.id, stale.changekey = made.id, made.changekey  # type: ignore[attr-defined]
    (found,) = room.calendar.filter(strangers_key="k")
    assert (found.id, found.start, found.location) == (made.id, day(1), "Here")
    assert list(room.calendar.filter(strangers_clean=found.strangers_clean))
    assert not list(room.calendar.filter(start__gt=day(2)))
    found.subject = "Other"
    found.start, found.end = day(1, 14), day(1, 15)
    found.save(
        update_fields=["subject", "start", "end"],
        conflict_resolution="NeverOverwrite",
        send_meeting_invitations=SEND_TO_NONE,
    )
    with pytest.raises(ErrorIrresolvableConflict):
        stale.save(
            update_fields=["subject"],
            conflict_resolution="NeverOverwrite",
            send_meeting_invitations=SEND_TO_NONE,
        )
    (live,) = graph.live()
    assert (live["subject"], live["start"]) == ("Other", "2026-12-01T13:00:00Z")
    found.delete(send_meeting_cancellations=SEND_TO_NONE)
    assert graph.live() == []


def test_a_series_with_exceptions(graph: Graph) -> None:
    room = account(graph)
    rule = Recurrence(
        pattern=WeeklyPattern(interval=1, weekdays=["Tuesday", "Thursday"]),
        start=EWSDate(2026, 12, 1),
        number=6,
    )
    master = appointment(room, recurrence=rule)
    master.save(send_meeting_invitations=SEND_TO_NONE)
    (second,) = room.fetch([master.occurrence(index=2)])
    second.start += timedelta(hours=3)
    second.end += timedelta(hours=3)
    second.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_NONE)
    master.occurrence(index=3).delete(send_meeting_cancellations=SEND_TO_NONE)
    (read,) = room.fetch([(master.id, None)])
    assert read.recurrence.boundary.number == 6
    assert [one.original_start for one in read.modified_occurrences] == [day(3)]
    assert [one.start for one in read.deleted_occurrences] == [day(8)]
    with pytest.raises(ErrorCalendarOccurrenceIsDeletedFromRecurrence):
        list(room.fetch([master.occurrence(index=3)]))
    view = list(room.calendar.view(day(1, 0), day(31, 0)))
    assert [(one.start.astimezone(BERLIN).day, one.type) for one in view] == [
        (1, "Occurrence"), (3, "Exception"), (10, "Occurrence"), (15, "Occurrence"),
        (17, "Occurrence"),
    ]  # fmt: skip
    assert next(iter(room.fetch([second.recurring_master()]))).id == master.id


def test_changes_since(graph: Graph) -> None:
    room = account(graph)
    items = [appointment(room, start=day(n), end=day(n, 11)) for n in range(1, 8)]
    for one in items:
        one.save(send_meeting_invitations=SEND_TO_NONE)
    folder = room.calendar
    assert {kind for kind, _ in folder.sync_items(max_changes_returned=3)} == {"create"}
    items[0].delete(send_meeting_cancellations=SEND_TO_NONE)
    graph.book("2026-12-20T10:00", "2026-12-20T11:00")
    changes = list(folder.sync_items(sync_state=folder.item_sync_state))
    assert [kind for kind, _ in changes] == ["delete", "create"]


def test_meetings_between_people_and_rooms(graph: Graph) -> None:
    ann = account(graph, ANN, user=ANN, access=DELEGATE)
    people = [Attendee(mailbox=Mailbox(email_address=BOB))]
    room = [Attendee(mailbox=Mailbox(email_address=ROOM))]
    made = appointment(ann, required_attendees=people, resources=room)
    made.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    (read,) = ann.fetch([(made.id, None)])
    assert [one.response_type for one in read.resources] == ["Accept"]
    bob = account(graph, BOB, user=BOB, access=DELEGATE)
    (request,) = bob.inbox.all()
    request.accept(body="I come")
    assert list(bob.inbox.all()) == []
    (own,) = bob.calendar.all()
    assert own.my_response_type == "Accept"
    copy = next(iter(account(graph).calendar.all()))
    copy.decline(body="Taken")
    assert [one["comment"] for one in graph.mails() if one["kind"] == "response"][-1] == "Taken"
    (read,) = ann.fetch([(made.id, None)])
    read.cancel()
    assert list(bob.calendar.filter(is_cancelled=False)) == []


def test_rights(graph: Graph) -> None:
    service = graph.box.ews.accounts.services[SERVICE]
    service.impersonates, service.opens = frozenset({ROOM}), frozenset({ROOM})
    with pytest.raises(ErrorImpersonateUserDenied):
        list(account(graph, ROOM2).calendar.all())
    assert list(account(graph, access=DELEGATE).calendar.all()) == []
    with pytest.raises(ErrorAccessDenied):
        list(account(graph, ROOM2, access=DELEGATE).calendar.all())
    with pytest.raises(UnauthorizedError):
        list(account(graph, user=ANN, password="wrong").calendar.all())


def test_the_directory(graph: Graph) -> None:
    room = account(graph)
    (only,) = room.protocol.get_roomlists()
    assert [one.email_address for one in room.protocol.get_rooms(only.email_address)] == [
        ROOM,
        ROOM2,
    ]
    names = room.protocol.resolve_names(["Person 0001"], return_full_contact_data=True)
    assert [(box.email_address, contact.display_name) for box, contact in names] == [
        (ANN, "Person 0001")
    ]
    zones = list(GetServerTimeZones(protocol=room.protocol).call())
    assert any(one.id == "W. Europe Standard Time" for one in zones)
    appointment(room).save(send_meeting_invitations=SEND_TO_NONE)
    (view,) = room.protocol.get_free_busy_info(
        accounts=[(room, "Required", False)],
        start=day(1, 0),
        end=day(2, 0),
        merged_free_busy_interval=60,
    )
    assert view.merged == "000000000020000000000000"
    assert [one.start for one in view.calendar_events] == [day(1)]


def test_folders(graph: Graph) -> None:
    room = account(graph)
    tree = room.root.tree()
    assert "Calendar" in tree
    second = Calendar(parent=room.calendar, name="Second")
    second.save()
    CalendarItem(account=room, folder=second, subject="x", start=day(5), end=day(5, 11)).save(
        send_meeting_invitations=SEND_TO_NONE
    )
    assert [one.subject for one in second.all()] == ["x"]
    assert graph.live() == []
    second.delete()


def test_a_busy_server(graph: Graph) -> None:
    room = account(graph)
    list(room.calendar.all())
    graph.fault("throttled", count=1, params={"seconds": 7})
    with pytest.raises(ErrorServerBusy) as caught:
        list(room.calendar.all())
    assert caught.value.back_off == 7


def test_streaming_over_a_real_connection(graph: Graph) -> None:
    room = account(graph)
    with room.calendar.streaming_subscription() as name:
        heard: list[Any] = []

        def listen() -> None:
            for note in room.calendar.get_streaming_events(name, connection_timeout=1):
                heard.extend(note.events)
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        until = time.monotonic() + 10
        while not graph.box.ews.subscriptions.connections and time.monotonic() < until:
            time.sleep(0.01)
        graph.book()
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert {type(one).__name__ for one in heard} >= {"CreatedEvent"}

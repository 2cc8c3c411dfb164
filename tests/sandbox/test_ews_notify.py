"""Subscriptions: pull by watermark, streaming over an open connection."""

from __future__ import annotations

from contextlib import suppress

import pytest
from lxml import etree

from .client import ROOM, ROOM2
from .soap import Answer, Ews, place, put


@pytest.fixture
def ews() -> Ews:
    return Ews()


ALL = "CopiedEvent CreatedEvent DeletedEvent ModifiedEvent MovedEvent NewMailEvent"


def subscribe(
    ews: Ews, kind: str = "Pull", *, events: str = ALL, folder: str = "calendar"
) -> Answer:
    types = "".join(f"<t:EventType>{one}</t:EventType>" for one in events.split())
    rest = "<t:Timeout>10</t:Timeout>" if kind == "Pull" else ""
    return ews.call(
        f"<m:Subscribe><m:{kind}SubscriptionRequest><t:FolderIds>{place(folder)}</t:FolderIds>"
        f"<t:EventTypes>{types}</t:EventTypes>{rest}</m:{kind}SubscriptionRequest></m:Subscribe>"
    )


def pull(ews: Ews, name: str, mark: str) -> Answer:
    return ews.call(
        f"<m:GetEvents><m:SubscriptionId>{name}</m:SubscriptionId><m:Watermark>{mark}</m:Watermark>"
        "</m:GetEvents>"
    )


def events(answer: Answer, ident: str | None = None) -> list[str]:
    rows = answer.ok().all("//*[local-name()='Notification']/*[t:TimeStamp]")
    return [
        one.tag.rpartition("}")[2]
        for one in rows
        if ident is None or any(two.get("Id") == ident for two in one)
    ]


def last_mark(answer: Answer) -> str:
    return str(answer.all("//t:Watermark")[-1].text)


def test_pulling(ews: Ews) -> None:
    made = subscribe(ews).ok()
    name, mark = made.text("//m:SubscriptionId"), made.text("//m:Watermark")
    quiet = pull(ews, name, mark)
    assert events(quiet) == []
    assert quiet.all("//t:StatusEvent")
    item = ews.create().ok().ids[0]
    ews.update(item, put("item:Subject", "<t:Subject>x</t:Subject>")).ok()
    first = pull(ews, name, mark)
    assert events(first, item[0]) == ["CreatedEvent", "ModifiedEvent"]
    assert len(events(first)) == 4, "the folder's own count changes, too"
    assert events(pull(ews, name, mark)) == events(first), "an old watermark tells it again"
    mark = last_mark(first)
    ews.delete(item[0]).ok()
    assert events(pull(ews, name, mark), item[0]) == ["DeletedEvent"]


def test_deleting_softly_is_a_move(ews: Ews) -> None:
    made = subscribe(ews).ok()
    item = ews.create().ok().ids[0]
    ews.delete(item[0], how="MoveToDeletedItems").ok()
    answer = pull(ews, made.text("//m:SubscriptionId"), made.text("//m:Watermark"))
    moved = answer.one("//t:MovedEvent")
    assert moved.find("{*}OldItemId").get("Id") == item[0]
    assert moved.find("{*}ItemId").get("Id") == ews.find(folder="deleteditems").ids[0][0]


def test_only_what_was_asked_for(ews: Ews) -> None:
    made = subscribe(ews, events="DeletedEvent").ok()
    item = ews.create().ok().ids[0]
    ews.delete(item[0]).ok()
    answer = pull(ews, made.text("//m:SubscriptionId"), made.text("//m:Watermark"))
    assert events(answer) == ["DeletedEvent"]


def test_subscriptions_end(ews: Ews) -> None:
    made = subscribe(ews).ok()
    name, mark = made.text("//m:SubscriptionId"), made.text("//m:Watermark")
    assert pull(ews, "unknown", mark).codes == ["ErrorSubscriptionNotFound"]
    assert pull(ews, name, "bm9uc2Vuc2U=").codes == ["ErrorInvalidWatermark"]
    ews.graph.clock.forward(9 * 60)
    assert pull(ews, name, mark).ok()
    ews.graph.clock.forward(11 * 60)
    assert pull(ews, name, mark).codes == ["ErrorExpiredSubscription"]
    assert pull(ews, name, mark).codes == ["ErrorSubscriptionNotFound"]
    again = subscribe(ews).ok().text("//m:SubscriptionId")
    end = f"<m:Unsubscribe><m:SubscriptionId>{again}</m:SubscriptionId></m:Unsubscribe>"
    assert ews.call(end).ok()
    assert ews.call(end).codes == ["ErrorSubscriptionNotFound"]


def test_another_account_has_no_part_in_it(ews: Ews) -> None:
    made = subscribe(ews).ok()
    ews.user, ews.act_as = ROOM, None
    answer = pull(ews, made.text("//m:SubscriptionId"), made.text("//m:Watermark"))
    assert answer.codes == ["ErrorSubscriptionAccessDenied"]


def test_subscriptions_that_are_refused(ews: Ews) -> None:
    push = (
        "<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds>{}</t:FolderIds><t:EventTypes>"
        "<t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:StatusFrequency>1"
        "</t:StatusFrequency><t:URL>http://127.0.0.1/</t:URL></m:PushSubscriptionRequest>"
        "</m:Subscribe>"
    )
    assert ews.call(push.format(place("calendar"))).codes == ["ErrorInvalidPushSubscriptionUrl"]
    ews.act_as = None
    two = place(f"calendar@{ROOM}") + place(f"calendar@{ROOM2}")
    types = "<t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes>"
    body = (
        f"<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>{two}</t:FolderIds>{types}"
        "</m:StreamingSubscriptionRequest></m:Subscribe>"
    )
    assert ews.call(body).codes == ["ErrorInvalidSubscriptionRequest"]
    ews.graph.box.ews.subscriptions.most = 0
    ews.act_as = ROOM
    assert subscribe(ews).codes == ["ErrorExceededSubscriptionCount"]


# -- streaming ------------------------------------------------------------------------------


def listen(ews: Ews, *names: str, minutes: int = 5) -> Answer:
    ids = "".join(f"<t:SubscriptionId>{one}</t:SubscriptionId>" for one in names)
    return ews.call(
        f"<m:GetStreamingEvents><m:SubscriptionIds>{ids}</m:SubscriptionIds>"
        f"<m:ConnectionTimeout>{minutes}</m:ConnectionTimeout></m:GetStreamingEvents>"
    )


class Heard:
    """Reads a stream as a client would, without a socket."""

    def __init__(self, answer: Answer) -> None:
        assert answer.ok().text("//m:ConnectionStatus") == "OK"
        assert answer.response.stream is not None
        self.stream = answer.response.stream
        self.over = False

    def next(self) -> Answer | None:
        from calsync.sandbox import Response

        chunk, self.over = self.stream.poll()
        return Answer(Response(200, {}, chunk)) if chunk else None


def test_a_stream_tells_what_happens_while_it_is_open(ews: Ews) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    ews.create().ok()
    heard = Heard(listen(ews, name))
    assert heard.next() is None, "what was before is for SyncFolderItems"
    item = ews.graph.book("2026-12-03T10:00", "2026-12-03T11:00")["roomId"]
    told = heard.next()
    assert told is not None
    assert "CreatedEvent" in events(told, item)
    assert told.text("//t:SubscriptionId") == name
    ews.graph.clock.forward(46)
    alive = heard.next()
    assert alive is not None
    assert alive.all("//t:StatusEvent")
    assert heard.next() is None
    ews.graph.clock.forward(300)
    last = heard.next()
    assert last is not None
    assert last.text("//m:ConnectionStatus") == "Closed"
    assert heard.over
    ews.create(start="2026-12-09T09:00:00Z", end="2026-12-09T10:00:00Z").ok()
    again = Heard(listen(ews, name))
    assert again.next() is None, "a gap is for SyncFolderItems"


def test_streams_of_subscriptions_that_are_gone(ews: Ews) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    answer = listen(ews, name, "gone")
    assert answer.codes == ["ErrorSubscriptionNotFound"]
    assert answer.text("//m:ErrorSubscriptionIds/t:SubscriptionId") == "gone"
    heard = Heard(listen(ews, name))
    ews.call(f"<m:Unsubscribe><m:SubscriptionId>{name}</m:SubscriptionId></m:Unsubscribe>").ok()
    told = heard.next()
    assert told is not None
    assert told.codes == ["ErrorSubscriptionNotFound"]
    assert heard.over


def test_only_so_many_connections(ews: Ews) -> None:
    open_ones = [
        Heard(listen(ews, subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")))
        for _ in range(10)
    ]
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    assert listen(ews, name).codes == ["ErrorExceededConnectionCount"]
    open_ones[0].stream.close()
    assert listen(ews, name).ok()


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        ("stream_half_open", None),
        ("events_lost", None),
        ("events_repeated", ["CreatedEvent", "CreatedEvent"]),
    ],
)
def test_faults_of_notifications(ews: Ews, fault: str, heard: list[str] | None) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    stream = Heard(listen(ews, name))
    ews.graph.fault(fault)
    item = ews.create().ok().ids[0][0]
    told = stream.next()
    assert (events(told, item) if told else None) == heard
    if fault == "stream_half_open":
        ews.graph.control("DELETE", "faults")
        ews.graph.clock.forward(3600)
        assert stream.next() is None
        assert not stream.over


def test_a_stream_whose_beginning_is_lost_takes_no_connection(ews: Ews) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    for kind in ("reply_lost", "garbage_json", "html_after", "error_after"):
        ews.graph.fault(kind, count=1)
        with suppress(etree.XMLSyntaxError):
            listen(ews, name)
    assert not any(ews.graph.box.ews.subscriptions.connections.values())
    assert listen(ews, name).ok()


def test_streaming_subscriptions_in_any_trouble(ews: Ews) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    ews.graph.fault("ews_error", count=1, params={"code": "ErrorMissedNotificationEvents"})
    answer = listen(ews, name)
    assert answer.codes == ["ErrorMissedNotificationEvents"]
    assert answer.text("//m:ErrorSubscriptionIds/t:SubscriptionId") == name
    assert listen(ews, name).ok()


def test_a_stream_that_breaks_off(ews: Ews) -> None:
    name = subscribe(ews, "Streaming").ok().text("//m:SubscriptionId")
    stream = Heard(listen(ews, name))
    ews.graph.fault("stream_closed", count=1)
    assert stream.next() is None
    assert stream.over
    ews.graph.fault("subscription_lost", count=1)
    assert listen(ews, name).codes == ["ErrorSubscriptionNotFound"]

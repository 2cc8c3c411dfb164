"""Subscribe, Unsubscribe, GetEvents and GetStreamingEvents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..faults import Fault
from ..problems import Refusal, bad_request
from . import resolve
from .accounts import denied
from .call import Call, code_of, need, one_of, refused, response, schema, success, truth, whole
from .envelope import wrap
from .store import Folder, Store
from .streams import EVENTS, Subscription, rewatch
from .xml import Markup, Node, m, t

MOST_IDS = 200
HANGING = 10
STREAM_FAULTS = ("stream_closed", "stream_half_open", "events_lost", "events_repeated")


def subscribe(call: Call) -> Markup:
    """Subscribe."""
    if len(call.body.kids) != 1:
        raise schema("The element 'Subscribe' has incomplete content.", call.body)
    node = call.body.kids[0]
    try:
        made = _subscribe(call, node)
    except Refusal as refusal:
        return response("Subscribe", [refused("Subscribe", refusal)])
    call.flags.setdefault("headers", {})["Set-Cookie"] = (
        "X-BackEndOverrideCookie=sandbox~1; path=/; HttpOnly"
    )
    mark = None if made.streaming else m("Watermark", made.watermark(0))
    return response("Subscribe", [success("Subscribe", m("SubscriptionId", made.id), mark)])


def _subscribe(call: Call, node: Node) -> Subscription:
    if node.name == "PushSubscriptionRequest":
        raise bad_request(
            "The sandbox calls nobody: subscribe by pull or streaming.",
            "ErrorInvalidPushSubscriptionUrl",
        )
    if node.name not in ("PullSubscriptionRequest", "StreamingSubscriptionRequest"):
        raise schema(f"The element 'Subscribe' has invalid child element '{node.name}'.", node)
    kinds = frozenset(
        one_of(one, one.text.strip(), EVENTS) for one in need(node, "EventTypes").kids
    )
    if not kinds:
        raise schema("The element 'EventTypes' has incomplete content.", node)
    minutes = None
    if node.name == "PullSubscriptionRequest":
        said = need(node, "Timeout")
        minutes = whole(said, said.text, 1, 1440)
    places = _places(call, node)
    return call.front.subscriptions.add(call, places[0][0].box, places, kinds, minutes)


def _places(call: Call, node: Node) -> list[tuple[Store, Folder]]:
    every = truth(node, node.attrs.get("SubscribeToAllFolders", "false"))
    ids = node.find("FolderIds")
    if every == (ids is not None):
        raise bad_request(
            "Name folders, or subscribe to all of them.", "ErrorInvalidSubscriptionRequest"
        )
    if ids is not None:
        places = [resolve.folder(call, one) for one in resolve.at_least_one(ids)]
        if len({store.box.tag for store, _ in places}) > 1:
            raise bad_request(
                "The folders are not of one mailbox.", "ErrorInvalidSubscriptionRequest"
            )
        return places
    if call.box is None:
        raise bad_request("Say whose folders are meant.", "ErrorMissingEmailAddress")
    store = call.front.stores.of(call.box)
    return [(store, one) for one in store.folders.values()]


def unsubscribe(call: Call) -> Markup:
    """Unsubscribe."""
    try:
        one = call.front.subscriptions.get(call, need(call.body, "SubscriptionId").text.strip())
    except Refusal as refusal:
        return response("Unsubscribe", [refused("Unsubscribe", refusal)])
    del call.front.subscriptions.found[one.id]
    return response("Unsubscribe", [success("Unsubscribe")])


def get_events(call: Call) -> Markup:
    """GetEvents of a pull subscription."""
    name = need(call.body, "SubscriptionId").text.strip()
    mark = need(call.body, "Watermark").text.strip()
    subscriptions = call.front.subscriptions
    try:
        _lose(call, name)
        one = subscriptions.get(call, name)
        call.flags["mailbox"] = one.box.address
        if one.streaming:
            raise bad_request("It is no pull subscription.", "ErrorInvalidPullSubscriptionId")
        start, rows = subscriptions.pull(one, mark)
    except Refusal as refusal:
        return response("GetEvents", [refused("GetEvents", refusal)])
    if call.front.strikes(call, ("events_lost",)):
        rows = []
    if call.front.strikes(call, ("events_repeated",)):
        rows = [*rows, *rows]
    events = [t(kind, t("Watermark", one.watermark(number)), inner) for number, kind, inner in rows]
    last = rows[-1][0] if rows else start
    if not events:
        events = [t("StatusEvent", t("Watermark", one.watermark(start)))]
    told = m(
        "Notification",
        t("SubscriptionId", one.id),
        t("PreviousWatermark", mark),
        t("MoreEvents", last < len(one.events)),
        *events,
    )
    return response("GetEvents", [success("GetEvents", told)])


def _lose(call: Call, name: str) -> None:
    """A failover forgets subscriptions."""
    if call.front.strikes(call, ("subscription_lost",)):
        call.front.subscriptions.found.pop(name, None)


def get_streaming_events(call: Call) -> Markup:
    """GetStreamingEvents: an answer that goes on until its time is over."""
    ids = [one.text.strip() for one in need(call.body, "SubscriptionIds").kids]
    said = need(call.body, "ConnectionTimeout")
    minutes = whole(said, said.text, 1, 30)
    subscriptions = call.front.subscriptions
    if not 1 <= len(ids) <= MOST_IDS:
        raise bad_request("Too many subscriptions.", "ErrorInvalidSubscriptionRequest")
    found: list[Subscription] = []
    bad: list[tuple[str, Refusal]] = []
    for name in ids:
        _lose(call, name)
        try:
            one = subscriptions.get(call, name)
            if not one.streaming:
                raise bad_request("It is no streaming subscription.", "ErrorInvalidSubscription")
            if call.flags.get("denied"):
                raise denied(str(call.flags["denied"]))
            found.append(one)
        except Refusal as refusal:
            bad.append((name, refusal))
    if bad:
        return _refused(bad)
    if subscriptions.connections.get(call.account.name, 0) >= HANGING:
        many = Refusal(500, "ErrorExceededConnectionCount", "Too many connections are open.")
        return response("GetStreamingEvents", [refused("GetStreamingEvents", many)])
    call.flags["mailbox"] = found[0].box.address
    call.flags["stream"] = EventStream(call, found, call.world.now() + timedelta(minutes=minutes))
    return _message(m("ConnectionStatus", "OK"))


def _refused(bad: list[tuple[str, Refusal]]) -> Markup:
    return response(
        "GetStreamingEvents",
        [
            m(
                "GetStreamingEventsResponseMessage",
                m("MessageText", bad[0][1].message),
                m("ResponseCode", code_of(bad[0][1])),
                m("DescriptiveLinkKey", 0),
                m("ErrorSubscriptionIds", *(t("SubscriptionId", name) for name, _ in bad)),
                m("ConnectionStatus", "Closed"),
                ResponseClass="Error",
            )
        ],
    )


def _message(*parts: Markup) -> Markup:
    return response("GetStreamingEvents", [success("GetStreamingEvents", *parts)])


@dataclass(slots=True)
class EventStream:
    """One open connection. `poll` is asked again and again, under the lock of the world."""

    call: Call
    found: list[Subscription]
    until: datetime
    told: datetime | None = None
    silent: bool = False

    def __post_init__(self) -> None:
        connections = self.call.front.subscriptions.connections
        name = self.call.account.name
        connections[name] = connections.get(name, 0) + 1
        for one in self.found:
            one.connected = True
            rewatch(one)
        self.told = self.call.world.now()

    def close(self) -> None:
        """The connection ended, however."""
        if not self.found:
            return
        connections = self.call.front.subscriptions.connections
        connections[self.call.account.name] = max(0, connections[self.call.account.name] - 1)
        for one in self.found:
            one.connected = False
            one.until = self.call.world.now() + one.timeout
        self.found = []

    def poll(self) -> tuple[bytes, bool]:
        """What is new, as a document of its own, and whether it was the last."""
        world, front = self.call.world, self.call.front
        world.settle()
        now = world.now()
        struck = {one.kind for one in self._struck()}
        if "stream_half_open" in struck:
            self.silent = True
        if self.silent:
            return b"", False
        if "stream_closed" in struck:
            self.close()
            return b"", True
        if now >= self.until:
            self.close()
            return wrap(_message(m("ConnectionStatus", "Closed"))), True
        gone = [one for one in self.found if front.subscriptions.found.get(one.id) is not one]
        if gone:
            refusal = Refusal(404, "ErrorSubscriptionNotFound", "The subscription was not found.")
            lost = [(one.id, refusal) for one in gone]
            self.close()
            return wrap(_refused(lost)), True
        notices = []
        for one in self.found:
            rows = front.subscriptions.news(one)
            if "events_lost" in struck:
                rows = []
            if "events_repeated" in struck:
                rows = [*rows, *rows]
            if rows:
                events = (t(kind, inner) for kind, inner in rows)
                notices.append(t("Notification", t("SubscriptionId", one.id), *events))
        if not notices and self.told and now - self.told >= timedelta(seconds=front.status_seconds):
            alive = t("StatusEvent")
            notices = [t("Notification", t("SubscriptionId", self.found[0].id), alive)]
        if not notices:
            return b"", False
        self.told = now
        return wrap(_message(m("Notifications", *notices))), False

    def _struck(self) -> list[Fault]:
        return self.call.front.strikes(self.call, STREAM_FAULTS)

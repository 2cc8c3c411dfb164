"""What Exchange says on a stream of notifications: that something happened in a room, that it is
still there, that the connection ends, that a subscription is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from calsync.adapters.ews.errors import Verdict, judge
from calsync.adapters.ews.sessions import AFFINITY_COOKIE
from calsync.adapters.ews.xml import Message, find, is_id, local, read_envelope, text_of

#: The server does not know a subscription any more, or lost events of it (failover, recycled
#: process, expiry): it is made anew (EWS, "Handling notification-related errors").
LOST: Final = frozenset({
    "ErrorSubscriptionNotFound", "ErrorInvalidSubscription", "ErrorExpiredSubscription",
    "ErrorReadEventsFailed", "ErrorMissedNotificationEvents", "ErrorSubscriptionUnsubscribed",
    "ErrorProxiedSubscriptionCallFailure", "ErrorSubscriptionAccessDenied",
    "ErrorInvalidStreamingSubscription",
})  # fmt: skip
#: Cookies of one answer come joined by commas; a value is what RFC 6265, 4.1.1 lets it be.
_COOKIE: Final = re.compile(
    rf"(?:^|[;,\s]){AFFINITY_COOKIE}=([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{{1,1024}})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One document of a stream. ``news``: subscriptions in which something happened. ``closed``:
    nothing follows. ``refusal``: what went wrong, and ``lost`` the subscriptions it names."""

    news: tuple[str, ...] = ()
    closed: bool = False
    refusal: Verdict | None = None
    lost: tuple[str, ...] = ()


def read_told(content: bytes) -> Told:
    """Raises BadAnswer for what is no answer of Exchange."""
    envelope = read_envelope(content)
    if envelope.fault is not None:
        return Told(refusal=judge(envelope.fault), closed=True)
    news: dict[str, None] = {}
    lost: dict[str, None] = {}
    refusal: Verdict | None = None
    closed = False
    for message in envelope.messages:
        news |= dict.fromkeys(_news(message))
        closed = closed or text_of(message.element, "m:ConnectionStatus") == "Closed"
        if not message.good:
            refusal = refusal or judge(message)
            ids = find(message.element, "m:ErrorSubscriptionIds")
            lost |= dict.fromkeys((one.text or "").strip() for one in (() if ids is None else ids))
    return Told(news=tuple(news), closed=closed, refusal=refusal, lost=tuple(lost))


def _news(message: Message) -> list[str]:
    """A StatusEvent only says that the connection lives."""
    listed = find(message.element, "m:Notifications")
    return [
        text_of(one, "t:SubscriptionId")
        for one in (() if listed is None else listed)
        if any(local(row).endswith("Event") and local(row) != "StatusEvent" for row in one)
    ]


def subscription_of(message: Message) -> str:
    """The id in an answer to Subscribe; empty where there is none that a request could carry."""
    found = text_of(message.element, "m:SubscriptionId")
    return found if is_id(found) else ""


def affinity_of(header: str) -> str:
    """The value of the cookie that routes to the server of a subscription, from Set-Cookie."""
    found = _COOKIE.search(header)
    return found[1] if found else ""

"""Notices as mail, sent through Graph from one mailbox (POST /users/{sender}/sendMail).

sendMail has no idempotency key: what may have been sent is never sent again. Only a refusal at
the door, or a connection that was never made, counts as not sent.
"""

from __future__ import annotations

from calsync.adapters.graph.errors import Meaning, judge
from calsync.adapters.graph.links import user_path
from calsync.adapters.graph.words import line, refusal_text, when
from calsync.adapters.wrap.port import Answer, Call, Caller, NotSent
from calsync.errors import ForbiddenLink, NotSignedIn, SideError, Throttled
from calsync.model import Notice, NoticeKind, Pair, Room
from calsync.ports import Delivery, DeliveryReport

_CLOSED = (
    Meaning.SIGN_IN,
    Meaning.DENIED,
    Meaning.MAILBOX,
    Meaning.GONE,
    Meaning.FULL,
    Meaning.THROTTLED,
)
#: What sets addresses apart, or names off, in a header of a mail (RFC 5322).
_LISTS = '<>()[],;:\\"'
#: Refusals that an admin can end: the notice waits this long (seconds) before another try.
_CLOSED_DOOR_S = 300.0


class GraphMail:
    """A ``Notifier``. ``sender``: the address of the mailbox that sends."""

    def __init__(self, caller: Caller, *, sender: str) -> None:
        self._caller = caller
        self._sender = sender

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        """Never raises. The address is checked first: Graph would answer 202 and bounce later."""
        address = notice.person.address.strip()
        if not is_address(address):
            return DeliveryReport(delivery=Delivery.REFUSED, reason="no usable address")
        call = Call(
            method="POST",
            target=f"{user_path(self._sender)}/sendMail",
            operation="send mail",
            mailbox=self._sender,
            body=_mail(pair, room, notice, address),
        )
        try:
            answer = self._caller.call(call)
        except (NotSent, ForbiddenLink, NotSignedIn) as error:
            return _not_sent(error.what, _CLOSED_DOOR_S / 10)
        except Throttled as error:
            return _not_sent(error.what, error.retry_after)
        except SideError as error:
            return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=error.what)
        return _report(answer, self._sender)


def is_address(text: str) -> bool:
    """Whether one mailbox is meant, and nothing that a mail server could read as more."""
    plain = text.isprintable() and not any(c.isspace() or c in _LISTS for c in text)
    return plain and text.count("@") == 1 and len(text) <= 254


def _report(answer: Answer, sender: str) -> DeliveryReport:
    if answer.ok:
        return DeliveryReport(delivery=Delivery.SENT)
    verdict = judge(answer)
    reason = f"{verdict.row.what} ({verdict.code or answer.status})"
    if answer.throttled:
        return _not_sent(reason, answer.retry_after or 10.0)
    if answer.status >= 500 or answer.status == 408:
        return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=reason)
    if verdict.meaning is Meaning.REDIRECT:
        # A proxy or a sign-in page answered: the mail never came to Graph.
        return _not_sent(reason, _CLOSED_DOOR_S / 10)
    if verdict.meaning in _CLOSED:
        # All of these are about the sender's mailbox, and an admin can put them right.
        if verdict.meaning in (Meaning.GONE, Meaning.MAILBOX):
            reason = f"the mailbox that sends cannot be found ({verdict.code or answer.status})"
        todo = "Check sender under [notices], and that the app may send mail from it (Mail.Send)"
        return _not_sent(f"{sender}: {reason}. {todo}", _CLOSED_DOOR_S)
    return DeliveryReport(delivery=Delivery.REFUSED, reason=f"{reason}. {verdict.row.todo}".strip())


def _not_sent(reason: str, seconds: float) -> DeliveryReport:
    return DeliveryReport(delivery=Delivery.NOT_SENT, reason=reason, retry_after=max(seconds, 1.0))


def _mail(pair: Pair, room: Room | None, notice: Notice, address: str) -> dict[str, object]:
    name = line(room.name if room else pair.mailbox)
    at = when(notice.occupancy, pair.zone)
    return {
        "message": {
            "subject": _subject(notice.kind, name, at),
            "body": {"contentType": "text", "content": _text(pair, notice, name, at)},
            "toRecipients": [
                {"emailAddress": {"name": line(notice.person.name), "address": address}}
            ],
        },
        "saveToSentItems": False,
    }


def _subject(kind: NoticeKind, room: str, at: str) -> str:
    match kind:
        case NoticeKind.CONFIRMED:
            return f"Confirmed: {room}, {at}"
        case NoticeKind.REJECTED:
            return f"Not possible: {room}, {at}"
        case NoticeKind.WARNED:
            return f"Against the rules of the room: {room}, {at}"


def _text(pair: Pair, notice: Notice, room: str, at: str) -> str:
    """The room, the time in its own zone, the answer; no title, which may be private."""
    match notice.kind:
        case NoticeKind.CONFIRMED:
            answer = "Your booking is confirmed."
        case NoticeKind.REJECTED:
            answer = "Your booking could not be kept."
        case NoticeKind.WARNED:
            answer = "The room is booked for you. Please look whether it suits."
    lines = [answer, "", f"Room: {room}", f"Time: {at}"]
    if notice.refusal is not None:
        lines += ["", refusal_text(notice.refusal, pair.zone)]
    return "\n".join(lines) + "\n"

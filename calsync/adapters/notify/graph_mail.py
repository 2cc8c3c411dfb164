"""Notices as mail, sent through Graph from one mailbox (POST /users/{sender}/sendMail).

sendMail has no idempotency key: what may have been sent is never sent again. Only a refusal at
the door, or a connection that was never made, counts as not sent.
"""

from __future__ import annotations

from base64 import b64encode

from calsync.adapters.graph.errors import judge
from calsync.adapters.graph.links import user_path
from calsync.adapters.notify.letter import Letter, is_address
from calsync.adapters.notify.mail import ICS
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.words import line
from calsync.adapters.wrap.port import Answer, Call, Caller, NotSent
from calsync.errors import ForbiddenLink, NotSignedIn, SideError, Throttled
from calsync.model import Person
from calsync.ports import Delivery, DeliveryReport

_CLOSED = (
    Meaning.SIGN_IN,
    Meaning.DENIED,
    Meaning.MAILBOX,
    Meaning.GONE,
    Meaning.FULL,
    Meaning.THROTTLED,
)
#: The day's limit of the mailbox that sends: no mail of it goes, and it ends by itself.
_DAILY_LIMIT = "ErrorExceededMessageLimit"
#: Refusals that an admin can end: the notice waits this long (seconds) before another try.
_CLOSED_DOOR_S = 300.0
_FULL_S = 3600.0


class GraphMail:
    """A ``Mailer``. ``sender``: the address of the mailbox that sends."""

    def __init__(self, caller: Caller, *, sender: str) -> None:
        self._caller = caller
        self._sender = sender

    def post(self, to: Person, letter: Letter) -> DeliveryReport:
        """Never raises. The address is checked first: Graph would answer 202 and bounce later."""
        address = to.address.strip()
        if not is_address(address):
            return DeliveryReport(delivery=Delivery.REFUSED, reason="no usable address")
        call = Call(
            method="POST",
            target=f"{user_path(self._sender)}/sendMail",
            operation="send mail",
            mailbox=self._sender,
            body=_mail(letter, to.name, address),
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
    if verdict.code == _DAILY_LIMIT:
        return _not_sent(f"{sender} has sent as much as it may in a day ({verdict.code})", _FULL_S)
    if verdict.meaning in _CLOSED:
        # All of these are about the sender's mailbox, and an admin can put them right.
        if verdict.meaning in (Meaning.GONE, Meaning.MAILBOX):
            reason = f"the mailbox that sends cannot be found ({verdict.code or answer.status})"
        todo = "Check sender under [notices], and that the app may send mail from it (Mail.Send)"
        return _not_sent(f"{sender}: {reason}. {todo}", _CLOSED_DOOR_S)
    return DeliveryReport(delivery=Delivery.REFUSED, reason=f"{reason}. {verdict.row.todo}".strip())


def _not_sent(reason: str, seconds: float) -> DeliveryReport:
    return DeliveryReport(delivery=Delivery.NOT_SENT, reason=reason, retry_after=max(seconds, 1.0))


def _mail(letter: Letter, name: str, address: str) -> dict[str, object]:
    message: dict[str, object] = {
        "subject": letter.subject,
        "body": {"contentType": "text", "content": letter.text},
        "toRecipients": [{"emailAddress": {"name": line(name), "address": address}}],
    }
    if letter.calendar:
        message["attachments"] = [
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "name": ICS,
                "contentType": "text/calendar; charset=utf-8; method=PUBLISH",
                "contentBytes": b64encode(letter.calendar).decode(),
            }
        ]
    return {"message": message, "saveToSentItems": False}

"""What ``calsync check`` tries: whether a mailbox opens, whether its calendar can be read, and
whether it can be written to, by an event that nobody sees and that is deleted at once."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from secrets import token_hex
from typing import Any

from calsync.adapters.graph.box import TAG_PROPERTY, Box
from calsync.adapters.graph.errors import as_error, check, judge
from calsync.adapters.graph.links import is_id, user_path
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import BadAnswer, SideError

#: The tag of probe events. It names no link, so that sync would leave one alone.
TAG = "check"
SUBJECT = "calsync check (can be deleted)"


def server_time(answer: Answer) -> datetime | None:
    """The server's clock by its Date header (RFC 9110, 6.6.1), in whole seconds; None without."""
    try:
        at = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def consented(token: str) -> frozenset[str]:
    """The application permissions that were consented in Entra, as the token itself says. Rights
    by RBAC for Applications do not stand there, so that none is missing for not being named."""
    try:
        part = token.split(".")[1]
        claims: Any = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return frozenset(str(role) for role in claims.get("roles") or ())
    except (IndexError, ValueError, AttributeError, TypeError):
        return frozenset()


def look(caller: Caller, mailbox: str) -> Answer:
    """Open the mailbox's calendar. Raises what stands in the way of it."""
    target = f"{user_path(mailbox)}/calendar?$select=id"
    answer = caller.call(_read(target, mailbox))
    check(answer, mailbox)
    return answer


def ask_places(caller: Caller) -> tuple[Answer, bool]:
    """One room of the directory; True where there is any. Raises what stands in the way."""
    call = Call(
        method="GET",
        target="/places/microsoft.graph.room?$top=1",
        operation="places",
        repeatable=True,
    )
    answer = caller.call(call)
    return answer, bool(check(answer, "list of rooms").get("value"))


def read_day(caller: Caller, mailbox: str, day: datetime) -> Answer:
    """Read one day of the room's calendar. Raises what stands in the way of it."""
    end = day + timedelta(days=1)
    target = (
        f"{user_path(mailbox)}/calendarView?startDateTime={day:%Y-%m-%dT%H:%M:%SZ}"
        f"&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}&$select=id&$top=1"
    )
    answer = caller.call(_read(target, mailbox))
    check(answer, mailbox)
    return answer


def write_and_delete(box: Box, at: datetime) -> None:
    """Make an event that is free, private and without attendees at a far time, and delete it.

    What an earlier try left behind, because its answer was lost, is deleted first, and so is
    this one if its answer is lost. Raises what stands in the way of either.
    """
    _sweep(box)
    try:
        answer = box.post_event(_body(box, at))
        made = check(answer, box.mailbox)
    except SideError:
        _swept_quietly(box)
        raise
    key = made.get("id")
    if not is_id(key):
        _swept_quietly(box)
        raise BadAnswer("the answer to the write has no id", where=box.mailbox)
    _delete(box, key)


def _body(box: Box, at: datetime) -> dict[str, Any]:
    end = at + timedelta(minutes=15)
    return {
        "subject": SUBJECT,
        "start": {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"},
        "end": {"dateTime": f"{end:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"},
        "showAs": "free",
        "sensitivity": "private",
        "isReminderOn": False,
        "transactionId": f"calsync-check-{token_hex(8)}",
        "singleValueExtendedProperties": [{"id": TAG_PROPERTY, "value": box.sealed(TAG)}],
    }


def _sweep(box: Box) -> None:
    """Delete what bears our seal and the tag of probes: nobody else can make that."""
    body = check(box.get(box.tagged(TAG), operation="find"), box.mailbox)
    for row in body.get("value") or ():
        if isinstance(row, dict) and is_id(row.get("id")):
            _delete(box, row["id"])


def _swept_quietly(box: Box) -> None:
    try:
        _sweep(box)
    except SideError:
        return  # The first error is the one to tell; the next check sweeps again.


def _delete(box: Box, key: str) -> None:
    answer = box.delete(key)
    if not answer.ok and judge(answer).meaning is not Meaning.GONE:
        error = as_error(judge(answer), box.mailbox)
        error.todo = f"Delete the event “{SUBJECT}” by hand. {error.todo}".strip()
        raise error


def _read(target: str, mailbox: str) -> Call:
    return Call(method="GET", target=target, operation="probe", mailbox=mailbox, repeatable=True)

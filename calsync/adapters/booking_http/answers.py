"""What a platform's answer means: an error of calsync's own for the call as a whole, an outcome
for a write. Nothing of an answer goes into a message but its problem's code and detail, cut."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from calsync.adapters.wrap.port import Answer
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    CursorAhead,
    CursorExpired,
    MailboxMissing,
    Throttled,
    Unavailable,
)
from calsync.mapping.text import clean_title
from calsync.model import InDoubt, Later, Refused

#: Seconds to stay away where the platform names none.
UNSAID: Final = 10.0


def code_of(answer: Answer) -> str:
    """The problem's stable name."""
    code = (answer.body or {}).get("code")
    return code if isinstance(code, str) and len(code) <= 64 and code.isprintable() else ""


def detail_of(answer: Answer) -> str:
    """What the platform says, on one line, at most 255 characters."""
    detail = (answer.body or {}).get("detail")
    return clean_title(detail if isinstance(detail, str) else None) or f"status {answer.status}"


def body_of(answer: Answer, where: str) -> dict[str, Any]:
    """The body of a good answer. Raises SideError for any other."""
    if not answer.ok or answer.body is None:
        fail(answer, where)
    return answer.body


def fail(answer: Answer, where: str) -> NoReturn:
    """Raises the error that the answer means."""
    said = detail_of(answer).rstrip(".")
    match answer.status:
        case 403:
            raise AccessDenied(
                f"the booking platform: {said}",
                where=where,
                todo="Give the token the scopes rooms:read, busy:read, bookings:read,"
                " bookings:write, bookings:mirror and, where titles are carried, details:read",
            )
        case 404:
            raise MailboxMissing(
                f"the booking platform: {said}",
                where=where,
                todo="Look whether the room is still there: calsync rooms list",
            )
        case 410:
            kind = CursorAhead if (answer.body or {}).get("restored") is True else CursorExpired
            raise kind(f"the booking platform: {said}", where=where)
        case 400 if code_of(answer) == "cursor-invalid":
            raise CursorExpired(f"the booking platform: {said}", where=where)
        case 429:
            raise Throttled(
                "the booking platform asks for a pause",
                retry_after=answer.retry_after or UNSAID,
                where=where,
            )
        case status if status >= 500:
            raise Unavailable(f"the booking platform failed ({status}: {said})", where=where)
        case status:
            raise BadAnswer(f"the booking platform refused ({status}: {said})", where=where)


def outcome_of(answer: Answer) -> Later | Refused | InDoubt:
    """The outcome of a write that was not answered well, and not by 404, 409 or 412 of the kinds
    that ``writes`` knows."""
    said, code = detail_of(answer), code_of(answer)
    if answer.status == 429:
        return Later(answer.retry_after or UNSAID, "the booking platform asks for a pause")
    if code == "idempotency-key-running":
        return Later(answer.retry_after or 1.0, said)
    if answer.status == 403:
        return Later(0.0, f"the booking platform: {said}")
    if answer.status >= 500:
        return InDoubt(f"the booking platform failed ({answer.status}: {said})")
    return Refused(f"the booking platform refuses: {said}", code or f"http-{answer.status}")

"""Graph's refusals by name: one table, code → what it means, and what follows from it.

Graph's Outlook codes are the EWS ResponseCode names (EWS reference, "ResponseCode"; Graph,
"Error responses and resource types"). Matching goes by ``error.code``, then the nested
innerError codes, then the status; never by the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from calsync.adapters.shared.meaning import Meaning, Row
from calsync.adapters.wrap.port import Answer
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    CursorExpired,
    ForbiddenLink,
    MailboxMissing,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
)
from calsync.model import InDoubt, Later, Outcome, Refused, Stale

_SCOPE = (
    "Check the app's role assignment for this mailbox (Test-ServicePrincipalAuthorization);"
    " a change takes up to 2 hours to work"
)

TABLE: tuple[Row, ...] = (
    Row(
        ("InvalidAuthenticationToken", "AuthenticationError"),
        Meaning.SIGN_IN,
        "Graph refused the token",
        "Check that the app still exists in the tenant",
    ),
    Row(
        ("ErrorAccessDenied", "Authorization_RequestDenied", "AccessDenied"),
        Meaning.DENIED,
        "the app may not open this mailbox",
        _SCOPE,
    ),
    Row(
        ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI"),
        Meaning.MAILBOX,
        "the mailbox is on-premises, has no licence or was deleted",
        "Check the mailbox in the Exchange admin center, or unmap the room. If it was moved to a"
        " server: calsync rooms move ROOM --to CONNECTION (docs/how-to/move-to-the-cloud.md)",
    ),
    Row(
        ("ErrorInvalidUser", "Request_ResourceNotFound", "ErrorNonExistentMailbox"),
        Meaning.MAILBOX,
        "there is no such mailbox",
        "Check the room's address, or unmap the room",
    ),
    Row(
        ("extensionError",),
        Meaning.MAILBOX,
        "the mailbox is on-premises, or a policy blocks the app",
        "Check the mailbox and the organisation's application access policies",
    ),
    Row(
        ("ErrorItemNotFound", "ErrorMessageNotFound", "itemNotFound"),
        Meaning.GONE,
        "the event is gone, or not visible any more",
    ),
    Row(
        ("ErrorIrresolvableConflict", "ErrorStaleObject", "ErrorChangeKeyRequired"),
        Meaning.STALE,
        "the event changed meanwhile",
    ),
    Row(
        ("ErrorDuplicateTransactionId",),
        Meaning.DUPLICATE,
        "the event was created by an earlier try",
    ),
    Row(
        ("ErrorCalendarIsOrganizerForDecline",),
        Meaning.ORGANIZER,
        "the room is the organizer: there is nobody to decline to",
    ),
    Row(
        ("ErrorOccurrenceCrossingBoundary",),
        Meaning.INPUT,
        "a date of a series cannot move onto or past its neighbour",
        "Choose a time between the neighbouring dates, or book it as a single meeting",
    ),
    Row(
        ("ErrorOccurrenceTimeSpanTooBig",),
        Meaning.INPUT,
        "a date of the series lasts longer than the gap to the next",
    ),
    Row(
        ("ErrorRecurrenceHasNoOccurrence",),
        Meaning.INPUT,
        "the series has no date at all",
    ),
    Row(
        ("ErrorRecurrenceEndDateTooBig",),
        Meaning.INPUT,
        "the series ends later than Exchange can keep",
    ),
    Row(
        ("ErrorCalendarEndDateIsEarlierThanStartDate",),
        Meaning.INPUT,
        "the end lies before the start",
    ),
    Row(
        ("ErrorCalendarDurationIsTooLong",),
        Meaning.INPUT,
        "Exchange keeps no event longer than five years",
    ),
    Row(
        (
            "ErrorCalendarIsNotOrganizer",
            "ErrorCalendarIsCancelledForDecline",
            "ErrorCalendarIsCancelledForAccept",
            "ErrorCalendarIsCancelledForRemove",
            "ErrorCalendarIsDelegatedForDecline",
        ),
        Meaning.INPUT,
        "the room's part in this meeting does not allow the act",
    ),
    Row(
        ("ErrorInvalidIdMalformed", "ErrorInvalidId"),
        Meaning.INPUT,
        "the id has another form than this mailbox uses",
        "Run a full compare of the room: ids are read again",
    ),
    Row(
        ("ErrorItemCorrupt", "ErrorCorruptData"),
        Meaning.INPUT,
        "Exchange itself cannot read this event",
        "Open it in Outlook and save or delete it there",
    ),
    Row(
        ("ErrorInvalidUrlQuery", "ErrorInvalidUrlQueryFilter"),
        Meaning.INPUT,
        "Graph does not take this query",
        "Report this: calsync asked for something that this cloud does not offer",
    ),
    Row(
        ("SyncStateNotFound", "SyncStateInvalid", "resyncRequired", "ErrorInvalidSyncStateData"),
        Meaning.CURSOR,
        "the resume point is void; the room is read in full again",
    ),
    Row(
        (
            "ApplicationThrottled",
            "TooManyRequests",
            "activityLimitReached",
            "ErrorServerBusy",
            "ErrorTooManyObjectsOpened",
        ),
        Meaning.THROTTLED,
        "Graph asks to slow down",
    ),
    Row(
        (
            "ErrorMailboxMoveInProgress",
            "ErrorMailboxStoreUnavailable",
            "ErrorInternalServerTransientError",
            "ErrorInternalServerError",
            "ErrorTimeoutExpired",
            "serviceNotAvailable",
            "generalException",
        ),
        Meaning.PASSING,
        "Exchange is not well just now",
    ),
    Row(
        ("ErrorQuotaExceeded",),
        Meaning.FULL,
        "the room's mailbox is full",
        "Empty its deleted items, or raise its quota",
    ),
    Row(
        ("ErrorMessageSubmissionBlocked", "ErrorExceededMessageLimit", "ErrorSendAsDenied"),
        Meaning.INPUT,
        "the mailbox may not send mail",
        "Check the sending limits of the mailbox",
    ),
)

_BY_CODE = {code.lower(): row for row in TABLE for code in row.codes}

_BY_STATUS: dict[int, Row] = {
    401: _BY_CODE["invalidauthenticationtoken"],
    403: _BY_CODE["erroraccessdenied"],
    404: _BY_CODE["erroritemnotfound"],
    409: _BY_CODE["errorirresolvableconflict"],
    410: _BY_CODE["syncstatenotfound"],
    412: _BY_CODE["errorirresolvableconflict"],
    424: Row((), Meaning.DEPENDENCY, "a former part of the batch failed"),
    429: _BY_CODE["toomanyrequests"],
    507: _BY_CODE["errorquotaexceeded"],
}
_REDIRECT = Row((), Meaning.REDIRECT, "the answer points elsewhere; it was not followed")
_OTHER_5XX = Row((), Meaning.PASSING, "Graph is not well just now")
_OTHER_4XX = Row((), Meaning.INPUT, "Graph refused the request")

_THROTTLING = frozenset(c.lower() for r in TABLE if r.meaning is Meaning.THROTTLED for c in r.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A refusal, read. ``code`` is the one that matched, or the first, or ""."""

    row: Row
    code: str
    answer: Answer

    @property
    def meaning(self) -> Meaning:
        return self.row.meaning


def judge(answer: Answer) -> Verdict:
    """Read a refusal. A cursor's death counts by status, too: 410 on anything is one."""
    codes = list(_codes(answer.body))
    for code in codes:
        row = _BY_CODE.get(code.lower())
        # A 5xx is never a fact about the item: a proxy or a failing server may add any code.
        if row is not None and not (answer.status >= 500 and row.meaning in _FACTS):
            return Verdict(row=row, code=code, answer=answer)
    status = answer.status
    if answer.throttled:
        row = _BY_STATUS[429]
    elif 300 <= status < 400:
        row = _REDIRECT
    else:
        row = _BY_STATUS.get(status) or (_OTHER_5XX if status >= 500 else _OTHER_4XX)
    return Verdict(row=row, code=codes[0] if codes else "", answer=answer)


def is_throttled(status: int, body: dict[str, Any] | None, seconds: float | None) -> bool:
    """The service refused at the door: 429, or 503/504 that name a time and say it is load.
    A bare 503 may follow an execution (msgraph-sdk-ruby #38: created, without its extension)."""
    if status == 429:
        return True
    if status not in (503, 504) or seconds is None:
        return False
    return any(code.lower() in _THROTTLING for code in _codes(body))


_NO_NAME = re.compile(r"[^A-Za-z0-9_.\- ]")
_FACTS = frozenset({Meaning.GONE, Meaning.STALE, Meaning.DUPLICATE, Meaning.CURSOR})


def _codes(body: dict[str, Any] | None) -> Iterator[str]:
    """error.code, then the codes of innerError, outermost first; at most a few levels."""
    node: Any = (body or {}).get("error")
    for _ in range(6):
        if not isinstance(node, dict):
            return
        code = node.get("code")
        if isinstance(code, str) and code:
            # It is stored and printed with what it meant: nothing but a name passes.
            yield _NO_NAME.sub("?", code[:80])
        node = node.get("innerError", node.get("innererror"))


def as_error(verdict: Verdict, where: str) -> SideError:
    """The refusal as an error of the whole call."""
    row, answer = verdict.row, verdict.answer
    name = verdict.code or f"status {answer.status}"
    what = f"{row.what} ({name})"
    match verdict.meaning:
        case Meaning.SIGN_IN:
            return NotSignedIn(what, where=where, todo=row.todo)
        case Meaning.DENIED:
            return AccessDenied(what, where=where, todo=row.todo)
        case Meaning.MAILBOX:
            return MailboxMissing(what, where=where, todo=row.todo)
        case Meaning.GONE:
            # An address that names no item can only mean the mailbox itself.
            return MailboxMissing(what, where=where, todo="Check the room's address")
        case Meaning.CURSOR:
            return CursorExpired(what, where=where)
        case Meaning.THROTTLED:
            note = f"{what} {answer.retry_note}".rstrip()
            return Throttled(note, retry_after=_seconds(answer), where=where)
        case Meaning.PASSING | Meaning.DEPENDENCY:
            return Unavailable(what, where=where)
        case Meaning.REDIRECT:
            return ForbiddenLink(
                what, where=where, todo="A proxy or sign-in page answers instead of Graph"
            )
        case _:
            return BadAnswer(what, where=where, todo=row.todo)


def as_outcome(verdict: Verdict) -> Outcome:
    """The refusal as the outcome of one write (``Stale`` without what is there now)."""
    row, answer = verdict.row, verdict.answer
    name = verdict.code or f"status {answer.status}"
    match verdict.meaning:
        case Meaning.STALE | Meaning.GONE:
            return Stale()
        case Meaning.THROTTLED if answer.throttled:
            return Later(_seconds(answer), f"{row.what} ({name})")
        case Meaning.SIGN_IN | Meaning.DENIED | Meaning.MAILBOX | Meaning.FULL:
            # Refused at the door, and an admin can open it: nothing is lost by waiting.
            return Later(_seconds(answer, 300.0), f"{row.what} ({name}). {row.todo}")
        case Meaning.DEPENDENCY:
            return Later(0.0, row.what)
        case Meaning.INPUT | Meaning.ORGANIZER | Meaning.CURSOR | Meaning.DUPLICATE:
            text = f"{row.what}. {row.todo}" if row.todo else row.what
            return Refused(text, code=name)
        case _:
            return InDoubt(f"{row.what} ({name})")


def check(answer: Answer, where: str) -> dict[str, Any]:
    """The body of a good answer; raises what a refusal means."""
    if not answer.ok:
        raise as_error(judge(answer), where)
    if answer.body is None:
        raise BadAnswer("the answer is empty", where=where)
    return answer.body


def _seconds(answer: Answer, unsaid: float = 10.0) -> float:
    return unsaid if answer.retry_after is None else max(answer.retry_after, 0.1)

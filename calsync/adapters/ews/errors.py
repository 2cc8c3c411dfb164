"""Exchange's ResponseCodes by name: one table, code → what it means, and what follows from it.

Meanings are those of the Graph adapter, whose Outlook codes are the same names. A code comes in
a message, in a SOAP fault, or as the inner code of ErrorInternalServerError; matching never goes by
text. Facts: EWS reference, "ResponseCode"; EWS throttling in Exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from calsync.adapters.ews.xml import Message
from calsync.adapters.shared.meaning import Meaning, Row
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
    "Check the scope of the role ApplicationImpersonation, or the rights on this calendar"
    " (docs/how-to/connect-exchange-server.md)"
)

TABLE: tuple[Row, ...] = (
    Row(
        ("ErrorAccessDenied",),
        Meaning.DENIED,
        "the account may not do this in the mailbox",
        _SCOPE,
    ),
    Row(
        ("ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed"),
        Meaning.DENIED,
        "the account may not act for this mailbox",
        _SCOPE,
    ),
    Row(
        ("ErrorAccountDisabled",),
        Meaning.DENIED,
        "the account, or the mailbox it acts for, is disabled",
        "Enable it again in the directory, or unmap the room",
    ),
    Row(
        (
            "ErrorNonExistentMailbox",
            "ErrorInvalidSmtpAddress",
            "ErrorNonPrimarySmtpAddress",
            "ErrorMissingEmailAddress",
        ),
        Meaning.MAILBOX,
        "there is no such mailbox on this server",
        "Check the room's primary address, or unmap the room. If it was moved to the cloud:"
        " calsync rooms move ROOM --to CONNECTION (docs/how-to/move-to-the-cloud.md)",
    ),
    Row(
        ("ErrorFolderNotFound", "ErrorSyncFolderNotFound"),
        Meaning.MAILBOX,
        "the calendar of the mailbox is not there, or not visible to the account",
        _SCOPE,
    ),
    Row(
        ("ErrorItemNotFound",),
        Meaning.GONE,
        "the item is gone, or not visible any more",
    ),
    Row(
        (
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
            "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
        ),
        Meaning.GONE,
        "this date of the series is gone",
    ),
    Row(
        (
            "ErrorIrresolvableConflict",
            "ErrorStaleObject",
            "ErrorChangeKeyRequired",
            "ErrorChangeKeyRequiredForWriteOperations",
            "ErrorInvalidChangeKey",
            "ErrorCalendarMeetingRequestIsOutOfDate",
        ),
        Meaning.STALE,
        "the item changed meanwhile",
    ),
    Row(
        ("ErrorCalendarIsOrganizerForDecline", "ErrorInvalidItemForOperationDeclineItem"),
        Meaning.ORGANIZER,
        "the room is the organizer: there is nobody to decline to",
    ),
    Row(
        (
            "ErrorCalendarIsCancelledForDecline",
            "ErrorCalendarIsCancelledForAccept",
            "ErrorCalendarIsCancelledForRemove",
            "ErrorCalendarIsCancelledForTentative",
        ),
        Meaning.STALE,
        "the meeting was cancelled meanwhile",
    ),
    Row(
        ("ErrorCalendarIsNotOrganizer", "ErrorCalendarIsDelegatedForDecline"),
        Meaning.INPUT,
        "the room's part in this meeting does not allow the act",
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
            "ErrorCalendarInvalidRecurrence",
            "ErrorCalendarInvalidTimeZone",
            "ErrorCalendarInvalidDayForTimeChangePattern",
            "ErrorCalendarInvalidDayForWeeklyRecurrence",
            "ErrorCalendarInvalidPropertyState",
            "ErrorCalendarInvalidPropertyValue",
            "ErrorCalendarInvalidAttributeValue",
            "ErrorCalendarOutOfRange",
            "ErrorTimeZone",
            "ErrorInvalidPropertySet",
            "ErrorInvalidPropertyDelete",
        ),
        Meaning.INPUT,
        "Exchange does not take these values",
    ),
    Row(
        ("ErrorInvalidId", "ErrorInvalidIdMalformed", "ErrorInvalidIdMalformedEwsLegacyIdFormat"),
        Meaning.INPUT,
        "the id has another form than this mailbox uses",
        "Run a full compare of the room: ids are read again",
    ),
    Row(
        (
            "ErrorItemCorrupt",
            "ErrorCorruptData",
            "ErrorItemPropertyRequestFailed",
            "ErrorContentConversionFailed",
        ),
        Meaning.INPUT,
        "Exchange itself cannot read this item",
        "Open it in Outlook and save or delete it there",
    ),
    Row(
        ("ErrorItemSave", "ErrorItemSavePropertyError"),
        Meaning.INPUT,
        "Exchange could not save this item",
    ),
    Row(
        (
            "ErrorSchemaValidation",
            "ErrorInvalidRequest",
            "ErrorInvalidServerVersion",
            "ErrorIncorrectSchemaVersion",
        ),
        Meaning.INPUT,
        "the server does not take this request",
        "Check the version of the server in the settings (server = …); else report this",
    ),
    Row(
        ("ErrorInvalidSyncStateData",),
        Meaning.CURSOR,
        "the resume point is void; the room is read in full again",
    ),
    Row(
        (
            "ErrorServerBusy",
            "ErrorExceededConnectionCount",
            "ErrorTooManyObjectsOpened",
            "ErrorExceededFindCountLimit",
        ),
        Meaning.THROTTLED,
        "Exchange asks to slow down",
    ),
    Row(
        (
            "ErrorTimeoutExpired",
            "ErrorInternalServerTransientError",
            "ErrorInternalServerError",
            "ErrorConnectionFailed",
            "ErrorADUnavailable",
            "ErrorADOperation",
            "ErrorADSessionFilter",
            "ErrorMailboxStoreUnavailable",
            "ErrorMailboxFailover",
            "ErrorNoRespondingCASInDestinationSite",
            "ErrorServiceUnavailable",
            "ErrorInsufficientResources",
            "ErrorNotEnoughMemory",
            "ErrorBatchProcessingStopped",
        ),
        Meaning.PASSING,
        "Exchange is not well just now",
    ),
    Row(
        (
            "ErrorMailboxMoveInProgress",
            "ErrorWrongServerVersion",
            "ErrorWrongServerVersionDelegate",
            "ErrorCrossSiteRequest",
            "ErrorProxyRequestNotAllowed",
            "ErrorMailboxHoldNotFound",
            "ErrorProxiedSubscriptionCallFailure",
        ),
        Meaning.REDIRECT,
        "the mailbox is being moved, or is on another server",
        "If it stays: check endpoint in the settings, and where the mailbox is now",
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
    Row(
        ("ErrorMessageSizeExceeded", "ErrorDataSizeLimitExceeded"),
        Meaning.INPUT,
        "the request or its answer is too large for this server",
    ),
    Row(
        ("ErrorCannotDeleteObject",),
        Meaning.DENIED,
        "the account may not delete items in this calendar",
        _SCOPE,
    ),
)

_BY_CODE = {code: row for row in TABLE for code in row.codes}
_OTHER = Row((), Meaning.INPUT, "Exchange refused the request")
_SIGN_IN = Row(
    (),
    Meaning.SIGN_IN,
    "Exchange refused the sign-in",
    "Check user, password and auth of the connection, and that the account is not locked",
)
_BY_STATUS = {
    401: _SIGN_IN,
    403: Row(
        (),
        Meaning.DENIED,
        "the server does not let the account use EWS",
        "Check Get-CASMailbox … | fl Ews* and the organisation's EwsApplicationAccessPolicy",
    ),
    404: Row(
        (), Meaning.MAILBOX, "there is no EWS at this address", "Check endpoint in the settings"
    ),
    413: Row((), Meaning.INPUT, "the request is too large for this server"),
    429: _BY_CODE["ErrorServerBusy"],
    503: _BY_CODE["ErrorServerBusy"],
}
_MOVED = Row(
    (),
    Meaning.REDIRECT,
    "the answer points elsewhere; it was not followed",
    "Set endpoint to the address that serves EWS itself, and check proxies",
)
_OTHER_5XX = Row((), Meaning.PASSING, "Exchange is not well just now")
#: What the server says of a request as a whole → the status by which callers judge it.
_STATUS = {
    Meaning.THROTTLED: 429,
    Meaning.PASSING: 503,
    Meaning.DENIED: 403,
    Meaning.MAILBOX: 404,
    Meaning.SIGN_IN: 401,
}
#: Seconds to stay away after a code that names no time.
_UNSAID = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A refusal, read. ``code``: its name, or the status. ``seconds``: the back-off it asks for."""

    row: Row
    code: str
    seconds: float | None = None

    @property
    def meaning(self) -> Meaning:
        return self.row.meaning

    @property
    def what(self) -> str:
        return f"{self.row.what} ({self.code})"

    @property
    def status(self) -> int:
        """A status that says the same."""
        return _STATUS.get(self.meaning, 400)


_NO_NAME = re.compile(r"[^A-Za-z0-9_.\- ]")


def judge(message: Message) -> Verdict:
    """Read a message that is not good. The inner code of a wrapped error counts first."""
    inner = message.values.get("InnerErrorResponseCode", "")
    name = inner if inner in _BY_CODE else message.code
    # Stored and printed with what it meant: nothing but a name passes.
    shown = _NO_NAME.sub("?", name[:80]) or "no code"
    return Verdict(row=_BY_CODE.get(name, _OTHER), code=shown, seconds=_back_off(message))


def judge_status(status: int, seconds: float | None = None) -> Verdict:
    """Read an HTTP status that came without an answer of Exchange."""
    if 300 <= status < 400:
        row = _MOVED
    else:
        row = _BY_STATUS.get(status) or (_OTHER_5XX if status >= 500 else _OTHER)
    return Verdict(row=row, code=f"status {status}", seconds=seconds)


def _back_off(message: Message) -> float | None:
    """BackOffMilliseconds of ErrorServerBusy, in seconds; at most an hour."""
    text = message.values.get("BackOffMilliseconds", "")
    if text.isascii() and text.isdigit() and len(text) < 12:
        return min(int(text) / 1000.0, 3600.0)
    return None


def as_error(verdict: Verdict, where: str) -> SideError:
    """The refusal as an error of the whole call."""
    what, todo = verdict.what, verdict.row.todo
    match verdict.meaning:
        case Meaning.SIGN_IN:
            return NotSignedIn(what, where=where, todo=todo)
        case Meaning.DENIED:
            return AccessDenied(what, where=where, todo=todo)
        case Meaning.MAILBOX:
            return MailboxMissing(what, where=where, todo=todo)
        case Meaning.GONE:
            # A request that names no item can only mean the calendar itself: a right that was
            # taken away shows as ErrorItemNotFound, too.
            return AccessDenied(what, where=where, todo=_SCOPE)
        case Meaning.CURSOR:
            return CursorExpired(what, where=where)
        case Meaning.THROTTLED:
            return Throttled(what, retry_after=wait_of(verdict), where=where)
        case Meaning.PASSING | Meaning.DEPENDENCY:
            return Unavailable(what, where=where)
        case Meaning.REDIRECT if verdict.code.startswith("status"):
            return ForbiddenLink(what, where=where, todo=todo)
        case Meaning.REDIRECT:
            return Unavailable(what, where=where, todo=todo)
        case _:
            return BadAnswer(what, where=where, todo=todo)


def as_outcome(verdict: Verdict) -> Outcome:
    """The refusal as the outcome of one write.

    EWS has no key that makes a repeated write harmless, and an answer that asks to slow down may
    follow an execution: after all but plain refusals the item is looked up first (InDoubt).
    """
    row = verdict.row
    match verdict.meaning:
        case Meaning.STALE | Meaning.GONE:
            return Stale()
        case Meaning.SIGN_IN | Meaning.DENIED | Meaning.MAILBOX | Meaning.FULL:
            # Refused at the door, and an admin can open it: nothing is lost by waiting.
            return Later(300.0, f"{verdict.what}. {row.todo}")
        case Meaning.INPUT | Meaning.ORGANIZER | Meaning.CURSOR | Meaning.DUPLICATE:
            text = f"{row.what}. {row.todo}" if row.todo else row.what
            return Refused(text, code=verdict.code)
        case _:
            return InDoubt(verdict.what)


def wait_of(verdict: Verdict) -> float:
    """Seconds until it makes sense to come back."""
    return _UNSAID if verdict.seconds is None else max(verdict.seconds, 0.01)

"""Every row of the error table, through the transport: status and body → error and outcome."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
import responses
from graph_fakes import NOW, StillClock, Tokens, refusal

from calsync import errors
from calsync.adapters.graph.clouds import GLOBAL
from calsync.adapters.graph.errors import TABLE, as_error, as_outcome, check, judge
from calsync.adapters.graph.transport import Transport
from calsync.adapters.shared.retry_after import CAP_S, retry_after
from calsync.adapters.wrap import Answer, Call
from calsync.model import InDoubt, Later, Refused, Stale

URL = "https://graph.microsoft.com/v1.0/users/room@example.com/events"
CALL = Call(method="GET", target="/users/room@example.com/events", operation="test")


@pytest.fixture
def transport():
    made = Transport(cloud=GLOBAL, tenant_id="tenant-a", tokens=Tokens(), clock=StillClock())
    yield made
    made.close()


ROWS = [
    (403, "ErrorAccessDenied", errors.AccessDenied, Later),
    (403, "Authorization_RequestDenied", errors.AccessDenied, Later),
    (404, "MailboxNotEnabledForRESTAPI", errors.MailboxMissing, Later),
    (400, "extensionError", errors.MailboxMissing, Later),
    (404, "ErrorItemNotFound", errors.MailboxMissing, Stale),
    (400, "ErrorInvalidIdMalformed", errors.BadAnswer, Refused),
    (409, "ErrorIrresolvableConflict", errors.BadAnswer, Stale),
    (412, "ErrorIrresolvableConflict", errors.BadAnswer, Stale),
    (409, "ErrorDuplicateTransactionId", errors.BadAnswer, Refused),
    (400, "ErrorOccurrenceCrossingBoundary", errors.BadAnswer, Refused),
    (400, "ErrorOccurrenceTimeSpanTooBig", errors.BadAnswer, Refused),
    (400, "ErrorRecurrenceHasNoOccurrence", errors.BadAnswer, Refused),
    (400, "ErrorRecurrenceEndDateTooBig", errors.BadAnswer, Refused),
    (400, "ErrorCalendarEndDateIsEarlierThanStartDate", errors.BadAnswer, Refused),
    (400, "ErrorCalendarDurationIsTooLong", errors.BadAnswer, Refused),
    (400, "ErrorCalendarIsNotOrganizer", errors.BadAnswer, Refused),
    (400, "ErrorCalendarIsOrganizerForDecline", errors.BadAnswer, Refused),
    (400, "ErrorInvalidUrlQuery", errors.BadAnswer, Refused),
    (410, "SyncStateNotFound", errors.CursorExpired, Refused),
    (400, "SyncStateInvalid", errors.CursorExpired, Refused),
    (429, "ApplicationThrottled", errors.Throttled, Later),
    (429, "", errors.Throttled, Later),
    (503, "ErrorServerBusy", errors.Throttled, InDoubt),
    (503, "ErrorMailboxMoveInProgress", errors.Unavailable, InDoubt),
    (500, "ErrorInternalServerTransientError", errors.Unavailable, InDoubt),
    (507, "ErrorQuotaExceeded", errors.BadAnswer, Later),
    (403, "ErrorMessageSubmissionBlocked", errors.BadAnswer, Refused),
    (424, "", errors.Unavailable, Later),
    (400, "SomethingNew", errors.BadAnswer, Refused),
    (502, "", errors.Unavailable, InDoubt),
    (302, "", errors.ForbiddenLink, InDoubt),
    # A failing server may add any code; it is never a fact about the item.
    (503, "ErrorItemNotFound", errors.Unavailable, InDoubt),
]


@responses.activate
@pytest.mark.parametrize(("status", "code", "error", "outcome"), ROWS)
def test_row(transport, status, code, error, outcome):
    responses.get(URL, status=status, json=refusal(status, code))
    verdict = judge(transport.call(CALL))
    raised = as_error(verdict, "room@example.com")
    assert type(raised) is error
    assert str(raised).startswith("room@example.com: ")
    assert code in str(raised)
    assert "nobody may match" not in str(raised)
    assert isinstance(as_outcome(verdict), outcome)


def test_every_row_says_what_it_means_and_no_code_has_two_meanings():
    codes = [code.lower() for row in TABLE for code in row.codes]
    assert len(codes) == len(set(codes))
    assert all(row.what for row in TABLE)


@responses.activate
def test_nested_codes_count_when_the_outer_one_is_unknown(transport):
    inner = {"innerError": {"code": "Wrapper", "innerError": {"code": "resyncRequired"}}}
    responses.get(URL, status=400, json=refusal(400, "BadRequest", **inner))
    with pytest.raises(errors.CursorExpired):
        check(transport.call(CALL), "room")


@pytest.mark.parametrize(
    "body",
    ['{"error": "text"}', '{"error": {"code": 7}}', '{"error": {"innerError": [1]}}', "[1]", "<p>"],
)
@responses.activate
def test_error_bodies_of_any_shape_are_survived(transport, body):
    """O365's own reading of an error body raises AttributeError on most of these."""
    responses.get(URL, status=404, body=body, content_type="application/json")
    assert judge(transport.call(CALL)).row.meaning.name == "GONE"


FORMS = [
    ("7", 7.0, ""),
    ("2.128", 2.128, ""),
    (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0, ""),
    (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0, ""),
    ("Fri, 20 Nov 2026 12:00:30 -0000", 30.0, ""),
    (None, None, ""),
    ("86400", CAP_S, "cut to 3600"),
    ("Fri, 20 Nov 2099 12:00:30 GMT", CAP_S, "cut to 3600"),
    ("soon", None, "unreadable"),
    ("-5", None, "unreadable"),
    ("nan", None, "unreadable"),
    ("1e9", None, "unreadable"),
    ("9" * 40, None, "unreadable"),
]


@pytest.mark.parametrize(("header", "seconds", "note"), FORMS)
def test_retry_after(header, seconds, note):
    found, said = retry_after(header, NOW)
    assert found == seconds
    assert note in said
    assert bool(note) == bool(said)


@responses.activate
@pytest.mark.parametrize(
    ("status", "code", "header", "sure"),
    [
        (429, "", None, True),
        (429, "TooManyRequests", "3", True),
        (503, "ErrorServerBusy", "3", True),
        (503, "ErrorServerBusy", None, False),
        (503, "", "3", False),
        (500, "ErrorServerBusy", "3", False),
    ],
)
def test_throttled_means_not_executed_for_sure(transport, status, code, header, sure):
    headers = {"Retry-After": header} if header else {}
    responses.get(URL, status=status, json=refusal(status, code), headers=headers)
    answer = transport.call(CALL)
    assert answer.throttled is sure
    assert answer.retry_after == (3.0 if header else None)
    outcome = as_outcome(judge(answer))
    assert isinstance(outcome, Later if sure else InDoubt)
    if sure and header:
        assert outcome.seconds == 3.0


def test_a_huge_wait_is_said():
    answer = Answer(status=429, retry_after=3600.0, retry_note="(Retry-After of 86400 s cut)")
    error = as_error(judge(answer), "room")
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 3600.0
    assert "86400 s cut" in error.what

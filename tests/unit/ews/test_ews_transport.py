"""The EWS transport and its answers: what leaves, where to, and what counts as an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses import matchers

from calsync import __version__
from calsync.adapters.ews import requests as asked
from calsync.adapters.ews.errors import TABLE, as_error, as_outcome, judge, judge_status
from calsync.adapters.ews.signin import Kerberos, Password, Token, auth_of
from calsync.adapters.ews.transport import Server, Transport, messages_of, refusal_of
from calsync.adapters.ews.xml import Message, Unreadable, parse, read_envelope, safe
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap import Call, NotSent
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    ForbiddenLink,
    NotSignedIn,
    Unavailable,
    UsageError,
)
from calsync.model import InDoubt, Later, Refused, Stale

URL = "https://mail.example.com/EWS/Exchange.asmx"
ROOM = "atlas@example.com"
HEAD = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
    ' xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors"><s:Header>'
    '<t:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="2562"'
    ' MinorBuildNumber="17"/></s:Header><s:Body>'
)
TAIL = "</s:Body></s:Envelope>"
GOOD = (
    f"{HEAD}<m:GetFolderResponse><m:ResponseMessages><m:GetFolderResponseMessage"
    ' ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
    f"</m:GetFolderResponseMessage></m:ResponseMessages></m:GetFolderResponse>{TAIL}"
)


class StillClock:
    at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at


class Tokens:
    tenant_id = "t"

    def __init__(self) -> None:
        self.count = 1

    def token(self) -> str:
        return f"token-{self.count}"

    def renew(self, refused: str) -> str:
        self.count += 1
        return self.token()


def transport(how: Any = None, **more: Any) -> Transport:
    server = Server(endpoint=URL, version="se", impersonate=more.pop("impersonate", True))
    how = how or Password(kind="basic", user="svc", password="hush")
    return Transport(server=server, how=how, clock=more.pop("clock", StillClock()), **more)


def call(*, repeatable: bool = True) -> Call:
    soap = asked.get_folder(asked.folder(ROOM, impersonated=True))
    return Call(
        method="GET", target="GetFolder", operation="probe", mailbox=ROOM,
        body={"soap": soap}, repeatable=repeatable,
    )  # fmt: skip


def answers(text: str, status: int = 200, **headers: str) -> None:
    kind = headers.pop("kind", "text/xml; charset=utf-8")
    responses.post(URL, body=text, status=status, content_type=kind, headers=headers)


def fault(code: str, wait: str = "") -> str:
    values = f'<t:MessageXml><t:Value Name="BackOffMilliseconds">{wait}</t:Value></t:MessageXml>'
    return (
        f"{HEAD}<s:Fault><faultcode>x</faultcode><faultstring>no</faultstring><detail>"
        f"<e:ResponseCode>{code}</e:ResponseCode>{values if wait else ''}</detail></s:Fault>{TAIL}"
    )


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    for name in ("exchangelib", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)


# --- what leaves -----------------------------------------------------------------------------


@responses.activate
def test_what_every_request_carries() -> None:
    answers(GOOD)
    made = transport()
    assert made.call(call()).ok
    (sent,) = (one.request for one in responses.calls)
    assert sent.headers["X-AnchorMailbox"] == ROOM
    assert sent.headers["Authorization"].startswith("Basic ")
    assert sent.headers["User-Agent"] == f"calsync/{__version__}"
    assert sent.headers["client-request-id"]
    text = sent.body.decode()
    assert f"<t:PrimarySmtpAddress>{ROOM}</t:PrimarySmtpAddress>" in text
    assert 'RequestServerVersion Version="Exchange2016"' in text
    assert "Milliseconds" in text
    assert made.version == "15.2.2562.17"
    assert "hush" not in repr(made)


@responses.activate
def test_without_impersonation_nobody_is_acted_for() -> None:
    answers(GOOD)
    transport(impersonate=False).call(call())
    assert b"ExchangeImpersonation" not in responses.calls[0].request.body
    assert responses.calls[0].request.headers["X-AnchorMailbox"] == ROOM


def test_nothing_turns_the_verification_off() -> None:
    with pytest.raises(ValueError, match="always verified"):
        transport(verify=False)


@responses.activate
def test_the_environment_overrides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://evil.example:1")
    verify = matchers.request_kwargs_matcher(
        {"verify": "/own.pem", "proxies": {}, "stream": True, "cert": None, "timeout": (5.0, 70.0)}
    )
    responses.post(URL, body=GOOD, content_type="text/xml", match=[verify])
    assert transport(verify="/own.pem").call(call()).ok


@responses.activate
def test_a_redirect_is_not_followed_and_the_password_stays() -> None:
    answers("", 302, Location="https://evil.example/EWS/Exchange.asmx", kind="text/html")
    verdict = refusal_of(transport().call(call()))
    assert verdict is not None
    assert isinstance(as_error(verdict, ""), ForbiddenLink)
    assert len(responses.calls) == 1


@responses.activate
def test_a_token_that_is_refused_is_renewed_once() -> None:
    answers("", 401, kind="text/html")
    answers(GOOD)
    assert transport(Token(Tokens())).call(call()).ok
    sent = [one.request.headers["Authorization"] for one in responses.calls]
    assert sent == ["Bearer token-1", "Bearer token-2"]


@responses.activate
def test_a_refused_password_is_tried_again_only_after_a_while() -> None:
    answers("", 401, kind="text/html")
    clock = StillClock()
    made = transport(clock=clock)
    for at in (0.0, 1.0, 299.0):
        clock.at = at
        with pytest.raises(NotSignedIn):
            made.call(call())
    assert len(responses.calls) == 1
    clock.at = 301.0
    with pytest.raises(NotSignedIn):
        made.call(call())
    assert len(responses.calls) == 2


def test_kerberos_says_what_it_lacks() -> None:
    try:
        import requests_gssapi  # noqa: F401  # optional: only whether it is there
    except ImportError:
        with pytest.raises(UsageError, match="requests-gssapi") as lacking:
            auth_of(Kerberos())
        assert "pip install" in lacking.value.todo


def test_no_secret_shows() -> None:
    assert "hush" not in repr(Password(kind="ntlm", user="u", password="hush"))


# --- answers ---------------------------------------------------------------------------------


@responses.activate
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_busy_server_says_how_long(repeatable: bool) -> None:
    answers(fault("ErrorServerBusy", "7000"), 500)
    answer = transport().call(call(repeatable=repeatable))
    assert (answer.status, answer.retry_after) == (429, 7.0)
    assert answer.throttled is repeatable, "a write may have been executed all the same"


@responses.activate
def test_iis_says_how_long() -> None:
    answers("<html/>", 503, kind="text/html", **{"Retry-After": "9"})
    answer = transport().call(call())
    assert (answer.status, answer.retry_after) == (429, 9.0)


@responses.activate
@pytest.mark.parametrize(
    ("text", "kind", "error"),
    [
        ("<html>Sign in</html>", "text/html", BadAnswer),
        (GOOD[: len(GOOD) // 2], "text/xml", Unreadable),
        ("<a/>", "text/xml", BadAnswer),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", BadAnswer),
    ],
)
def test_what_is_no_answer(text: str, kind: str, error: type) -> None:
    answers(text, kind=kind)
    with pytest.raises(error) as bad:
        transport().call(call())
    assert bad.value.where == "mail.example.com"


@responses.activate
def test_an_answer_has_a_longest_length() -> None:
    answers(GOOD + " " * 100_000)
    with pytest.raises(BadAnswer, match="longer than"):
        transport(max_bytes=50_000).call(call())


@responses.activate
@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (ConnectionError("reset"), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
def test_a_lost_answer_may_have_been_executed(broken: Exception, error: type) -> None:
    import requests

    responses.post(URL, body=requests.ConnectionError(broken))
    with pytest.raises(error) as lost:
        transport().call(call())
    assert not isinstance(lost.value, NotSent)


def test_nobody_listens() -> None:
    server = Server(endpoint="http://127.0.0.1:9/EWS/Exchange.asmx", version="se", impersonate=True)
    made = Transport(
        server=server, how=Password(kind="basic", user="u", password="p"), clock=StillClock()
    )
    with pytest.raises(NotSent, match="no connection") as nobody:
        made.call(call())
    assert "ca_bundle" in nobody.value.todo


@responses.activate
def test_messages_speak_for_themselves() -> None:
    mixed = GOOD.replace(
        "</m:ResponseMessages>",
        '<m:GetFolderResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorItemNotFound'
        "</m:ResponseCode></m:GetFolderResponseMessage></m:ResponseMessages>",
    )
    answers(mixed)
    answer = transport().call(call())
    assert refusal_of(answer) is None
    assert [one.code for one in messages_of(answer)] == ["NoError", "ErrorItemNotFound"]


# --- XML that attacks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        '<!DOCTYPE x SYSTEM "http://evil.example/x.dtd"><x/>',
        "<x>" * 5000,
        "",
    ],
)
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse(text.encode())


def test_forbidden_characters_are_replaced() -> None:
    assert parse(b"<x>a&#x1;b&#2;c&#65;</x>").text == "a\ufffdb\ufffdcA"
    assert safe("a\x00b\ud800") == "a\ufffdb\ufffd"
    with pytest.raises(BadAnswer):
        read_envelope(b"<x/>")


# --- codes -----------------------------------------------------------------------------------


def message(code: str, **values: str) -> Message:
    return Message(code=code, good=False, values=values)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ErrorServerBusy", InDoubt),
        ("ErrorTimeoutExpired", InDoubt),
        ("ErrorInternalServerError", InDoubt),
        ("ErrorMailboxMoveInProgress", InDoubt),
        ("ErrorIrresolvableConflict", Stale),
        ("ErrorStaleObject", Stale),
        ("ErrorItemNotFound", Stale),
        ("ErrorCalendarOccurrenceIsDeletedFromRecurrence", Stale),
        ("ErrorCalendarIsCancelledForDecline", Stale),
        ("ErrorAccessDenied", Later),
        ("ErrorQuotaExceeded", Later),
        ("ErrorNonExistentMailbox", Later),
        ("ErrorCalendarDurationIsTooLong", Refused),
        ("ErrorOccurrenceCrossingBoundary", Refused),
        ("ErrorSchemaValidation", Refused),
        ("ErrorOfTomorrow", Refused),
    ],
)
def test_what_a_code_does_to_a_write(code: str, outcome: type) -> None:
    assert isinstance(as_outcome(judge(message(code))), outcome)


def test_an_inner_code_counts_first() -> None:
    wrapped = message("ErrorInternalServerError", InnerErrorResponseCode="ErrorServerBusy")
    assert judge(wrapped).meaning is Meaning.THROTTLED
    strange = judge(message("Error\x1b[31m<b>"))
    assert strange.code == "Error??31m?b?"


def test_every_code_is_one_of_exchange() -> None:
    from tests.fidelity.ews import codes, schema_file

    if schema_file() is None:
        pytest.skip("Microsoft's EWS schema is not here")
    every = [code for row in TABLE for code in row.codes]
    assert len(every) == len(set(every))
    assert set(every) - codes() == set()


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 999])
def test_every_status_is_judged(status: int) -> None:
    verdict = judge_status(status)
    assert str(as_error(verdict, "x"))
    assert as_outcome(verdict) is not None


def test_a_disabled_account_is_a_closed_door_and_nothing_is_lost() -> None:
    verdict = judge(Message(code="ErrorAccountDisabled", good=False))
    assert verdict.status == 403
    error = as_error(verdict, "Atlas")
    assert isinstance(error, AccessDenied)
    assert "disabled (ErrorAccountDisabled)" in str(error)
    assert isinstance(as_outcome(verdict), Later)

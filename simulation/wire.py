"""The network of a history: requests go to the sandbox inline, and meet the faults of the wire."""

from __future__ import annotations

import http.client
import io
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from calsync.sandbox import Response
from calsync.sandbox.faults import Fault as Armed
from simulation.claim import demand
from simulation.clock import VirtualClock
from simulation.faults import Tally, Weather
from simulation.overwritten import Overwritten
from simulation.story import Story

if TYPE_CHECKING:
    from calsync.sandbox import Control

_MAILBOX = re.compile(r"/users/([^/?]+)")
_EVENT = re.compile(r"/events/[^/?]+$")
_ANSWERS = ("/decline", "/cancel", "/accept", "/tentativelyAccept")
#: Seconds that our side waits for an answer.
TIMEOUT_S = 30.0


def operation_of(method: str, target: str) -> str:
    """What a request is about, in few words."""
    path, _, query = target.partition("?")
    if "/oauth2/" in path or ".well-known" in path:
        return "sign in"
    if path.endswith("/$batch"):
        return "batch"
    if "/calendarView/delta" in path:
        return "delta"
    if path.endswith("/sendMail"):
        return "mail"
    if path.endswith(_ANSWERS):
        return "answer"
    if method == "POST":
        return "create"
    if method == "PATCH":
        return "change"
    if method == "DELETE":
        return "delete"
    if _EVENT.search(path):
        return "read"
    return "find" if "filter=" in query or "%24filter" in query else "list"


_EWS = "/EWS/"
_ASKED = re.compile(rb"<s:Body><m:(\w+)")
#: What a busy server asks for, in whichever form it says so.
_BACK_OFF = re.compile(rb'Name="BackOffMilliseconds">(\d{1,12})<')
_OPERATIONS = {
    "SyncFolderItems": "delta",
    "GetItem": "read",
    "FindItem": "find",
    "GetFolder": "list",
    "CreateItem": "create",
    "UpdateItem": "change",
    "DeleteItem": "delete",
}


def ews_operation(body: bytes) -> str:
    """What a request of EWS is about, in the same words."""
    found = _ASKED.search(body)
    name = found[1].decode() if found else ""
    if name == "CreateItem" and b"DeclineItem" in body:
        return "answer"
    return _OPERATIONS.get(name, "list")


def _mailbox(target: str, body: bytes) -> str:
    """Whose it is; of a batch, whose its parts are."""
    found = _MAILBOX.search(target) or _MAILBOX.search(body.decode("utf-8", "replace"))
    return found[1].casefold() if found else ""


class Wire(BaseAdapter):
    """Carries the requests of one process. ``seen`` is told of every write that reached the
    tenant; ``midway`` lets people act just before a request is handled; ``watch`` looks on as one
    is handled; ``point`` is where the process may die."""

    def __init__(
        self,
        control: Control,
        clock: VirtualClock,
        weather: Weather,
        tally: Tally,
        story: Story,
        *,
        rng: Callable[[], Random],
        midway: Callable[[str, str], bool],
        watch: Callable[[], Overwritten],
        point: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._watch = watch
        self._late_s = 0.0
        self._control, self._clock = control, clock
        self._weather, self._tally, self._story = weather, tally, story
        self._rng, self._midway, self._point = rng, midway, point
        self._until: dict[str, float] = {}

    def close(self) -> None:
        pass

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        method, url = request.method or "GET", request.url or ""
        target = url[url.index("/", 8) :]
        raw = request.body or b""
        body = raw.encode() if isinstance(raw, str) else bytes(raw)
        ews = target.startswith(_EWS)
        operation = ews_operation(body) if ews else operation_of(method, target)
        self._tally.calls[operation] += 1
        sent = _Sent(request, method, target, operation, dict(request.headers), body)
        if ews:
            sent.place = f"/users/{request.headers.get('X-AnchorMailbox', '')}"
        self._patient(sent)
        self._point(f"before {operation}")
        self._clock.forward(0.05)
        fault = self._weather.strikes(operation, self._rng())
        if fault is None:
            answer = self._answer(sent, self._handle(sent))
        else:
            answer = self._strike(fault.number, sent)
        self._story.note(operation if ews else method, sent.place, answer.status_code)
        self._heed(sent, answer)
        self._point(f"after {operation}")
        return answer

    # -- patience -----------------------------------------------------------------------------

    def _heed(self, sent: _Sent, answer: requests.Response) -> None:
        """What the tenant asked for; an hour at most, as calsync promises."""
        asked = answer.headers.get("Retry-After", "")
        if answer.status_code == 429 and asked.isdigit():
            until = self._clock.elapsed + min(float(asked), 3600.0)
            self._until[_mailbox(sent.place, sent.body)] = until

    def _patient(self, sent: _Sent) -> None:
        """7: nobody asks a mailbox again before the time that it named."""
        until = self._until.get(_mailbox(sent.place, sent.body), 0.0)
        demand(
            self._clock.elapsed >= until - 0.5,
            "7 bounded calls",
            f"a call {until - self._clock.elapsed:.0f} s before the time that Exchange named",
        )

    # -- plain ------------------------------------------------------------------------------

    def _handle(self, sent: _Sent) -> Response:
        front = self._control.ews if sent.ews else self._control.front
        return self._watch().handled(
            sent.operation,
            _mailbox(sent.place, sent.body),
            self._late_s,
            lambda: front.handle(sent.method, sent.target, sent.headers, sent.body),
        )

    def _answer(self, sent: _Sent, got: Response) -> requests.Response:
        if got.fate == "drop":
            raise _cut()
        raw: io.BytesIO = _Whole(got.body)
        if got.fate == "reset":
            raw = _Breaks(got.body)
        elif sent.ews and (asked := _BACK_OFF.search(got.body)) is not None:
            seconds = min(int(asked[1]) / 1000, 3600.0)
            self._until[_mailbox(sent.place, sent.body)] = self._clock.elapsed + seconds
        self._clock.forward(got.delay_s)
        return _response(sent, got.status, got.headers, raw)

    # -- faults -----------------------------------------------------------------------------

    def _strike(self, number: int, sent: _Sent) -> requests.Response:
        """Carry the request out under fault ``number``. Counts it once it really struck."""
        strike = (_EWS_STRIKES if sent.ews else _STRIKES).get(number, Wire._missed)
        before = self._tally.fired[number, sent.operation]
        self._tally.struck(number, sent.operation)
        try:
            answer = strike(self, sent)
        except _Missed:
            self._tally.fired[number, sent.operation] = before
            return self._answer(sent, self._handle(sent))
        except requests.RequestException as error:
            self._story.tell("wire", f"fault {number} at {sent.operation}: {type(error).__name__}")
            raise
        self._story.tell("wire", f"fault {number} at {sent.operation}: {answer.status_code}")
        return answer

    def _under(self, sent: _Sent, kind: str, **params: Any) -> requests.Response:
        """The request with one fault of the sandbox armed for it alone."""
        faults = self._control.front.faults
        armed = faults.arm(Armed(kind=kind, count=1, params=params))
        try:
            got = self._handle(sent)
        finally:
            faults.clear(armed.number)
        if not armed.fired:
            raise _Missed
        return self._answer(sent, got)

    def _lost(self, _: _Sent) -> requests.Response:
        raise _cut()

    def _reply_lost(self, sent: _Sent) -> requests.Response:
        self._handle(sent)
        self._clock.forward(TIMEOUT_S)
        raise requests.ReadTimeout("no answer")

    def _late(self, sent: _Sent) -> requests.Response:
        """The server goes on with it after we gave up."""
        seconds = TIMEOUT_S + self._rng().choice((1.0, 5.0, 30.0, 90.0))
        carry_out = self._watch().under_way(sent.operation)
        self._control.world.later(seconds, lambda: carry_out(lambda: self._handle(sent)))
        self._clock.forward(TIMEOUT_S)
        raise requests.ReadTimeout("no answer yet")

    def _doubled(self, sent: _Sent) -> requests.Response:
        first, second = self._handle(sent), self._handle(sent)
        return self._answer(sent, self._rng().choice((first, second)))

    def _reset(self, sent: _Sent) -> requests.Response:
        got = self._handle(sent)
        return _response(sent, got.status, got.headers, _Breaks(got.body))

    def _garbled(self, sent: _Sent) -> requests.Response:
        return self._under(sent, self._rng().choice(("truncated_json", "garbage_json")))

    def _error_after(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "error_after", status=self._rng().choice((502, 503, 504)))

    def _error_before(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "error_before", status=503)

    def _no_name(self, sent: _Sent) -> requests.Response:
        if self._rng().random() < 0.5:
            raise requests.exceptions.SSLError("certificate verify failed")
        why = NewConnectionError(None, "Name or service not known")  # type: ignore[arg-type]  # the pool is not looked at
        raise requests.ConnectionError(MaxRetryError(None, sent.target, why))  # type: ignore[arg-type]  # as above

    def _drip(self, sent: _Sent) -> requests.Response:
        got = self._handle(sent)
        drip = _Drips(got.body, lambda: self._clock.forward(130.0))
        return _response(sent, got.status, got.headers, drip)

    def _login_page(self, sent: _Sent) -> requests.Response:
        return self._under(sent, self._rng().choice(("html_login", "html_after")))

    def _redirect(self, sent: _Sent) -> requests.Response:
        where = self._rng().choice(("https://evil.example/", "https://graph.sandbox/v1.0/me"))
        return self._under(
            sent, "redirect", status=self._rng().choice((301, 302, 307, 308)), location=where
        )

    def _missed(self, _: _Sent) -> requests.Response:
        raise _Missed

    def _asked_to_wait(self, sent: _Sent) -> requests.Response:
        """In the forms of EWS: a fault, a message under 200, wrapped, by IIS, without a time."""
        form = self._rng().choice(("soap", "message", "wrapped", "http", "absent", "huge"))
        return self._under(sent, "throttled", form=form, seconds=self._rng().choice((1, 7, 60)))

    def _gone_busy(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "throttled", form="soap", seconds=15)

    def _throttled(self, sent: _Sent) -> requests.Response:
        form = self._rng().choice(("seconds", "fractional", "date", "absent", "huge"))
        return self._under(sent, "throttled", form=form, seconds=self._rng().choice((1, 7, 60)))

    def _busy(self, sent: _Sent) -> requests.Response:
        code = self._rng().choice(("ErrorServerBusy", "MailboxServerTooBusy"))
        return self._under(sent, "error_before", status=503, code=code, retry_after=15)

    def _concurrency(self, sent: _Sent) -> requests.Response:
        return self._answer(sent, self._control.front.too_many_at_once("0"))

    def _slow(self, sent: _Sent) -> requests.Response:
        self._clock.forward(self._rng().uniform(5.0, 25.0))
        return self._answer(sent, self._handle(sent))

    def _batch_throttled(self, sent: _Sent) -> requests.Response:
        faults = self._control.front.faults
        armed = faults.arm(Armed(kind="batch_part_throttled", rate=0.5, params={"seconds": 3}))
        try:
            got = self._handle(sent)
        finally:
            faults.clear(armed.number)
        if not armed.fired:
            raise _Missed
        return self._answer(sent, got)

    def _batch_stopped(self, sent: _Sent) -> requests.Response:
        """The first parts are carried out, the others are not."""
        parts = json.loads(sent.body)["requests"]
        if len(parts) < 2:
            raise _Missed
        done = self._rng().randrange(1, len(parts))
        body = json.dumps({"requests": parts[:done]}).encode()
        got = self._control.front.handle(sent.method, sent.target, sent.headers, body)
        answers = json.loads(got.body)
        error = {"error": {"code": "ErrorBatchProcessingStopped", "message": "Stopped."}}
        answers["responses"] += [
            {"id": part["id"], "status": 503, "headers": {}, "body": error} for part in parts[done:]
        ]
        got.body = json.dumps(answers).encode()
        return self._answer(sent, got)

    def _token_expires(self, sent: _Sent) -> requests.Response:
        if "skiptoken" not in sent.target:
            # The next page will need a token that is void by then.
            answer = self._under(sent, "short_page")
            self._control.world.tokens.clear()
            return answer
        self._control.world.tokens.clear()
        return self._answer(sent, self._handle(sent))

    def _replay(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "delta_replay")

    def _out_of_order(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "out_of_order")

    def _void(self, sent: _Sent) -> requests.Response:
        return self._under(sent, self._rng().choice(("gone", "sync_state_invalid")))

    def _same_cursor(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "same_cursor")

    def _short_page(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "short_page")

    def _stale(self, sent: _Sent) -> requests.Response:
        self._late_s = self._rng().choice((2, 20, 110))
        try:
            return self._under(sent, "stale_read", seconds=self._late_s)
        finally:
            self._late_s = 0.0

    def _act_before(self, sent: _Sent) -> requests.Response:
        if not self._midway(sent.operation, sent.place):
            raise _Missed
        return self._answer(sent, self._handle(sent))

    def _empty_list(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "empty_list")

    def _half_open(self, sent: _Sent) -> requests.Response:
        """A kept connection that the other end closed: the request may have got through."""
        if self._rng().random() < 0.5:
            self._handle(sent)
        self._clock.forward(TIMEOUT_S)
        raise _cut()

    def _without_tag(self, sent: _Sent) -> requests.Response:
        return self._under(sent, "without_tag")


_STRIKES: dict[int, Callable[[Wire, _Sent], requests.Response]] = {
    1: Wire._lost,
    2: Wire._reply_lost,
    3: Wire._late,
    4: Wire._doubled,
    5: Wire._reset,
    6: Wire._garbled,
    7: Wire._error_after,
    8: Wire._error_before,
    9: Wire._no_name,
    10: Wire._drip,
    11: Wire._login_page,
    12: Wire._redirect,
    13: Wire._throttled,
    14: Wire._busy,
    15: Wire._concurrency,
    16: Wire._slow,
    17: Wire._batch_throttled,
    18: Wire._batch_stopped,
    19: Wire._token_expires,
    23: Wire._replay,
    24: Wire._out_of_order,
    25: Wire._void,
    26: Wire._same_cursor,
    27: Wire._short_page,
    28: Wire._stale,
    29: Wire._act_before,
    30: Wire._empty_list,
    40: Wire._half_open,
    45: Wire._act_before,
    47: Wire._without_tag,
}


#: The same, for requests of EWS. What is not here has nothing to spoil there: no pages that a token
#: could end between.
_EWS_STRIKES = _STRIKES | {
    13: Wire._asked_to_wait,
    14: Wire._gone_busy,
    15: Wire._gone_busy,
    17: Wire._missed,
    18: Wire._missed,
    19: Wire._missed,
}


class _Missed(Exception):
    """There was nothing for the fault to spoil."""


class _Sent:
    """A request, taken apart. ``place``: whose mailbox it is about, as a path."""

    __slots__ = ("body", "ews", "headers", "method", "operation", "place", "request", "target")

    def __init__(
        self,
        request: requests.PreparedRequest,
        method: str,
        target: str,
        operation: str,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        self.request, self.method, self.target = request, method, target
        self.operation, self.headers, self.body = operation, headers, body
        self.place = target
        self.ews = target.startswith(_EWS)


class _Whole(io.BytesIO):
    """A body that came to its end and is not compressed, as urllib3 shows one: of urllib3's own
    response each of some 150 of a history would cost more than what it answers."""

    def read(self, size: int | None = -1, /, **_: object) -> bytes:
        return super().read(size)

    def read1(self, size: int | None = -1, /, **_: object) -> bytes:
        return super().read1(-1 if size is None else size)

    def stream(self, size: int, **_: object) -> Iterator[bytes]:
        while piece := self.read(size):
            yield piece

    def release_conn(self) -> None:
        pass


class _Breaks(io.BytesIO):
    """A body whose connection is reset after the first half."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body[: len(body) // 2])

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise http.client.IncompleteRead(b"")
        return piece

    read1 = read


class _Drips(io.BytesIO):
    """A body that does not come to its end within any patience."""

    def __init__(self, body: bytes, wait: Callable[[], None]) -> None:
        super().__init__(body[:1])
        self._wait = wait

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            self._wait()
            raise ReadTimeoutError(None, "", "Read timed out.")  # type: ignore[arg-type]  # the pool is not looked at
        return piece

    read1 = read


def _response(
    sent: _Sent, status: int, headers: dict[str, str], raw: io.BytesIO
) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers = CaseInsensitiveDict(headers)
    made.request = sent.request
    made.url = sent.request.url or ""
    if isinstance(raw, _Whole):
        made.raw = raw
    else:
        made.raw = HTTPResponse(body=raw, headers=headers, status=status, preload_content=False)
    return made


def _cut() -> requests.ConnectionError:
    return requests.ConnectionError("Connection aborted: the remote end closed it")

"""One Exchange Server's transport: SOAP requests in, read envelopes out; a ``wrap.Caller``.

A ``Call``'s body is ``{"soap": element}``, an ``Answer``'s is ``{"messages": …}``. The status of an
answer is that of HTTP; where Exchange refuses a whole request (by 500 for nearly everything, or by
200) it is one that says the same, so that budgets and retries treat it as they do Graph's.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from exchangelib.errors import EWSError
from requests.adapters import BaseAdapter
from urllib3.exceptions import ConnectTimeoutError, DecodeError, IncompleteRead, NewConnectionError
from urllib3.exceptions import HTTPError as WireError

from calsync.adapters.ews.errors import Verdict, as_error, judge, judge_status, wait_of
from calsync.adapters.ews.sessions import Carrier, Service, Sessions
from calsync.adapters.ews.signin import SignIn, Token, talks_twice
from calsync.adapters.ews.xml import Envelope, Message, read_envelope
from calsync.adapters.graph.auth import MsalTokens
from calsync.adapters.shared.bounds import WHOLE_ANSWER_S, BoundedAdapter, read_body
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.retry_after import retry_after
from calsync.adapters.wrap.port import Answer, Call, NotSent
from calsync.errors import BadAnswer, CalsyncError, NotSignedIn, SideError, Unavailable
from calsync.ports import Clock

T = TypeVar("T")

MAX_BYTES = 64 * 1024 * 1024
#: Bytes of an answer that refuses to go on.
_MAX_REFUSAL = 1024 * 1024
#: Seconds for which nothing is sent after a refused sign-in: every room would try the password
#: again, and the account be locked.
HOLD_S = 300.0
_NEVER_CONNECTED = (
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    ssl.SSLCertVerificationError,
)
#: What is raised where the network fails, by those who read an answer themselves.
NETWORK = (requests.RequestException, WireError, OSError, EWSError, KeyError)
#: Refusals of a request as a whole that a repeated read may get over.
_WHOLE = frozenset({Meaning.THROTTLED, Meaning.PASSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An Exchange Server as an admin names it. ``endpoint``: the address of Exchange.asmx;
    ``version``: a key of ``sessions.SERVERS``. ``impersonate``: act as each room's mailbox
    (ApplicationImpersonation); else with the account's own rights on it."""

    endpoint: str
    version: str
    impersonate: bool

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""


class Transport:
    """Carries out calls for one connection. Safe for several threads.

    ``pool``: sessions kept; more callers than that wait for one. ``timeout``: seconds to connect,
    and between two pieces of an answer; ``within``: for one whole answer. ``verify``: True, or a
    file of authorities; never off. ``wire`` carries the requests in place of the network.
    """

    def __init__(
        self,
        *,
        server: Server,
        how: SignIn,
        clock: Clock,
        pool: int = 16,
        timeout: tuple[float, float] = (5.0, 70.0),
        within: float = WHOLE_ANSWER_S,
        max_bytes: int = MAX_BYTES,
        verify: bool | str = True,
        wire: BaseAdapter | None = None,
    ) -> None:
        if verify is False:
            raise ValueError("certificates are always verified: give a file of authorities")
        self.server = server
        self._how = how
        self._clock = clock
        self._timeout = timeout
        self._lock = threading.Lock()
        self._not_before = float("-inf")
        self._version = ""

        def carrier() -> BaseAdapter:
            inner = wire or BoundedAdapter(
                seconds=within, pool_connections=1, pool_maxsize=1, pool_block=True, max_retries=0
            )
            return Carrier(inner, max_bytes=max_bytes, seconds=within, lazy=talks_twice(how))

        self._sessions = Sessions(
            endpoint=server.endpoint,
            server=server.version,
            how=how,
            pool=pool,
            verify=verify,
            carrier=carrier,
        )

    def __repr__(self) -> str:
        return f"Transport({self.server.endpoint})"

    @property
    def version(self) -> str:
        """The build the server told last, such as 15.2.1748.10; empty before the first answer."""
        return self._version

    def close(self) -> None:
        self._sessions.close()

    def call(self, call: Call) -> Answer:
        return self._answer(call, self._admitted(lambda: self._post(call)))

    @contextmanager
    def open(self, call: Call, adapter: BaseAdapter) -> Iterator[requests.Response]:
        """An answer that goes on, through ``adapter`` on a connection of its own: its body is there
        to be read. Raises what stands in the way."""
        with closing(self._sessions.made_with(adapter)) as session:
            service = self._service(call)
            payload = (call.body or {})["soap"]
            with closing(
                self._admitted(
                    lambda: self._sent(lambda: service.begin(payload, str(uuid.uuid4()), session))
                )
            ) as response:
                if response.status_code != 200 or not _is_xml(response):
                    refused: Any = response
                    refused._content = self._sent(lambda: self._short(response))
                    refused._content_consumed = True
                    verdict = refusal_of(self._answer(call, response))
                    raise as_error(verdict or judge_status(response.status_code), call.mailbox)
                yield response

    def _short(self, response: requests.Response) -> bytes:
        return read_body(response, _MAX_REFUSAL, seconds=self._timeout[1])

    def _admitted(self, send: Callable[[], requests.Response]) -> requests.Response:
        """What the server answers to the account; raises NotSignedIn, and holds all calls then."""
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            raise self._refused(f"; it is tried again in {left:.0f} s")
        response = send()
        if response.status_code == 401 and self._renewed(response):
            response.close()
            response = send()
        if response.status_code == 401:
            response.close()
            with self._lock:
                self._not_before = self._clock.monotonic() + HOLD_S
            raise self._refused("")
        return response

    def _refused(self, tail: str) -> NotSignedIn:
        row = judge_status(401).row
        return NotSignedIn(f"{row.what}{tail}", where=self.server.host, todo=row.todo)

    def _renewed(self, response: requests.Response) -> bool:
        """True where the refused token could be replaced by another."""
        if not isinstance(self._how, Token):
            return False
        sent = str(response.request.headers.get("Authorization", "")).removeprefix("Bearer ")
        return self._how.tokens.renew(sent) != sent

    def _post(self, call: Call) -> requests.Response:
        service, payload = self._service(call), (call.body or {})["soap"]
        return self._sent(lambda: service.post(payload, str(uuid.uuid4())))

    def _service(self, call: Call) -> Service:
        return Service(
            self._sessions,
            mailbox=call.mailbox,
            impersonate=self.server.impersonate,
            timeout=self._timeout,
            headers=call.headers,
        )

    def _sent(self, send: Callable[[], T]) -> T:
        """Do something with the network; what it raises becomes ours."""
        try:
            return send()
        except CalsyncError as error:
            raise self._ours(error) from None
        except NETWORK as error:
            raise self.lost(error) from None

    def _ours(self, error: CalsyncError) -> CalsyncError:
        """Of the reading (too long, too slow: it may have been executed), or of the token."""
        error.where = error.where or self.server.host
        return error

    def lost(self, error: BaseException) -> SideError:
        """No answer. Only a connection that was never made is known not to have carried it."""
        causes = list(_causes(error))
        name = next(
            (type(one).__name__ for one in causes if not isinstance(one, EWSError)), "no answer"
        )
        if any(isinstance(cause, _NEVER_CONNECTED) for cause in causes):
            return NotSent(
                f"no connection to Exchange at {self.server.host} ({name})",
                where=self.server.host,
                todo="Check the endpoint, name resolution, the firewall and ca_bundle",
            )
        if any(isinstance(cause, IncompleteRead | DecodeError) for cause in causes):
            return BadAnswer(
                "the answer of Exchange was cut off or garbled", where=self.server.host
            )
        return Unavailable(f"the answer of Exchange was lost ({name})", where=self.server.host)

    def _answer(self, call: Call, response: requests.Response) -> Answer:
        status = response.status_code
        asked, note = retry_after(response.headers.get("Retry-After"), self._clock.now())
        envelope = self._envelope(response)
        verdict = _whole(status, envelope, asked)
        if envelope is not None and envelope.version:
            self._version = envelope.version
        seconds = verdict.seconds if verdict is not None else None
        if verdict is not None and verdict.meaning is Meaning.THROTTLED:
            seconds = wait_of(verdict)
        return Answer(
            status=status if verdict is None else verdict.status,
            body={"messages": envelope.messages if envelope else (), "verdict": verdict},
            headers=response.headers,
            retry_after=seconds,
            retry_note=note,
            # Nothing that Exchange says of load proves that a write was not executed. A read may
            # be repeated anyhow, and what waits for a budget waits by retry_after.
            throttled=call.repeatable and verdict is not None and verdict.status == 429,
            trace=response.headers.get("request-id", "")[:64],
        )

    def _envelope(self, response: requests.Response) -> Envelope | None:
        """What was answered; None for an error without SOAP (a proxy's page, IIS itself)."""
        status = response.status_code
        if not _is_xml(response):
            if status == 200:
                kind = response.headers.get("Content-Type", "").partition(";")[0]
                raise BadAnswer(
                    f"the answer is no SOAP ({kind.strip().lower()[:40] or 'no type'})",
                    where=self.server.host,
                    todo="A proxy or sign-in page between calsync and Exchange answers like this",
                )
            return None
        try:
            return read_envelope(response.content)
        except BadAnswer as error:
            if status != 200:
                return None
            error.where = self.server.host
            raise


def _is_xml(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return kind.strip().lower().endswith("xml")


def _whole(status: int, envelope: Envelope | None, asked: float | None) -> Verdict | None:
    """What stands in the way of the whole request; None where its messages speak for themselves."""
    if envelope is None:
        return judge_status(status, asked)
    if envelope.fault is not None:
        return judge(envelope.fault)
    refused = [judge(one) for one in envelope.messages if not one.good]
    if refused and len(refused) == len(envelope.messages):
        first = refused[0]
        if first.meaning in _WHOLE and all(one.meaning is first.meaning for one in refused):
            return first
    return None if 200 <= status < 300 else judge_status(status, asked)


def messages_of(answer: Answer) -> tuple[Message, ...]:
    found: tuple[Message, ...] = (answer.body or {}).get("messages", ())
    return found


def refusal_of(answer: Answer) -> Verdict | None:
    """Why the request as a whole was not done; None where it was."""
    found: Verdict | None = (answer.body or {}).get("verdict")
    return found


def _causes(error: object, depth: int = 6) -> Iterator[Any]:
    """The error and what it was made from: exchangelib raises its own while handling another, and
    requests and urllib3 nest theirs in args and reason."""
    yield error
    if not depth or not isinstance(error, BaseException):
        return
    inner = getattr(error, "reason", None) or next(iter(error.args), None)
    for cause in (error.__cause__ or error.__context__, inner):
        if isinstance(cause, BaseException):
            yield from _causes(cause, depth - 1)


def tokens_of(how: SignIn) -> MsalTokens | None:
    """The token source to close with the connection."""
    return how.tokens if isinstance(how, Token) and isinstance(how.tokens, MsalTokens) else None

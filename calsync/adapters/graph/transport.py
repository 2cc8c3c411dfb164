"""One tenant's HTTP transport: O365's Connection with our own session, raw JSON in and out.

O365 is used for its account, protocol and verbs, never for its Event classes (they lose zones,
etags and recurrences). Its session is replaced: measured in O365 2.1.10, its token handling
dies at the first expiry, sends one tenant's token for another from a shared backend, and
gives tokens to any host a link names.
"""

from __future__ import annotations

import logging
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import requests
from O365 import Account, Connection, MSGraphProtocol
from O365.utils.token import MemoryTokenBackend
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, DecodeError, IncompleteRead, NewConnectionError
from urllib3.exceptions import HTTPError as WireError

from calsync import __version__
from calsync.adapters.graph.auth import TokenSource
from calsync.adapters.graph.clouds import Cloud
from calsync.adapters.graph.links import AllowedOrigin
from calsync.adapters.graph.parts import longest_wait, read_answer
from calsync.adapters.shared.bounds import WHOLE_ANSWER_S, BoundedAdapter, read_body
from calsync.adapters.wrap.port import Answer, Call, NotSent
from calsync.bounded_json import read_json
from calsync.errors import BadAnswer, NotSignedIn, SideError, Unavailable, UsageError
from calsync.ports import Clock

MAX_BYTES = 64 * 1024 * 1024
_IMMUTABLE = 'IdType="ImmutableId"'
_NEVER_CONNECTED = (
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    ssl.SSLCertVerificationError,
)


class Transport:
    """Carries out calls for one tenant. Safe for several threads.

    ``pool``: connections kept; more callers than that wait for one. ``timeout``: seconds to
    connect, and between two pieces of an answer; ``within``: for one whole answer. ``verify``:
    True, or a CA file. ``wire`` carries the requests in place of the network.
    """

    def __init__(
        self,
        *,
        cloud: Cloud,
        tenant_id: str,
        tokens: TokenSource,
        clock: Clock,
        pool: int = 16,
        timeout: tuple[float, float] = (5.0, 30.0),
        within: float = WHOLE_ANSWER_S,
        max_bytes: int = MAX_BYTES,
        verify: bool | str = True,
        wire: BaseAdapter | None = None,
    ) -> None:
        # O365 logs error texts of the server, msal and urllib3 log addresses: names and ids
        # belong into our own records only.
        for name in ("O365", "msal", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.tenant_id = tenant_id
        self._tokens = tokens
        self._clock = clock
        self._origin = AllowedOrigin(cloud.graph)
        self._root = f"{cloud.graph}/v1.0"
        self._session = _Session(
            self, pool=pool, timeout=timeout, within=within, max_bytes=max_bytes
        )
        self._session.verify = verify
        if wire is not None:
            self._session.mount("https://", wire)
            self._session.mount("http://", wire)
        self._connection = _account(cloud, tenant_id, self._session).con

    def __repr__(self) -> str:
        return f"Transport({self._root}, tenant {self.tenant_id})"

    def close(self) -> None:
        self._session.close()

    def call(self, call: Call) -> Answer:
        url = self.address(call.target)
        prefer = f"{call.prefer}, {_IMMUTABLE}" if call.prefer else _IMMUTABLE
        headers = {
            **call.headers,
            "Prefer": prefer,
            "client-request-id": str(uuid.uuid4()),
        }
        options = {} if call.body is None else {"data": call.body}
        try:
            # Redirects are never followed: the session below does not know how to.
            response = self._connection.oauth_request(
                url, call.method.lower(), headers=headers, **options
            )
        except (requests.RequestException, WireError, OSError) as error:
            raise _lost(error, self._root) from None
        return self._answer(call, response)

    def address(self, target: str) -> str:
        """The address of a path, or a link that was checked. Raises ForbiddenLink."""
        return self._root + target if target.startswith("/") else self._origin.check(target)

    def bearer(self, refused: str | None = None) -> str:
        """The token to send; another one where the server refused ``refused``."""
        if self._tokens.tenant_id != self.tenant_id:
            raise UsageError(
                f"a token source of tenant {self._tokens.tenant_id} was given to a"
                f" transport of tenant {self.tenant_id}",
                todo="This is a defect of calsync: report it. Nothing was sent",
            )
        try:
            return self._tokens.token() if refused is None else self._tokens.renew(refused)
        except (Unavailable, BadAnswer) as error:
            # Whatever happened to the sign-in, the request itself was not executed.
            raise NotSent(error.what, where=error.where, todo=error.todo) from None

    def _answer(self, call: Call, response: requests.Response) -> Answer:
        status = response.status_code
        if status == 401:
            raise NotSignedIn(
                "Graph refused a fresh token",
                where=self._root,
                todo="Check that the app still exists and Conditional Access lets it in",
            )
        body = _body(response, self._root)
        if call.parts > 1 and body is not None:
            now = self._clock.now()
            answer = read_answer(status, response.headers, body, now)
            parts = longest_wait(body, now)
            # Its parts may be throttled, or the batch as a whole.
            waits = [s for s in (answer.retry_after, parts) if s is not None]
            return replace(answer, retry_after=max(waits, default=None))
        if "Retry-After" not in response.headers:
            # The usual case, lean: it is on the path of every idle poll.
            return Answer(
                status=status,
                body=body,
                headers=response.headers,
                throttled=status == 429,
                trace=response.headers.get("request-id", "")[:64],
            )
        return read_answer(status, response.headers, body, self._clock.now())


def _body(response: requests.Response, where: str) -> dict[str, Any] | None:
    """The JSON object of an answer; None where there is none. An error answer may be anything
    (a proxy's HTML page); an answer that says it succeeded must be what Graph promises."""
    status, content = response.status_code, response.content
    good = 200 <= status < 300
    if status == 204 or (status == 202 and not content):
        return None
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind.endswith("json"):
        try:
            body = read_json(content)
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
    if not good:
        return None
    raise BadAnswer(
        f"the answer with status {status} is no JSON object ({kind[:40] or 'no type'},"
        f" {len(content)} bytes)",
        where=where,
        todo="A proxy or sign-in page between calsync and Graph answers like this",
    )


def _lost(error: Exception, where: str) -> SideError:
    """No answer. Only a connection that was never made is known not to have carried the request."""
    name = type(error).__name__
    causes = list(_causes(error))
    if any(isinstance(cause, _NEVER_CONNECTED) for cause in causes):
        return NotSent(
            f"no connection to Graph ({name})",
            where=where,
            todo="Check name resolution, the firewall and the CA file",
        )
    if any(isinstance(cause, IncompleteRead | DecodeError) for cause in causes):
        return BadAnswer("the answer of Graph was cut off or garbled", where=where)
    return Unavailable(f"the answer of Graph was lost ({name})", where=where)


def _causes(error: object, depth: int = 5) -> Iterator[object]:
    """The error and what it was made from: requests and urllib3 nest them in args and reason."""
    yield error
    inner = getattr(error, "reason", None) or next(iter(getattr(error, "args", ())), None)
    if depth and isinstance(inner, BaseException):
        yield from _causes(inner, depth - 1)


def _account(cloud: Cloud, tenant_id: str, session: requests.Session) -> Account:
    """An O365 account on our session. The credential in it is a placeholder: O365 asks for one,
    and never uses it, because the session brings its own tokens."""
    base = f"{cloud.graph}/"

    class CloudProtocol(MSGraphProtocol):  # type: ignore[misc]  # O365 has no types
        _protocol_url = base
        _oauth_scope_prefix = base

    class TenantConnection(Connection):  # type: ignore[misc]  # O365 has no types
        @property
        def msal_client(self) -> Any:
            raise UsageError("O365 must not sign in by itself: auth.py does")

        def get_session(self, load_token: bool = False) -> requests.Session:
            del load_token  # ours needs none: see the class below
            return session

        def _check_delay(self) -> None:
            """O365 sleeps by the wall clock, without a lock, and for hours if it is set back."""

    class TenantAccount(Account):  # type: ignore[misc]  # O365 has no types
        connection_constructor = TenantConnection

    account = TenantAccount(
        ("calsync", "unused"),
        # A named zone, because the default asks the machine for its own.
        protocol=CloudProtocol(timezone="UTC"),
        auth_flow_type="credentials",
        tenant_id=tenant_id,
        token_backend=MemoryTokenBackend(),  # the default writes a token file
        raise_http_errors=False,
        request_retries=0,
        requests_delay=0,
    )
    account.con.session = session  # lazy creation races between threads
    return account


class _Session(requests.Session):
    """Attaches the token, checks the host, reads at most so much; one 401 renews the token.

    ``request`` skips what requests does for browsers (cookies, redirects, environment): it is
    half of the processor time of an idle poll.
    """

    def __init__(
        self,
        owner: Transport,
        *,
        pool: int,
        timeout: tuple[float, float],
        within: float,
        max_bytes: int,
    ) -> None:
        super().__init__()
        self._owner = owner
        self._timeout = timeout
        self._within = within
        self._max_bytes = max_bytes
        self.trust_env = False  # see auth.py: the environment would override the CA file
        adapter = _OneOrigin(
            seconds=within,
            pool_connections=4,
            pool_maxsize=pool,
            pool_block=True,
            max_retries=0,
        )
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        # O365 refuses to send anything while the session has no such header.
        # A plain dictionary: O365 makes a text of it for every request.
        self.headers = {"Authorization": "set for each request"}

    def request(  # type: ignore[override]  # only what O365's connection passes
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, **_: Any
    ) -> requests.Response:
        self._owner.address(url)  # every request passes here, whoever made it
        token = self._owner.bearer()
        response = self._send(method, url, headers, data, token)
        if response.status_code == 401:
            token = self._owner.bearer(refused=token)
            response = self._send(method, url, headers, data, token)
        return response

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, token: str
    ) -> requests.Response:
        request: Any = PreparedRequest()  # filled by hand: see the class
        request.method = method.upper()
        request.url = url
        body = data.encode() if isinstance(data, str) else None
        request.body = body
        request.headers = CaseInsensitiveDict(headers)
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers["User-Agent"] = f"calsync/{__version__}"
        request.headers["Accept"] = "application/json"
        request.headers["Accept-Encoding"] = "gzip, deflate"
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
        elif request.method == "POST":
            request.headers["Content-Length"] = "0"
        request.hooks = {"response": []}
        request._cookies = None
        adapter = self.get_adapter(url)
        response: Any = adapter.send(
            request,
            stream=True,
            timeout=self._timeout,
            verify=self.verify or True,
            cert=None,
            proxies={},
        )
        try:
            response._content = read_body(response, self._max_bytes, seconds=self._within)
            response._content_consumed = True
        finally:
            response.close()
        # Statuses are judged in errors.py. O365's own reading of an error body raises
        # AttributeError on one of an unexpected shape, and logs its text.
        response.raise_for_status = _judged_elsewhere
        assert isinstance(response, requests.Response)
        return response


class _OneOrigin(BoundedAdapter):
    """All requests go to one checked origin: its connection pool is looked up once, not by
    parsing every address several times over."""

    _found: Any = None

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        if self._found is None:
            self._found = super().get_connection_with_tls_context(*args, **options)
        return self._found

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        del proxies  # none: see trust_env
        url = request.url or ""
        return url[url.index("/", url.index("//") + 2) :]

    def close(self) -> None:
        self._found = None
        super().close()


def _judged_elsewhere() -> None:
    return None

"""HTTP to one booking platform: raw JSON in and out, one origin, one token.

The token is set here and leaves to the address of the settings alone: nothing that the platform
answers is ever used as an address (paging goes by cursor), redirects are not followed, and the
machine's environment (proxies, .netrc) is not asked. A name is looked up for each connection and
every address that it has must be allowed, as for webhooks: a platform's name that leads into a
network that is not public is refused unless the admin named that network.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from typing import Any, Final

import requests
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, DecodeError, IncompleteRead, NewConnectionError
from urllib3.exceptions import HTTPError as WireError
from urllib3.util.connection import create_connection

from calsync import __version__
from calsync.adapters.shared.bounds import BoundedAdapter, read_body
from calsync.adapters.shared.retry_after import retry_after
from calsync.adapters.webhooks.guard import Forbidden, Guard, Target
from calsync.adapters.wrap.port import Answer, Call, NotSent
from calsync.bounded_json import read_json
from calsync.errors import BadAnswer, ForbiddenLink, NotSignedIn, SideError, Unavailable
from calsync.ports import Clock

#: Bytes of one answer after decompression. A page of 500 bookings has some hundred kilobytes;
#: series with thousands of changed dates make more.
MAX_BYTES: Final = 64 * 1024 * 1024
#: Seconds to connect, and between two pieces of an answer.
_TIMEOUT: Final = (5.0, 30.0)
_NEVER_CONNECTED: Final = (
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    ssl.SSLCertVerificationError,
)


class Transport:
    """Carries out calls (``wrap.Caller``). Safe for several threads.

    ``base``: the platform's address, checked by the settings; below it lies ``/v1``. ``token``:
    sent as it is, to that address only. ``ca_file``: trusted instead of the usual authorities.
    ``timeout``: seconds for one whole answer. ``wire`` carries the requests in place of the
    network.
    """

    def __init__(
        self,
        *,
        base: str,
        token: str,
        clock: Clock,
        guard: Guard,
        ca_file: str = "",
        timeout: float = 60.0,
        pool: int = 8,
        max_bytes: int = MAX_BYTES,
        wire: BaseAdapter | None = None,
    ) -> None:
        # urllib3 logs addresses, which hold ids.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._base = base.rstrip("/")
        self._token = token
        self._clock = clock
        self._within = timeout
        self._max_bytes = max_bytes
        self._verify: bool | str = ca_file or True
        self._adapter = wire or _Guarded(
            guard,
            seconds=timeout,
            pool_connections=1,
            pool_maxsize=pool,
            pool_block=True,
            max_retries=0,
        )

    def __repr__(self) -> str:
        return f"Transport({self._base})"

    def close(self) -> None:
        self._adapter.close()

    def call(self, call: Call) -> Answer:
        try:
            response = self._send(call)
        except Forbidden as error:
            raise ForbiddenLink(
                error.what.replace("callback URL", "platform's address"),
                where=self._base,
                todo="If it is meant, name its network: [booking] allowed_networks",
            ) from None
        except (requests.RequestException, WireError, OSError) as error:
            raise _lost(error, self._base) from None
        return self._answer(response)

    def _send(self, call: Call) -> requests.Response:
        if not call.target.startswith("/"):
            raise ForbiddenLink("not a path below the platform's address", where=self._base)
        request = PreparedRequest()
        # By hand: what requests does for browsers (cookies, redirects, environment) has no place
        # here.
        request.method = call.method
        request.prepare_url(self._base + call.target, None)
        body = None
        if call.body is not None:
            text = json.dumps(call.body, ensure_ascii=False, separators=(",", ":"))
            body = text.encode("utf-8", "replace")
        request.body = body
        request.headers = CaseInsensitiveDict(call.headers)
        request.headers["Authorization"] = f"Bearer {self._token}"
        request.headers["User-Agent"] = f"calsync/{__version__}"
        request.headers["Accept"] = "application/json"
        request.headers["Accept-Encoding"] = "gzip, deflate"
        if body is not None:
            request.headers.setdefault("Content-Type", "application/json")
            request.headers["Content-Length"] = str(len(body))
        request.hooks = {"response": []}
        response: Any = self._adapter.send(
            request, stream=True, timeout=_TIMEOUT, verify=self._verify, cert=None, proxies={}
        )
        try:
            response._content = read_body(response, self._max_bytes, seconds=self._within)
            response._content_consumed = True
        finally:
            response.close()
        assert isinstance(response, requests.Response)
        return response

    def _answer(self, response: requests.Response) -> Answer:
        status = response.status_code
        if status == 401:
            raise NotSignedIn(
                "the booking platform does not take the token",
                where=self._base,
                todo="Make a new one there, and put it where [booking] token_env or token_file say",
            )
        if 300 <= status < 400 and status != 304:
            raise BadAnswer(
                f"the booking platform answered {status}: redirects are not followed",
                where=self._base,
                todo="Set [booking] base_url to the address that serves the API itself",
            )
        seconds, note = retry_after(response.headers.get("Retry-After"), self._clock.now())
        return Answer(
            status=status,
            body=self._body(response),
            headers=response.headers,
            retry_after=seconds,
            retry_note=note,
            throttled=status == 429,
        )

    def _body(self, response: requests.Response) -> dict[str, Any] | None:
        """The JSON object of an answer; None where there is none. An error answer may be anything
        (a proxy's page); one that says it succeeded must be what the contract promises."""
        status, content = response.status_code, response.content
        if status in (204, 304):
            return None
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind.endswith("json"):
            try:
                body = read_json(content)
            except ValueError:
                body = None
            if isinstance(body, dict):
                return body
        if status >= 400:
            return None
        raise BadAnswer(
            f"the answer with status {status} is no JSON object ({kind[:40] or 'no type'},"
            f" {len(content)} bytes)",
            where=self._base,
            todo="Look whether [booking] base_url is the platform's API, and no proxy is between",
        )


def _lost(error: Exception, where: str) -> SideError:
    """No answer. Only a connection that was never made is known not to have carried the request."""
    name = type(error).__name__
    causes = list(_causes(error))
    if any(isinstance(cause, _NEVER_CONNECTED) for cause in causes):
        return NotSent(
            f"no connection to the booking platform ({name})",
            where=where,
            todo="Check its address, name resolution, the firewall and the CA file",
        )
    if any(isinstance(cause, IncompleteRead | DecodeError) for cause in causes):
        return BadAnswer("the answer of the booking platform was cut off or garbled", where=where)
    return Unavailable(f"the answer of the booking platform was lost ({name})", where=where)


def _causes(error: object, depth: int = 5) -> Iterator[object]:
    """The error and what it was made from: requests and urllib3 nest them in args and reason."""
    yield error
    inner = getattr(error, "reason", None) or next(iter(getattr(error, "args", ())), None)
    if depth and isinstance(inner, BaseException):
        yield from _causes(inner, depth - 1)


class _Guarded(BoundedAdapter):
    """Connects to the addresses that were checked and no others; TLS goes by the name."""

    def __init__(self, guard: Guard, *, seconds: float, **options: Any) -> None:
        self._guard = guard
        super().__init__(seconds=seconds, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        pools: dict[str, Any] = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _pinned(pool, self._guard, tls=scheme == "https")
            for scheme, pool in pools.items()
        }


def _pinned(pool: Any, guard: Guard, *, tls: bool) -> Any:
    base: Any = pool.ConnectionCls

    class Pinned(base):  # type: ignore[misc]  # made from what urllib3 has
        def _new_conn(self) -> Any:
            target = Target(tls=tls, host=self.host, port=self.port, path="/")
            try:
                addresses = guard.addresses(target)
            except OSError as error:
                raise NewConnectionError(self, f"the name was not found: {error}") from error
            failed: OSError = OSError("no address")
            for address in addresses:
                try:
                    return create_connection(
                        (address, self.port),
                        self.timeout,
                        source_address=self.source_address,
                        socket_options=self.socket_options,
                    )
                except TimeoutError as error:
                    raise ConnectTimeoutError(self, "no connection in time") from error
                except OSError as error:
                    failed = error
            raise NewConnectionError(self, f"no connection: {failed}") from failed

    class Pool(pool):  # type: ignore[misc]  # the same
        ConnectionCls = Pinned

    return Pool

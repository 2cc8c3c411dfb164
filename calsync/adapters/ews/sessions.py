"""exchangelib's sessions and SOAP service, set so that nothing is guessed, cached or waited for.

Measured in exchangelib 5.6 (reference "libraries", 3.3), and what is done about it here:
its cache of protocols ignores a second set-up of the same account → its base class, uncached;
fault tolerance repeats creates → no error is raised by it, no wait is made by it; a busy answer
can lock its pool for ever → the pool never shrinks; answers are read one byte at a time and without
limit → our adapter reads them; the HTTP adapter is a class attribute → each session has its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any

import requests
from exchangelib.account import Identity
from exchangelib.configuration import Configuration
from exchangelib.errors import SessionPoolMinSizeReached
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.services.common import EWSService
from exchangelib.transport import DEFAULT_HEADERS, NOAUTH
from exchangelib.version import Build, Version
from requests.adapters import BaseAdapter

from calsync import __version__
from calsync.adapters.ews.signin import SignIn, auth_of
from calsync.adapters.shared.bounds import read_body

#: Name in the settings → build by which exchangelib names the schema. Exchange SE and 2019 are
#: addressed as 2016, whose schema is the last (EWS is frozen since 2018).
SERVERS = {
    "2013": Build(15, 0, 847),
    "2016": Build(15, 1),
    "2019": Build(15, 2),
    "se": Build(15, 2),
}


#: Routes whoever sends it to one mailbox server (EWS, "Maintain affinity").
AFFINITY_COOKIE = "X-BackEndOverrideCookie"
_PRECISION = b"<t:DateTimePrecision>Milliseconds</t:DateTimePrecision>"


class _Straight(FailFast):  # type: ignore[misc]  # exchangelib has no types
    """No waits, no repeats, and every answer is handed on: what a status means is judged by us."""

    def raise_response_errors(self, response: Any) -> None:
        del response


class _NoAffinity(DefaultCookiePolicy):
    """Sessions serve all rooms: what routes one group of subscriptions stays out of their jars, and
    is sent by that group alone."""

    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        return cookie.name != AFFINITY_COOKIE and super().set_ok(cookie, request)


class Sessions(BaseProtocol):  # type: ignore[misc]  # exchangelib has no types
    """HTTP sessions of one connection, at most ``pool`` at a time, each with a sign-in and a TCP
    connection of its own: NTLM signs in a connection, not a request."""

    def __init__(
        self,
        *,
        endpoint: str,
        server: str,
        how: SignIn,
        pool: int,
        verify: bool | str,
        carrier: Callable[[], BaseAdapter],
    ) -> None:
        # exchangelib logs whole requests and answers: names and subjects belong in no log.
        for name in ("exchangelib", "urllib3", "spnego", "requests_ntlm"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._how, self._verify, self._carrier = how, verify, carrier
        super().__init__(
            Configuration(
                service_endpoint=endpoint,
                auth_type=NOAUTH,  # said, so that nothing is guessed; sessions bring their own
                version=Version(SERVERS[server]),
                retry_policy=_Straight(),
                max_connections=pool,
            )
        )

    @property
    def version(self) -> Version:
        return self.config.version

    def get_auth_type(self) -> str:
        return str(NOAUTH)

    def create_session(self) -> requests.Session:
        return self.made_with(self._carrier())

    def made_with(self, adapter: BaseAdapter) -> requests.Session:
        """A signed-in session outside the pool, through this adapter."""
        session = requests.Session()
        session.cookies.set_policy(_NoAffinity())
        # Else REQUESTS_CA_BUNDLE, .netrc and proxies of the environment override what is set.
        session.trust_env = False
        session.verify = self._verify
        session.headers.update(DEFAULT_HEADERS)
        session.headers["User-Agent"] = f"calsync/{__version__}"
        session.auth = auth_of(self._how)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        named: Any = session  # exchangelib keeps two notes of its own on it
        named.session_id, named.usage_count = 0, 0
        return session

    def decrease_poolsize(self) -> None:
        """Never: exchangelib's own waits for ever with its lock held (measured)."""
        raise SessionPoolMinSizeReached


class Carrier(BaseAdapter):
    """Sends through ``inner``, and reads every answer at once: ``max_bytes`` at most, within
    ``seconds``.

    ``lazy``: a 401 is left unread, because signing in by NTLM or Kerberos looks at its connection.
    """

    def __init__(self, inner: BaseAdapter, *, max_bytes: int, seconds: float, lazy: bool) -> None:
        super().__init__()
        self._inner, self._max_bytes, self._seconds, self._lazy = inner, max_bytes, seconds, lazy

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        del stream, cert, proxies
        response: Any = self._inner.send(
            request, stream=True, timeout=timeout, verify=verify, cert=None, proxies={}
        )
        # What signs in sends again by this; then, too, the answer is to be read by us.
        response.connection = self
        if response.status_code == 401 and self._lazy:
            assert isinstance(response, requests.Response)
            return response
        try:
            response._content = read_body(response, self._max_bytes, seconds=self._seconds)
            response._content_consumed = True
        finally:
            # Not close(): the connection is signed in, and goes back to its pool when read.
            response.raw.release_conn()
        assert isinstance(response, requests.Response)
        return response

    def close(self) -> None:
        self._inner.close()


class Service(EWSService):  # type: ignore[misc]  # exchangelib has no types
    """One request to Exchange: exchangelib makes envelope, headers and session, we read the answer.

    ``mailbox``: whose calls it is, which routes it to the right server (X-AnchorMailbox) and,
    with ``impersonate``, who the account acts as. ``headers`` come on top, and override.
    """

    SERVICE_NAME = "calsync"

    def __init__(
        self,
        sessions: Sessions,
        *,
        mailbox: str,
        impersonate: bool,
        timeout: tuple[float, float],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sessions, timeout=timeout)
        self._mailbox, self._impersonate = mailbox, impersonate
        self._headers = headers or {}
        self._trace = ""

    def post(self, payload: Any, trace: str) -> requests.Response:
        """Send it, once. Raises what exchangelib and requests raise."""
        self._trace = trace
        version = self.protocol.version.api_version
        response = self._get_response(payload=payload, api_version=version)
        assert isinstance(response, requests.Response)
        return response

    def begin(self, payload: Any, trace: str, session: requests.Session) -> requests.Response:
        """Send it, once, on a session outside the pool; the answer's body is not read."""
        self._trace = trace
        return session.post(
            self.protocol.service_endpoint,
            headers=self._extra_headers(),
            data=self.wrap(payload, api_version=self.protocol.version.api_version),
            allow_redirects=False,
            timeout=self.timeout,
            stream=True,
        )

    def wrap(self, content: Any, api_version: str | None = None) -> bytes:
        """The envelope. Times come in milliseconds: in whole seconds the order of two changes of
        one item could not be told (types.xsd, DateTimePrecision)."""
        made: bytes = super().wrap(content, api_version=api_version)
        return made.replace(b"</s:Header>", _PRECISION + b"</s:Header>", 1)

    @property
    def _account_to_impersonate(self) -> Identity | None:
        if not (self._impersonate and self._mailbox):
            return None
        return Identity(primary_smtp_address=self._mailbox)

    def _extra_headers(self) -> dict[str, str]:
        # The id by which an admin finds the request in the server's logs.
        headers = {"client-request-id": self._trace, "return-client-request-id": "true"}
        if self._mailbox:
            headers["X-AnchorMailbox"] = self._mailbox
        return headers | dict(self._headers)

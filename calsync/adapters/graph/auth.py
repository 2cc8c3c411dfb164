"""Tokens for one tenant, by msal; the only module that knows msal.

The client-credentials flow: `{login}/{tenant}/oauth2/v2.0/token`, scope `{graph}/.default`. Each
``Tokens`` has its own msal application and its own cache in memory: a token of one tenant cannot
be found by another. Nothing secret appears in ``repr``, logs or errors.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msal
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError as WireError

from calsync.adapters.graph.clouds import Cloud
from calsync.adapters.graph.signin import explain
from calsync.adapters.shared.bounds import BoundedAdapter, read_body
from calsync.adapters.shared.retry_after import retry_after
from calsync.bounded_json import read_json
from calsync.errors import (
    BadAnswer,
    CalsyncError,
    ForbiddenLink,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
    UsageError,
)
from calsync.ports import Clock

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
#: What may stand behind "Bearer " (RFC 6750, section 2.1, and a little more).
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")
#: msal asks anew when less than this is left of a token; we look at its cache no later.
_MARGIN_S = 300.0
_MAX_BYTES = 1_000_000
#: Seconds for one whole answer: every call of the tenant waits behind it.
_WHOLE_ANSWER_S = 30.0
#: Seconds to stay away after a 429 of the sign-in service that names no time.
_UNSAID_S = 60.0


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate file: PEM (key and certificate in one file) or PFX, with its passphrase."""

    path: Path
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Federated:
    """A token of another issuer (workload identity); ``read`` gives a fresh one at every call."""

    read: Callable[[], str] = field(repr=False)


Credential = Secret | Certificate | Federated


class TokenSource(Protocol):
    """Bearer tokens of one tenant. Raises NotSignedIn, Unavailable or Throttled."""

    @property
    def tenant_id(self) -> str: ...

    def token(self) -> str: ...

    def renew(self, refused: str) -> str:
        """A token other than ``refused``, which the server did not take (revoked, expired)."""
        ...


class MsalTokens:
    """Asks msal, one thread at a time: msal's cache has no single flight, and 16 cold threads
    would make 16 token calls. No network before the first token."""

    def __init__(
        self,
        *,
        cloud: Cloud,
        tenant_id: str,
        client_id: str,
        credential: Credential,
        clock: Clock,
        verify: bool | str = True,
        timeout: tuple[float, float] = (5.0, 30.0),
        within: float = _WHOLE_ANSWER_S,
        wire: BaseAdapter | None = None,
    ) -> None:
        if not _TENANT.fullmatch(tenant_id):
            raise UsageError(
                f"{tenant_id!r} is not a tenant", todo="Give its id (a GUID) or its domain name"
            )
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._credential = credential
        self._monotonic = clock.monotonic
        self._login = LoginClient(
            cloud, clock=clock, verify=verify, timeout=timeout, within=within, wire=wire
        )
        self._lock = threading.Lock()
        self._app: msal.ConfidentialClientApplication | None = None
        # One tuple, replaced whole: read without the lock on every request.
        self._current: tuple[str, float] = ("", float("-inf"))
        self._not_before = float("-inf")

    def __repr__(self) -> str:
        return f"MsalTokens({self._cloud.name}, tenant {self._tenant_id})"

    @property
    def tenant_id(self) -> str:
        return self._tenant_id

    def token(self) -> str:
        token, until = self._current
        if self._monotonic() < until:
            return token
        with self._lock:
            token, until = self._current
            return token if self._monotonic() < until else self._acquire()

    def renew(self, refused: str) -> str:
        with self._lock:
            if self._current[0] not in ("", refused):
                return self._current[0]  # another thread was refused, too, and was faster
            if self._app is not None:
                self._app.remove_tokens_for_client()
            return self._acquire()

    def close(self) -> None:
        self._login.close()

    def _acquire(self) -> str:
        where = f"sign-in to {self._cloud.login}, tenant {self._tenant_id}"
        left = self._not_before - self._monotonic()
        if left > 0:
            # Every room asks for a token: one refusal speaks for all of them.
            raise Throttled("the sign-in service asks to wait", retry_after=left, where=where)
        try:
            if self._app is None:
                self._app = self._application()
            result = self._app.acquire_token_for_client(scopes=[self._cloud.scope])
        except SideError:
            raise
        except requests.RequestException as error:
            # The text of the error may carry addresses of proxies with passwords: its kind must do.
            raise Unavailable(
                f"the sign-in service was not reached ({type(error).__name__})",
                where=where,
                todo="Check name resolution and the firewall; calsync tries again by itself",
            ) from None
        except (msal.exceptions.MsalServiceError, RuntimeError):
            raise Unavailable("the sign-in service is not well", where=where) from None
        except OSError as error:
            raise NotSignedIn(
                f"a file of the credential cannot be read: {error.strerror}",
                where=str(error.filename or where),
                todo="Check the path and the rights of the file",
            ) from None
        except ValueError as error:
            if self._login.status == 429:
                raise self._throttled(where) from None
            # What the sign-in service says of a tenant that it does not know, msal keeps in the
            # error from which it made its own.
            said = str(error.__context__)
            if "AADSTS" in said:
                what, todo = explain(said, "")
                raise NotSignedIn(what, where=where, todo=todo) from None
            raise NotSignedIn(
                "the tenant or the credential cannot be used",
                where=where,
                todo="Check the tenant id, and that the certificate file holds key and"
                " certificate and its passphrase is right",
            ) from None
        return self._keep(result, where)

    def _keep(self, result: dict[str, Any] | None, where: str) -> str:
        token = (result or {}).get("access_token")
        if result is None or not isinstance(token, str) or not token:
            raise self._refusal(result or {}, where)
        if not _TOKEN.fullmatch(token):
            raise BadAnswer("the sign-in service gave what no header can carry", where=where)
        left = float(result.get("expires_in") or 0.0)
        # Half of a short life: msal would ask anew at every call with less than its margin left.
        self._current = (token, self._monotonic() + max(left - _MARGIN_S, left / 2))
        return token

    def _refusal(self, result: dict[str, Any], where: str) -> CalsyncError:
        if self._login.status == 429 or result.get("error") == "temporarily_unavailable":
            return self._throttled(where)
        what, todo = explain(str(result.get("error_description") or ""), str(result.get("error")))
        return NotSignedIn(what, where=where, todo=todo)

    def _throttled(self, where: str) -> Throttled:
        seconds = self._login.retry_after
        self._not_before = self._monotonic() + seconds
        return Throttled("the sign-in service asks to wait", retry_after=seconds, where=where)

    def _application(self) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            self._client_id,
            client_credential=_for_msal(self._credential),
            authority=f"https://{urlsplit(self._cloud.login).netloc}/{self._tenant_id}",
            http_client=self._login,
            # It asks which hosts are Microsoft's; ours are named in the cloud, and checked.
            instance_discovery=False,
            token_cache=msal.TokenCache(),
        )


def _for_msal(credential: Credential) -> str | dict[str, Any]:
    match credential:
        case Secret():
            return credential.value
        case Federated():
            return {"client_assertion": credential.read}
        case Certificate() if credential.path.suffix.lower() in (".pfx", ".p12"):
            with credential.path.open("rb"):  # an unreadable file is named in the error
                return {
                    "private_key_pfx_path": str(credential.path),
                    "passphrase": credential.passphrase,
                }
        case Certificate():
            pem = credential.path.read_text(encoding="ascii", errors="replace")
            return {
                "private_key": pem,
                "public_certificate": pem,
                "passphrase": credential.passphrase,
            }


class _Straight(requests.Session):
    """Follows no redirect, and does not even prepare one: requests would read the whole body of
    a redirect for that. Keeps no cookies, with which requests spends half of its time."""

    def straight(
        self, method: str, url: str, *, timeout: tuple[float, float], **options: Any
    ) -> requests.Response:
        """``options``: params, data and headers."""
        headers = {**self.headers, **(options.pop("headers", None) or {})}
        request = requests.Request(method, url, headers=headers, **options).prepare()
        return self.get_adapter(url).send(
            request, stream=True, timeout=timeout, verify=self.verify or True, proxies={}
        )


class LoginClient:
    """The HTTP client that msal is given: only to the sign-in hosts of one cloud.

    msal refuses http:// authorities, so a sandbox on this machine is named https:// towards
    msal, and the addresses are turned back here, for loopback only.
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        clock: Clock,
        verify: bool | str,
        timeout: tuple[float, float],
        within: float,
        wire: BaseAdapter | None = None,
    ) -> None:
        self._clock = clock
        parts = urlsplit(cloud.login)
        self._hosts = cloud.login_hosts
        self._port = parts.port
        self._plain = parts.scheme == "http"
        self._netloc = parts.netloc
        self._timeout = timeout
        self._within = within
        self._session = _Straight()
        # Else REQUESTS_CA_BUNDLE and proxy variables of the environment override what is set.
        self._session.trust_env = False
        self._session.verify = verify
        adapter = wire or BoundedAdapter(seconds=within, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self.status = 0
        self.retry_after = _UNSAID_S

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._request("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._request("POST", url, options)

    def close(self) -> None:
        self._session.close()

    def _request(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname not in self._hosts or parts.port != self._port:
            raise ForbiddenLink(
                f"the sign-in service pointed to {parts.hostname}, which is not a sign-in host;"
                " the credential was not sent there",
                where=self._netloc,
                todo="Check the cloud and the login address in the settings",
            )
        options = {k: v for k, v in options.items() if k in ("params", "data", "headers")}
        if self._plain:
            url = "http" + url.removeprefix("https")
        answer = self._session.straight(method, url, timeout=self._timeout, **options)
        try:
            # requests types it as always there; it has no other way to bound a body.
            answer._content = read_body(answer, _MAX_BYTES, seconds=self._within)
        except (WireError, TimeoutError) as error:
            raise Unavailable(
                f"the answer of the sign-in service was lost ({type(error).__name__})",
                where=self._netloc,
            ) from None
        finally:
            answer.close()
        self._note(answer)
        if answer.status_code != 200:
            _plain_error(answer)
        elif not _is_json(answer):
            raise BadAnswer(
                "the sign-in service did not answer in its own form",
                where=self._netloc,
                todo="A proxy or sign-in page between calsync and the service answers like this",
            )
        if self._plain:
            answer._content = answer.content.replace(
                f"http://{self._netloc}".encode(), f"https://{self._netloc}".encode()
            )
        return answer

    def _note(self, answer: requests.Response) -> None:
        """msal does not hand on status and Retry-After; calls are made one at a time."""
        self.status = answer.status_code
        seconds, _ = retry_after(answer.headers.get("Retry-After"), self._clock.now())
        self.retry_after = _UNSAID_S if seconds is None else seconds


def _plain_error(answer: requests.Response) -> None:
    """msal keeps what ``error`` says for its telemetry; anything but text there (a gateway's own
    JSON) makes every later request of msal fail with a TypeError, until the process ends."""
    try:
        body = read_json(answer.content)
    except ValueError:
        return
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        answer._content = b'{"error": "unreadable_answer"}'


def _is_json(answer: requests.Response) -> bool:
    try:
        return isinstance(read_json(answer.content), dict)
    except ValueError:
        return False

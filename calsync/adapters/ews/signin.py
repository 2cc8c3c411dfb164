"""How calsync signs in to an Exchange Server: what each way needs, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exchangelib.transport import BASIC, GSSAPI, NTLM, get_auth_instance
from requests import PreparedRequest
from requests.auth import AuthBase

from calsync.adapters.graph.auth import TokenSource
from calsync.adapters.wrap.port import NotSent
from calsync.errors import BadAnswer, Unavailable, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A service account with its password, by NTLM or Basic. ``user``: DOMAIN\\name, or an
    address."""

    kind: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kerberos:
    """The ticket of the account that calsync runs as (kinit or a keytab)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token of Entra (Hybrid Modern Authentication), from msal."""

    tokens: TokenSource


SignIn = Password | Kerberos | Token


class Bearer(AuthBase):
    """Puts a token on a request."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        try:
            token = self._tokens.token()
        except (Unavailable, BadAnswer) as error:
            # Whatever happened to the sign-in, the request itself was not executed.
            raise NotSent(error.what, where=error.where, todo=error.todo) from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request


def auth_of(how: SignIn) -> Any:
    """The requests hook of a way to sign in; one for each session."""
    match how:
        case Password(kind="basic"):
            return get_auth_instance(BASIC, username=how.user, password=how.password)
        case Password():
            # An address needs a backslash before it, or the client takes its first part for a
            # domain (exchangelib, Protocol.create_session).
            user = f"\\{how.user}" if "@" in how.user else how.user
            return get_auth_instance(NTLM, username=user, password=how.password)
        case Kerberos():
            try:
                return get_auth_instance(GSSAPI)
            except KeyError:
                raise UsageError(
                    "auth kerberos needs the package requests-gssapi, which is not installed",
                    todo='Install it beside calsync: pip install "exchangelib[kerberos]"',
                ) from None
        case Token():
            return Bearer(how.tokens)


def talks_twice(how: SignIn) -> bool:
    """Whether the server's first 401 is part of signing in."""
    return not isinstance(how, Token) and getattr(how, "kind", "") != "basic"

"""Entra's side: discovery documents and the client-credentials token (v2.0 endpoint)."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ..problems import Refusal
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..world import App, Tenant, World

# Entra documents the token endpoint and the issuer (…/{tenant}/v2.0) as audiences.
_AUDIENCE = re.compile(r"/(oauth2(/v2\.0)?/token|v2\.0)/?$")
_EVERYBODYS = ("common", "organizations", "consumers")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Token:
    """What a bearer token stands for; `until` in ticks."""

    app: App
    tenant: Tenant
    until: int


def discovery(world: World, request: Request, tenant: str) -> Response:
    """OpenID configuration of a tenant; a refusal where there is none (msal's authority.py reads a
    status of 400 to 499 as that).

    Entra never names an http address and msal refuses one, so links are https even where the
    sandbox itself is plain: such a client brings a transport that rewrites them back.
    """
    if tenant not in _EVERYBODYS and not _known(world, tenant):
        return _no_tenant(world, tenant)
    base = f"{_secure(request.base)}/{tenant}"
    return answer(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        },
    )


def _known(world: World, tenant: str) -> bool:
    try:
        world.tenant(tenant)
    except Refusal:
        return False
    return True


def _no_tenant(world: World, name: str) -> Response:
    return _error(
        world,
        400,
        "invalid_request",
        90002,
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID.",
    )


def instance_discovery(request: Request) -> Response:
    """Which authorities there are."""
    host = request.base.partition("://")[2]
    endpoint = f"{_secure(request.base)}/common/v2.0/.well-known/openid-configuration"
    alias = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    return answer(
        200, {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [alias]}
    )


def _secure(base: str) -> str:
    return f"https://{base.removeprefix('http://')}" if base.startswith("http://") else base


def token(
    world: World, request: Request, tenant_name: str, lifetime_s: int, *, v1: bool = False
) -> Response:
    """POST /{tenant}/oauth2/v2.0/token, grant_type=client_credentials.

    The older v1 endpoint, /{tenant}/oauth2/token, names a `resource` instead of a scope.
    """
    form = {
        name: values[0]
        for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()
    }
    _basic(request, form)
    try:
        tenant = world.tenant(tenant_name)
    except Refusal:
        return _no_tenant(world, tenant_name)
    if form.get("grant_type") != "client_credentials":
        return _error(
            world,
            400,
            "unsupported_grant_type",
            70003,
            f"The app requested an unsupported grant type '{form.get('grant_type')}'.",
        )
    app = tenant.apps.get(form.get("client_id", ""))
    if app is None:
        return _error(
            world,
            400,
            "unauthorized_client",
            700016,
            f"Application with identifier '{form.get('client_id')}' was not found in the "
            f"directory '{tenant.domain}'.",
        )
    refusal = _credential(world, form, app)
    if refusal is not None:
        return refusal
    if v1 and not form.get("resource"):
        return _error(
            world,
            400,
            "invalid_request",
            900144,
            "The request body must contain the following parameter: 'resource'.",
        )
    if not v1 and not any(one.endswith("/.default") for one in form.get("scope", "").split()):
        return _error(
            world,
            400,
            "invalid_scope",
            1002012,
            f"The provided value for scope {form.get('scope', '')} is not valid. Client "
            "credential flows must have a scope value with /.default suffixed to the "
            "resource identifier (application ID URI).",
        )
    now = world.now()
    until = world.tick() + lifetime_s * 10_000_000
    text = _issue(
        world,
        request,
        app,
        tenant,
        int(now.timestamp()),
        int((now + timedelta(seconds=lifetime_s)).timestamp()),
    )
    world.tokens[text] = Token(app, tenant, until)
    if len(world.tokens) > 5000:
        world.tokens = {key: one for key, one in world.tokens.items() if one.until > world.tick()}
    # Entra says 3599 for a token of an hour.
    seconds = lifetime_s - 1 if lifetime_s > 1 else lifetime_s
    body = {
        "token_type": "Bearer",
        "expires_in": str(seconds) if v1 else seconds,
        "ext_expires_in": str(seconds) if v1 else seconds,
        "access_token": text,
    }
    if v1:
        begins = int(now.timestamp())
        body |= {
            "expires_on": str(begins + lifetime_s),
            "not_before": str(begins),
            "resource": form["resource"],
        }
    return answer(
        200,
        body,
        {"Cache-Control": "no-store, no-cache", "Content-Type": "application/json; charset=utf-8"},
    )


def _basic(request: Request, form: dict[str, str]) -> None:
    head = request.headers.get("authorization", "")
    if head.startswith("Basic ") and "client_secret" not in form:
        try:
            name, _, secret = urlsafe_b64decode(head[6:].encode()).decode().partition(":")
        except ValueError:
            return
        form.setdefault("client_id", name)
        form["client_secret"] = secret


def _credential(world: World, form: dict[str, str], app: App) -> Response | None:
    if "client_assertion" in form:
        return _assertion(world, form, app)
    secret = form.get("client_secret")
    if secret is None:
        return _error(
            world,
            401,
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or "
            "'client_secret'.",
        )
    if secret not in app.secrets:
        return _error(
            world,
            401,
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is "
            "the client secret value, not the client secret ID, for a secret added to app "
            f"'{app.client_id}'.",
        )
    return None


def _assertion(world: World, form: dict[str, str], app: App) -> Response | None:
    """Claims are checked, the signature is not: no certificate is registered with a sandbox app."""
    try:
        claims = _decode(form["client_assertion"].split(".")[1])
    except (IndexError, ValueError):
        return _error(world, 401, "invalid_client", 50027, "JWT token is invalid or malformed.")
    if form.get("client_assertion_type") != ASSERTION or not app.assertions:
        return _error(
            world,
            401,
            "invalid_client",
            700027,
            "The certificate with identifier used to sign the client assertion is not "
            "registered on application.",
        )
    federated = "api://AzureADTokenExchange" in str(claims.get("aud", ""))
    if not federated and (claims.get("iss") != app.client_id or claims.get("sub") != app.client_id):
        return _error(
            world,
            401,
            "invalid_client",
            700021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        )
    if not federated and not _AUDIENCE.search(str(claims.get("aud", ""))):
        return _error(
            world,
            401,
            "invalid_client",
            700023,
            "Client assertion audience claim does not match Realm issuer.",
        )
    if float(claims.get("exp", 0)) < world.now().timestamp():
        return _error(
            world,
            401,
            "invalid_client",
            700024,
            "Client assertion is not within its valid time range.",
        )
    return None


def _decode(part: str) -> dict[str, Any]:
    read = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(read, dict):
        raise TypeError("claims must be an object")
    return read


def _issue(world: World, request: Request, app: App, tenant: Tenant, start: int, end: int) -> str:
    claims = {
        "aud": f"{request.base}",
        "iss": f"https://sts.windows.net/{tenant.tenant_id}/",
        "iat": start,
        "nbf": start,
        "exp": end,
        "app_displayname": app.name,
        "appid": app.client_id,
        "idtyp": "app",
        "roles": sorted(app.roles),
        "tid": tenant.tenant_id,
        "uti": f"{world.noise.getrandbits(96):024x}",
        "ver": "1.0",
    }
    parts = [{"typ": "JWT", "alg": "RS256", "kid": "sandbox"}, claims]
    head = ".".join(
        urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return f"{head}.{world.noise.getrandbits(256):064x}"


def check(world: World, request: Request) -> Token:
    """The token of a Graph call; 401 InvalidAuthenticationToken otherwise."""
    head = request.headers.get("authorization", "")
    kind, _, text = head.partition(" ")
    if not text.strip() or kind.casefold() != "bearer":
        raise unauthorized(request, "Access token is empty.")
    found = world.tokens.get(text.strip())
    if found is None:
        raise unauthorized(request, "CompactToken parsing failed with error code: 80049217")
    if found.until <= world.tick():
        raise unauthorized(request, "Lifetime validation failed, the token is expired.")
    return found  # type: ignore[no-any-return]  # tokens are kept untyped to spare a cycle of imports


def unauthorized(request: Request, message: str) -> Refusal:
    """401 with the challenge Graph sends."""
    authorize = f"{request.base}/common/oauth2/authorize"
    graph = "00000003-0000-0000-c000-000000000000"
    challenge = f'Bearer realm="", authorization_uri="{authorize}", client_id="{graph}"'
    return Refusal(
        401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge}
    )


def _error(world: World, status: int, error: str, code: int, text: str) -> Response:
    trace, correlation = world.request_id(), world.request_id()
    stamp = world.iso()[:19].replace("T", " ") + "Z"
    tail = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {text} {tail}",
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return answer(
        status,
        body,
        {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache"},
    )

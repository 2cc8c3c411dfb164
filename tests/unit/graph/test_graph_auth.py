"""Signing in: every credential, every refusal in plain words, one token call, nothing leaks."""

from __future__ import annotations

import base64
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from graph_fakes import StillClock

from calsync import errors
from calsync.adapters.graph.auth import (
    Certificate,
    Credential,
    Federated,
    MsalTokens,
    Secret,
)
from calsync.adapters.graph.clouds import CHINA, CLOUDS, GLOBAL, US_GOV_L5, Cloud, cloud, custom
from calsync.adapters.graph.signin import SIGN_IN_ERRORS, explain

TENANT = "11111111-2222-3333-4444-555555555555"
CANARY = "canary-7f3a-must-not-leak"


def discovery(login: str = "https://login.microsoftonline.com", host: str | None = None) -> None:
    base = f"{host or login}/{TENANT}"
    responses.get(
        f"{login}/{TENANT}/v2.0/.well-known/openid-configuration",
        json={
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "issuer": f"{base}/v2.0",
        },
    )


def token_url(login: str = "https://login.microsoftonline.com") -> str:
    return f"{login}/{TENANT}/oauth2/v2.0/token"


def granted(number: int = 1, seconds: int = 3599) -> dict[str, object]:
    return {"token_type": "Bearer", "expires_in": seconds, "access_token": f"token-{number}"}


def sign_in(
    credential: Credential, *, where: Cloud = GLOBAL, clock: StillClock | None = None
) -> MsalTokens:
    return MsalTokens(
        cloud=where,
        tenant_id=TENANT,
        client_id="app",
        credential=credential,
        clock=clock or StillClock(),
    )


def sent(index: int = -1) -> dict[str, str]:
    body = responses.calls[index].request.body
    text = body.decode() if isinstance(body, bytes) else str(body)
    return {name: values[0] for name, values in parse_qs(text).items()}


@pytest.fixture(scope="module")
def key_and_certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "calsync test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def pem(made: tuple[rsa.RSAPrivateKey, x509.Certificate], passphrase: bytes | None) -> bytes:
    key, certificate = made
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        lock = serialization.BestAvailableEncryption(passphrase)
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return text + certificate.public_bytes(serialization.Encoding.PEM)


def claims(assertion: str) -> tuple[dict[str, object], dict[str, object]]:
    parts = assertion.split(".")[:2]
    head, body = (json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in parts)
    return head, body


@responses.activate
def test_secret_and_one_call_while_the_token_lives():
    discovery()
    responses.post(token_url(), json=granted())
    clock = StillClock()
    tokens = sign_in(Secret("s3cret"), clock=clock)
    assert len(responses.calls) == 0, "no network before the first token"
    assert [tokens.token() for _ in range(3)] == ["token-1"] * 3
    assert len(responses.calls) == 2
    assert sent()["client_secret"] == "s3cret"
    assert sent()["scope"] == "https://graph.microsoft.com/.default"
    assert sent()["grant_type"] == "client_credentials"
    tokens.close()


@responses.activate
@pytest.mark.parametrize("passphrase", [None, "open sesame"])
@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_certificate(tmp_path: Path, key_and_certificate, form, passphrase):
    discovery()
    responses.post(token_url(), json=granted())
    secret = passphrase.encode() if passphrase else None
    path = tmp_path / f"app.{form}"
    if form == "pem":
        path.write_bytes(pem(key_and_certificate, secret))
    else:
        lock = (
            serialization.BestAvailableEncryption(secret)
            if secret
            else serialization.NoEncryption()
        )
        key, certificate = key_and_certificate
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, lock))
    tokens = sign_in(Certificate(path=path, passphrase=passphrase))
    assert tokens.token() == "token-1"
    head, body = claims(sent()["client_assertion"])
    assert head["alg"] == "PS256"
    assert "x5t#S256" in head
    assert body["aud"] == token_url()
    assert body["iss"] == body["sub"] == "app"
    tokens.close()


@responses.activate
@pytest.mark.parametrize("wrong", ["missing", "garbage", "passphrase"])
def test_a_certificate_that_cannot_be_used(tmp_path: Path, key_and_certificate, wrong):
    discovery()
    path = tmp_path / "app.pem"
    if wrong == "garbage":
        path.write_text(CANARY)
    elif wrong == "passphrase":
        path.write_bytes(pem(key_and_certificate, b"right"))
    tokens = sign_in(Certificate(path=path, passphrase=CANARY))
    with pytest.raises(errors.NotSignedIn) as raised:
        tokens.token()
    assert CANARY not in str(raised.value)
    assert ("app.pem" in str(raised.value)) == (wrong == "missing")
    tokens.close()


@responses.activate
def test_a_federated_assertion_is_read_anew_each_time(tmp_path: Path):
    discovery()
    responses.post(token_url(), json=granted(1))
    responses.post(token_url(), json=granted(2))
    path = tmp_path / "assertion"
    tokens = sign_in(Federated(lambda: path.read_text().strip()))
    with pytest.raises(errors.NotSignedIn, match="assertion"):
        tokens.token()
    path.write_text("one\n")
    assert tokens.token() == "token-1"
    assert sent()["client_assertion"] == "one"
    path.write_text("two\n")
    assert tokens.renew("token-1") == "token-2"
    assert sent()["client_assertion"] == "two"
    tokens.close()


@responses.activate
def test_expiry_and_revocation_renew():
    discovery()
    for number in (1, 2, 3):
        responses.post(token_url(), json=granted(number, 200))
    clock = StillClock()
    tokens = sign_in(Secret("x"), clock=clock)
    assert tokens.token() == "token-1"
    clock.seconds += 99
    assert tokens.token() == "token-1"
    clock.seconds += 2
    assert tokens.token() == "token-2"
    assert tokens.renew("token-1") == "token-2", "another thread renewed it already"
    assert tokens.renew("token-2") == "token-3"
    tokens.close()


@responses.activate
def test_cold_threads_make_one_call():
    discovery()
    calls = []

    def slowly(request):
        calls.append(request)
        threading.Event().wait(0.05)
        return 200, {"Content-Type": "application/json"}, json.dumps(granted(len(calls)))

    responses.add_callback("POST", token_url(), callback=slowly)
    tokens = sign_in(Secret("x"))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(tokens.token())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 16
    assert len(calls) == 1
    tokens.close()


@responses.activate
@pytest.mark.parametrize("number", [*SIGN_IN_ERRORS, 999123])
def test_refusals_in_plain_words(number):
    discovery()
    text = f"AADSTS{number}: for app {CANARY}. Trace ID: x"
    responses.post(
        token_url(), status=401, json={"error": "invalid_client", "error_description": text}
    )
    tokens = sign_in(Secret(CANARY))
    with pytest.raises(errors.NotSignedIn) as raised:
        tokens.token()
    assert f"AADSTS{number}" in raised.value.what
    assert raised.value.todo
    assert TENANT in raised.value.where
    assert CANARY not in str(raised.value)
    tokens.close()


def test_a_refusal_without_a_number_is_named_by_its_error():
    what, todo = explain("no number here", "unauthorized_client")
    assert "unauthorized_client" in what
    assert todo
    assert "unknown" in explain("", "")[0]


@responses.activate
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            {"status": 429, "json": {"error": "x"}, "headers": {"Retry-After": "7"}},
            errors.Throttled,
        ),
        ({"status": 503, "json": {"error": "x"}}, errors.Unavailable),
        ({"status": 502, "body": "<html>"}, errors.Unavailable),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, errors.BadAnswer),
        ({"status": 200, "json": {"access_token": 7}}, errors.NotSignedIn),
        ({"status": 200, "json": {}}, errors.NotSignedIn),
        ({"body": requests.ConnectTimeout(CANARY)}, errors.Unavailable),
        ({"body": requests.exceptions.ProxyError(CANARY)}, errors.Unavailable),
    ],
)
def test_when_the_sign_in_service_is_not_well(answer, error):
    discovery()
    responses.post(token_url(), **answer)
    tokens = sign_in(Secret(CANARY))
    with pytest.raises(error) as raised:
        tokens.token()
    assert type(raised.value) is error
    assert CANARY not in str(raised.value)
    if isinstance(raised.value, errors.Throttled):
        assert raised.value.retry_after == 7.0
    tokens.close()


@responses.activate
def test_a_tenant_that_is_not_there():
    url = f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
    responses.get(url, status=400, json={"error": "invalid_tenant"})
    tokens = sign_in(Secret("x"))
    with pytest.raises(errors.NotSignedIn, match="tenant"):
        tokens.token()
    tokens.close()


@pytest.mark.parametrize("tenant", ["", "a/b", "../x", "a b", "x" * 300, "te?nant"])
def test_a_tenant_cannot_be_a_path(tenant):
    with pytest.raises(errors.UsageError):
        MsalTokens(
            cloud=GLOBAL,
            tenant_id=tenant,
            client_id="a",
            credential=Secret("x"),
            clock=StillClock(),
        )


@responses.activate
def test_the_secret_goes_to_the_sign_in_host_only():
    discovery(host="https://evil.example")
    tokens = sign_in(Secret(CANARY))
    with pytest.raises(errors.ForbiddenLink):
        tokens.token()
    assert all("evil" not in (call.request.url or "") for call in responses.calls)
    tokens.close()


@responses.activate
def test_china_may_answer_under_its_partner_name():
    discovery(CHINA.login, host="https://login.partner.microsoftonline.cn")
    responses.post(token_url("https://login.partner.microsoftonline.cn"), json=granted())
    tokens = sign_in(Secret("x"), where=CHINA)
    assert tokens.token() == "token-1"
    assert sent()["scope"] == "https://microsoftgraph.chinacloudapi.cn/.default"
    tokens.close()


@responses.activate
def test_loopback_signs_in_without_tls():
    where = custom(login="http://127.0.0.1:9", graph="http://127.0.0.1:9")
    discovery("http://127.0.0.1:9")
    responses.post(token_url("http://127.0.0.1:9"), json=granted())
    tokens = sign_in(Secret("x"), where=where)
    assert tokens.token() == "token-1"
    tokens.close()


def test_clouds():
    assert cloud("us-gov-l5") is US_GOV_L5
    assert US_GOV_L5.graph == "https://dod-graph.microsoft.us"
    assert {name for name, one in CLOUDS.items() if one.series_parts} == {"global"}
    assert len({one.assertion_audience for one in CLOUDS.values()}) == 3
    with pytest.raises(errors.UsageError, match="global"):
        cloud("mars")


@responses.activate
def test_nothing_secret_is_shown_or_logged(caplog):
    caplog.set_level(logging.DEBUG)
    discovery()
    responses.post(token_url(), json={**granted(), "access_token": CANARY})
    credentials: list[Credential] = [
        Secret(CANARY),
        Certificate(path=Path("x.pem"), passphrase=CANARY),
        Federated(lambda: CANARY),
    ]
    tokens = sign_in(credentials[0])
    assert tokens.token() == CANARY
    assert CANARY not in repr(credentials) + repr(tokens) + caplog.text
    tokens.close()


@responses.activate
def test_two_tenants_of_one_app_have_tokens_of_their_own():
    other = "99999999-2222-3333-4444-555555555555"
    discovery()
    responses.post(token_url(), json=granted(1))
    base = f"https://login.microsoftonline.com/{other}"
    responses.get(
        f"{base}/v2.0/.well-known/openid-configuration",
        json={
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        },
    )
    responses.post(f"{base}/oauth2/v2.0/token", json=granted(2))
    one = sign_in(Secret("x"))
    two = MsalTokens(
        cloud=GLOBAL, tenant_id=other, client_id="app", credential=Secret("x"), clock=StillClock()
    )
    assert (one.token(), two.token(), one.token()) == ("token-1", "token-2", "token-1")
    one.close()
    two.close()


@responses.activate
def test_a_gateways_own_json_is_forgotten():
    """msal keeps ``error`` for its telemetry: anything but text there broke every later sign-in
    of the process (found by simulation, fault 15 at the sign-in)."""
    discovery()
    responses.post(token_url(), status=403, json={"error": {"code": "ApplicationThrottled"}})
    responses.post(token_url(), json=granted())
    tokens = sign_in(Secret("s"))
    with pytest.raises(errors.NotSignedIn):
        tokens.token()
    assert tokens.token() == "token-1"


@responses.activate
def test_one_refusal_for_load_speaks_for_all_rooms():
    discovery()
    responses.post(token_url(), status=429, json={"error": "x"}, headers={"Retry-After": "7"})
    clock = StillClock()
    tokens = sign_in(Secret("s"), clock=clock)
    for _ in range(3):
        with pytest.raises(errors.Throttled):
            tokens.token()
    assert len([c for c in responses.calls if c.request.method == "POST"]) == 1
    clock.seconds += 8.0
    assert tokens._not_before < clock.monotonic()  # then it is asked again

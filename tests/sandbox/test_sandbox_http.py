"""The transport: keep-alive, resets, concurrency, and clients we did not write."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.sandbox import (
    DEFAULT_CLIENT,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    SandboxServer,
    create_sandbox,
)

from .client import ROOM, event

BASE = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    control = create_sandbox(seed=1)
    control.handle("POST", "/_sandbox/seed", {}, b'{"rooms":3,"people":2}')
    with SandboxServer(control) as running:
        yield running


@pytest.fixture
def session(server: SandboxServer) -> Iterator[requests.Session]:
    form = {
        "grant_type": "client_credentials",
        "client_id": DEFAULT_CLIENT,
        "client_secret": DEFAULT_SECRET,
        "scope": f"{server.url}/.default",
    }
    with requests.Session() as made:
        made.trust_env = False
        token = made.post(
            f"{server.url}/{DEFAULT_TENANT}/oauth2/v2.0/token", data=form, timeout=5
        ).json()
        made.headers["Authorization"] = f"Bearer {token['access_token']}"
        yield made


def users(server: SandboxServer, path: str) -> str:
    return f"{server.url}/v1.0/users/{ROOM}/{path}"


def test_keep_alive_links_and_headers(server: SandboxServer, session: requests.Session) -> None:
    for hour in range(10, 14):
        body = event(start=f"{hour}:00", end=f"{hour}:30")
        assert session.post(users(server, "events"), json=body, timeout=5).status_code == 201
    first = session.get(
        users(server, "events?$top=3"), headers={"client-request-id": "abc"}, timeout=5
    )
    assert first.headers["client-request-id"] == "abc"
    assert first.headers["request-id"]
    link = first.json()["@odata.nextLink"]
    assert link.startswith(server.url)
    assert len(session.get(link, timeout=5).json()["value"]) == 1
    gone = session.delete(users(server, f"events/{first.json()['value'][0]['id']}"), timeout=5)
    assert (gone.status_code, gone.content) == (204, b"")
    started = time.perf_counter()
    for _ in range(50):
        session.get(users(server, "events?$top=1"), timeout=5)
    assert time.perf_counter() - started < 1.5


@pytest.mark.parametrize("kind", ["lost_request", "reply_lost", "reset_mid_body"])
def test_broken_connections(server: SandboxServer, session: requests.Session, kind: str) -> None:
    session.post(
        f"{server.url}/_sandbox/faults",
        json={"kind": kind, "count": 1, "method": "POST"},
        timeout=5,
    )
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        session.post(users(server, "events"), json=event(), timeout=5)
    live = session.get(
        f"{server.url}/_sandbox/rooms/{ROOM}/instances?start=2026-01-01&end=2027-12-01", timeout=5
    ).json()
    assert len(live["value"]) == (0 if kind == "lost_request" else 1)


def test_the_fifth_call_at_once_is_refused(
    server: SandboxServer, session: requests.Session
) -> None:
    server.service_time_s = 0.2
    answers: list[requests.Response] = []

    def call() -> None:
        answers.append(
            requests.get(users(server, "events"), headers=dict(session.headers), timeout=5)
        )  # type: ignore[arg-type]

    threads = [threading.Thread(target=call) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    statuses = sorted(one.status_code for one in answers)
    assert statuses == [200] * 4 + [429] * 2
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.json()["error"]["code"] == "ApplicationThrottled"
    assert "MailboxConcurrency" in refused.json()["error"]["message"]
    assert "Retry-After" in refused.headers


class Rewriting:
    """An http_client for msal that turns https into http: msal refuses http authorities."""

    def __init__(self, base: str) -> None:
        self.base, self.session = base, requests.Session()
        self.session.trust_env = False

    def _url(self, url: str) -> str:
        return self.base + "/" + url.split("/", 3)[3]

    def post(self, url: str, **more: Any) -> Any:
        return self.session.post(self._url(url), **more)

    def get(self, url: str, **more: Any) -> Any:
        return self.session.get(self._url(url), **more)

    def close(self) -> None:
        self.session.close()


def test_plain_msal(server: SandboxServer) -> None:
    msal = pytest.importorskip("msal")
    for secret, fine in ((DEFAULT_SECRET, True), ("wrong", False)):
        app = msal.ConfidentialClientApplication(
            DEFAULT_CLIENT,
            client_credential=secret,
            authority=f"https://login.microsoftonline.com/{DEFAULT_TENANT}",
            http_client=Rewriting(server.url),
        )
        answer = app.acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
        assert ("access_token" in answer) == fine, answer


def test_msal_over_tls_with_a_certificate(tmp_path: Path) -> None:
    msal = pytest.importorskip("msal")
    control = create_sandbox(seed=1)
    with SandboxServer(control, tls=True) as running:
        http = requests.Session()
        http.trust_env = False
        http.verify = str(tmp_path / "sandbox.pem")
        (tmp_path / "sandbox.pem").write_bytes(running.certificate or b"")
        key, thumb = _key()
        app = msal.ConfidentialClientApplication(
            DEFAULT_CLIENT,
            client_credential={"private_key": key, "thumbprint": thumb},
            authority=f"{running.url}/{DEFAULT_TENANT}",
            instance_discovery=False,
            http_client=http,
        )
        answer = app.acquire_token_for_client(scopes=[f"{running.url}/.default"])
        assert "access_token" in answer, answer


def _key() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), "A1" * 20


def test_python_o365(server: SandboxServer) -> None:
    pytest.importorskip("O365")
    import datetime as dt
    from zoneinfo import ZoneInfo

    import msal
    from O365 import Account, MSGraphProtocol
    from O365.connection import Connection
    from O365.utils.token import MemoryTokenBackend

    class Here(MSGraphProtocol):  # type: ignore[misc, unused-ignore]
        _protocol_url = f"{server.url}/"
        _oauth_scope_prefix = f"{server.url}/"

    class Wire(Connection):  # type: ignore[misc, unused-ignore]
        @property
        def msal_client(self) -> Any:
            return msal.ConfidentialClientApplication(
                DEFAULT_CLIENT,
                client_credential=DEFAULT_SECRET,
                authority=f"https://login.microsoftonline.com/{DEFAULT_TENANT}",
                http_client=Rewriting(server.url),
                token_cache=self.token_backend,
            )

    class Mine(Account):  # type: ignore[misc, unused-ignore]
        connection_constructor = Wire

    account = Mine(
        (DEFAULT_CLIENT, DEFAULT_SECRET),
        auth_flow_type="credentials",
        tenant_id=DEFAULT_TENANT,
        main_resource=ROOM,
        protocol=Here(timezone="UTC"),
        token_backend=MemoryTokenBackend(),
        request_retries=0,
        requests_delay=0,
    )
    assert account.authenticate()
    calendar = account.schedule().get_default_calendar()
    made = calendar.new_event(subject="From O365")
    made.start = dt.datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    made.end = dt.datetime(2026, 12, 1, 11, tzinfo=ZoneInfo("Europe/Berlin"))
    assert made.save()
    found = list(
        calendar.get_events(
            include_recurring=True,
            start_recurring=dt.datetime(2026, 12, 1, tzinfo=ZoneInfo("UTC")),
            end_recurring=dt.datetime(2026, 12, 2, tzinfo=ZoneInfo("UTC")),
        )
    )
    assert [one.subject for one in found] == ["From O365"]
    assert found[0].start == dt.datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("UTC"))
    assert found[0].delete()


def test_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        "calsync.sandbox",
        "--rooms",
        "2",
        "--people",
        "1",
        "--ready-file",
        str(ready),
    ]
    with subprocess.Popen(command, cwd=BASE, stdout=subprocess.PIPE) as process:
        try:
            for _ in range(200):
                if ready.exists() and ready.read_text(encoding="utf-8"):
                    break
                time.sleep(0.05)
            facts = json.loads(ready.read_text(encoding="utf-8"))
            health = requests.get(f"{facts['url']}/_sandbox/health", timeout=5).json()
            assert health["tenants"][0]["rooms"] == 2
        finally:
            process.terminate()
        try:
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()

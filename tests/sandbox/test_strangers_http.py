"""What strangers do on the wire: HEAD, preflights, packed bodies, and change notifications."""

from __future__ import annotations

import gzip
import json
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

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

LATER = "2100-01-01T00:00:00Z"


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    control = create_sandbox(seed=1)
    control.handle("POST", "/_sandbox/seed", {}, b'{"rooms":2,"people":2}')
    with SandboxServer(control) as running:
        yield running


@pytest.fixture
def session(server: SandboxServer) -> Iterator[requests.Session]:
    form = {
        "grant_type": "client_credentials",
        "client_id": DEFAULT_CLIENT,
        "client_secret": DEFAULT_SECRET,
        "scope": "https://graph.microsoft.com/.default",
    }
    with requests.Session() as made:
        made.trust_env = False
        target = f"{server.url}/{DEFAULT_TENANT}/oauth2/v2.0/token"
        made.headers["Authorization"] = (
            f"Bearer {made.post(target, data=form, timeout=5).json()['access_token']}"
        )
        yield made


def path(server: SandboxServer, rest: str = "") -> str:
    return f"{server.url}/v1.0/users/{ROOM}/events{rest}"


def test_head_options_and_headers(server: SandboxServer, session: requests.Session) -> None:
    full = session.get(path(server), headers={"Origin": "http://page.example"}, timeout=5)
    assert full.headers["OData-Version"] == "4.0"
    assert full.headers["Access-Control-Allow-Origin"] == "*"
    head = session.head(path(server), timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    asked = {"Access-Control-Request-Headers": "authorization,prefer"}
    preflight = requests.options(path(server), headers=asked, timeout=5)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,prefer"


def test_packed_and_chunked_bodies(server: SandboxServer, session: requests.Session) -> None:
    body = json.dumps(event()).encode()
    kind = {"Content-Type": "application/json"}
    packed = {**kind, "Content-Encoding": "gzip"}
    for headers, data, status in (
        (packed, gzip.compress(body), 201),
        (packed, b"not gzip", 400),
        ({**kind, "Content-Encoding": "br"}, body, 415),
        (kind, iter([body[:9], body[9:]]), 201),
    ):
        answer = session.post(path(server), data=data, headers=headers, timeout=5)
        assert answer.status_code == status
    # The connection is still of use.
    assert len(session.get(path(server), timeout=5).json()["value"]) == 2


def test_limits_hold_for_every_form_of_address(
    server: SandboxServer, session: requests.Session
) -> None:
    session.post(f"{server.url}/_sandbox/throttle", json={"concurrent": 0}, timeout=5)
    for form in (f"v1.0/users('{ROOM}')/events", f"beta/users/{ROOM}/events"):
        assert session.get(f"{server.url}/{form}", timeout=5).status_code == 429


def test_the_certificate_stands_strict_checks() -> None:
    control = create_sandbox(seed=1)
    with SandboxServer(control, tls=True) as running:
        assert running.certificate is not None
        trusting = ssl.create_default_context(cadata=running.certificate.decode())
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        host, port = urlsplit(running.url).hostname, urlsplit(running.url).port
        with (
            socket.create_connection((host, port), timeout=5) as plain,
            trusting.wrap_socket(plain, server_hostname=host) as line,
        ):
            assert line.version() == "TLSv1.3"


class Listener:
    """A webhook endpoint: gives the validation token back, keeps what it is told."""

    def __init__(self, *, honest: bool = True) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = parse_qs(urlsplit(self.path).query).get("validationToken", [""])[0]
                if not token:
                    for one in json.loads(data)["value"]:
                        told.put(one)
                body = (token if honest else "no").encode() if token else b""
                self.send_response(200 if token else 202)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Listener:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)


def wanted(listener: Listener, **more: Any) -> dict[str, Any]:
    return {
        "changeType": "created,updated,deleted",
        "notificationUrl": listener.url,
        "resource": f"/users/{ROOM}/events",
        "expirationDateTime": "2000-01-01T00:00:00Z",
        "clientState": "secret",
    } | more


def test_notifications(server: SandboxServer, session: requests.Session) -> None:
    root = f"{server.url}/v1.0/subscriptions"
    with Listener() as listener:
        made = session.post(root, json=wanted(listener), timeout=5)
        assert (made.status_code, made.json()["clientState"]) == (201, "secret")
        assert session.post(root, json=wanted(listener), timeout=5).status_code == 409
        (shown,) = session.get(root, timeout=5).json()["value"]
        # Less than 45 minutes is raised to 45.
        assert shown["expirationDateTime"] > "2026"
        row = session.post(path(server), json=event(), timeout=5).json()
        target = path(server, f"/{row['id']}")
        session.patch(target, json={"subject": "Other"}, timeout=5)
        session.delete(target, timeout=5)
        told = [listener.told.get(timeout=5) for _ in range(3)]
        assert [one["changeType"] for one in told] == ["created", "updated", "deleted"]
        assert {one["resourceData"]["id"] for one in told} == {row["id"]}
        assert {(one["clientState"], one["tenantId"]) for one in told} == {
            ("secret", DEFAULT_TENANT)
        }
        one = f"{root}/{shown['id']}"
        late = session.patch(one, json={"expirationDateTime": LATER}, timeout=5)
        assert late.json()["error"]["code"] == "ExtensionError"
        assert session.post(f"{one}/reauthorize", timeout=5).status_code == 204
        assert session.delete(one, timeout=5).status_code == 204
        assert session.get(one, timeout=5).status_code == 404
        session.post(path(server), json=event(), timeout=5)
        with pytest.raises(queue.Empty):
            listener.told.get(timeout=0.2)


def test_endpoints_must_prove_themselves(server: SandboxServer, session: requests.Session) -> None:
    root = f"{server.url}/v1.0/subscriptions"
    with Listener(honest=False) as listener:
        bodies = [
            (wanted(listener), "ValidationError"),
            (wanted(listener, notificationUrl="https://elsewhere.example/"), "ValidationError"),
            (wanted(listener, resource="/me/messages"), "ExtensionError"),
            (wanted(listener, changeType="moved"), "InvalidRequest"),
            (wanted(listener, expirationDateTime=None), "InvalidRequest"),
        ]
        for body, code in bodies:
            answer = session.post(root, json=body, timeout=5)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert session.get(root, timeout=5).json()["value"] == []

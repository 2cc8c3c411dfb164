"""The sandbox as a command: what it prints opens both fronts; TLS; and admins' settings."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.sandbox import SandboxServer

from .client import ROOM, ROOM2
from .soap import SERVICE, Ews, place


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, Any]]:
    ready, certificate = tmp_path / "ready.json", tmp_path / "cert.pem"
    words = ["--tls", "--cert-file", str(certificate), "--ready-file", str(ready), "--rooms", "1"]
    command = [sys.executable, "-m", "calsync", "sandbox", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts: dict[str, Any] = json.loads(process.stdout.readline())
        yield facts | {"certificate": str(certificate)}
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_what_is_printed_opens_ews(served: dict[str, Any]) -> None:
    ews = Ews()
    body = ews.envelope(
        "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
        f"<m:FolderIds>{place('calendar')}</m:FolderIds></m:GetFolder>"
    )
    with requests.Session() as session:
        session.trust_env = False
        session.verify = served["certificate"]
        head = {"Content-Type": "text/xml; charset=utf-8"}
        first = session.post(served["ews_url"], data=body, headers=head, timeout=10)
        assert first.status_code == 401
        login = (served["ews_user"], served["ews_password"])
        second = session.post(served["ews_url"], data=body, headers=head, auth=login, timeout=10)
        assert second.status_code == 200
        assert b"<t:DisplayName>Calendar</t:DisplayName>" in second.content


def test_an_admin_makes_and_limits_accounts() -> None:
    ews = Ews()
    graph = ews.graph
    shown = graph.control(
        "POST",
        "ews/accounts",
        {"name": "svc-two", "password": "pw", "impersonates": [ROOM], "opens": []},
    )
    assert shown["user"] == "svc-two@contoso.example"
    ews.user, ews.password = "svc-two@contoso.example", "pw"
    assert ews.find().ok()
    ews.act_as = ROOM2
    assert ews.find().codes == ["ErrorImpersonateUserDenied"]
    graph.control("POST", "ews/accounts", {"name": "svc-two", "impersonates": None})
    assert ews.find().ok()
    graph.control("POST", "ews/accounts", {"name": "svc-two", "enabled": False})
    login = b64encode(b"svc-two@contoso.example:pw").decode()
    refused = graph.box.handle("POST", "/EWS/Exchange.asmx", {"Authorization": f"Basic {login}"})
    assert refused.status == 401
    settings = graph.control("POST", "ews", {"denial": "ErrorItemNotFound", "backoff_ms": 9000})
    assert (settings["denial"], settings["backoff_ms"]) == ("ErrorItemNotFound", 9000)
    bad = graph.box.handle("POST", "/_sandbox/ews", {}, json.dumps({"denial": "No"}).encode())
    assert bad.status == 400
    graph.fault("throttled", count=1)
    ews.user, ews.password = Ews(graph).user, Ews(graph).password
    ews.act_as = ROOM
    busy = ews.find()
    assert busy.text("//t:Value") == "9000"


def test_a_reset_forgets_everything() -> None:
    ews = Ews()
    made = ews.create().ok().ids[0][0]
    ews.graph.control("POST", "reset", {"seed": 7})
    ews.graph.control("POST", "seed", {"rooms": 2, "people": 3, "seed": 7})
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    assert ews.find().ok().ids == []


def test_an_account_has_only_so_many_calls_at_once() -> None:
    ews = Ews()
    graph = ews.graph
    graph.control("POST", "ews", {"concurrent": 2})
    body = ews.envelope("<m:GetRoomLists/>")
    head = {"Content-Type": "text/xml"}
    login = (SERVICE, ews.password)
    with SandboxServer(graph.box, service_time_s=0.3) as server, ThreadPoolExecutor(4) as pool:
        url = f"{server.url}/EWS/Exchange.asmx"

        def call(_: int) -> bytes:
            return requests.post(url, data=body, headers=head, auth=login, timeout=10).content

        answers = list(pool.map(call, range(4)))
    busy = [one for one in answers if b"ErrorExceededConnectionCount" in one]
    assert 1 <= len(busy) <= 2
    assert sum(b"<m:ResponseCode>NoError<" in one for one in answers) == 4 - len(busy)

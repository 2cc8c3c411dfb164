"""A sandbox tenant in another process, and calsync's settings for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from calsync.settings import Settings, parse

SECRET_ENV = "CALSYNC_BENCH_SECRET"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Where the sandbox is and how to sign in; its secret is a published dummy."""

    url: str
    tenant: str
    client_id: str
    client_secret: str
    ews_url: str = ""
    ews_user: str = ""
    ews_password: str = ""

    def token(self) -> str:
        """An access token, got the plain way."""
        answer = requests.post(
            f"{self.url}/{self.tenant}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "scope": f"{self.url}/.default",
            },
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def rooms(self) -> list[dict[str, Any]]:
        """All room mailboxes, through the public directory."""
        found: list[dict[str, Any]] = []
        link: str | None = f"{self.url}/v1.0/places/microsoft.graph.room?$top=100"
        headers = {"Authorization": f"Bearer {self.token()}"}
        while link:
            page = requests.get(link, headers=headers, timeout=30).json()
            found += page["value"]
            link = page.get("@odata.nextLink")
        return found

    def calls(self) -> dict[str, Any]:
        """The sandbox's own counters of calls."""
        counted: dict[str, Any] = requests.get(f"{self.url}/_sandbox/calls", timeout=30).json()
        return counted

    def control(self, method: str, path: str, body: object = None) -> Any:
        """The sandbox's control interface."""
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def settings(
        self, database: Path, *, threads: int, poll: float = 3600.0, kind: str = "graph"
    ) -> Settings:
        """calsync's settings for this tenant, reached by Graph or by EWS."""
        os.environ[SECRET_ENV] = self.client_secret if kind == "graph" else self.ews_password
        if kind == "ews":
            return parse(
                f"""
                [database]
                url = "sqlite:///{database}"
                [worker]
                poll_floor = {poll}
                poll_ceiling = {poll}
                threads = {threads}
                [[connections]]
                name = "bench"
                kind = "ews"
                endpoint = "{self.ews_url}"
                auth = "basic"
                user = "{self.ews_user}"
                password_env = "{SECRET_ENV}"
                """
            )
        return parse(
            f"""
            [database]
            url = "sqlite:///{database}"
            [worker]
            poll_floor = {poll}
            poll_ceiling = {poll}
            threads = {threads}
            [[connections]]
            name = "bench"
            tenant_id = "{self.tenant}"
            client_id = "{self.client_id}"
            cloud = "custom"
            login_url = "{self.url}"
            graph_url = "{self.url}"
            client_secret_env = "{SECRET_ENV}"
            """
        )


@contextmanager
def sandbox(folder: Path, seed: dict[str, Any]) -> Iterator[Tenant]:
    """A sandbox process, seeded by its control interface, ended on leaving."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "calsync.sandbox", "--rooms", "0", "--people", "0"]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists() or not ready.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.05)
        tenant = Tenant(**json.loads(ready.read_text()))
        if seed:
            tenant.control("POST", "seed", seed)
        yield tenant
    finally:
        process.terminate()
        process.wait(10)

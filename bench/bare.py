"""The bare script that calsync is measured against: fetch, parse, insert, nothing else.

It asks for the same pages with as many threads: the delta round of every room and, for the
series in it, the masters with their exceptions in batches of 20, as any client must."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from bench.tenant import Tenant

PREFER = 'odata.maxpagesize=500, IdType="ImmutableId"'
MASTER = (
    "?$select=id,subject,start,end,recurrence,cancelledOccurrences,exceptionOccurrences"
    "&$expand=exceptionOccurrences"
)


class Bare:
    """Plain requests sessions, one a thread, and one SQLite table."""

    def __init__(self, tenant: Tenant, database: Path, threads: int) -> None:
        self.root = f"{tenant.url}/v1.0"
        self.headers = {"Authorization": f"Bearer {tenant.token()}", "Prefer": PREFER}
        self.local = threading.local()
        self.threads = threads
        self.db = sqlite3.connect(database, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("CREATE TABLE event (id TEXT PRIMARY KEY, room TEXT, start, end, raw TEXT)")
        self.lock = threading.Lock()
        self.events = 0

    def session(self) -> requests.Session:
        found: requests.Session | None = getattr(self.local, "session", None)
        if found is None:
            found = self.local.session = requests.Session()
            found.trust_env = False
            found.headers.update(self.headers)
        return found

    def get(self, link: str) -> dict[str, Any]:
        answer = self.session().get(link, timeout=60)
        answer.raise_for_status()
        page: dict[str, Any] = json.loads(answer.content)
        return page

    def first_round(self, room: str) -> str:
        """All pages of a room into the table; the delta link."""
        now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start, end = now - timedelta(days=1), now + timedelta(days=400)
        link = (
            f"{self.root}/users/{quote(room)}/calendarView/delta"
            f"?startDateTime={start:%Y-%m-%dT%H:%M:%SZ}&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}"
        )
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(link)
            rows += page["value"]
            if "@odata.deltaLink" in page:
                break
            link = page["@odata.nextLink"]
        masters = {r["seriesMasterId"] for r in rows if r.get("seriesMasterId")}
        self.insert(room, rows)
        self.insert(room, self.read_masters(room, sorted(masters)))
        return str(page["@odata.deltaLink"])

    def read_masters(self, room: str, ids: list[str]) -> Iterable[dict[str, Any]]:
        for at in range(0, len(ids), 20):
            parts = [
                {"id": str(n), "method": "GET", "url": f"/users/{quote(room)}/events/{i}{MASTER}"}
                for n, i in enumerate(ids[at : at + 20])
            ]
            answer = self.session().post(
                f"{self.root}/$batch", json={"requests": parts}, timeout=60
            )
            answer.raise_for_status()
            for part in json.loads(answer.content)["responses"]:
                yield part["body"]

    def insert(self, room: str, rows: Iterable[dict[str, Any]]) -> None:
        values = [
            (r["id"], room, r["start"]["dateTime"], r["end"]["dateTime"], json.dumps(r))
            for r in rows
            if "start" in r
        ]
        with self.lock, self.db:
            self.db.executemany("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?)", values)
            self.events += len(values)

    def over(self, work: Any, items: Iterable[Any]) -> tuple[list[Any], float, float]:
        """``work`` on every item, on the threads: results, wall and processor seconds."""
        with ThreadPoolExecutor(self.threads) as pool:
            wall, cpu = time.perf_counter(), time.process_time()
            found = list(pool.map(work, items))
            return found, time.perf_counter() - wall, time.process_time() - cpu

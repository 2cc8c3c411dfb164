"""A plain Graph client over the sandbox's callable: what a stranger's client would send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from calsync.sandbox import (
    DEFAULT_CLIENT,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    Control,
    Response,
    create_sandbox,
)

ROOM = "room-0001@contoso.example"
ROOM2 = "room-0002@contoso.example"
ANN = "person-0001@contoso.example"
BOB = "person-0002@contoso.example"
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BERLIN = "W. Europe Standard Time"
TAG = "String {11111111-2222-3333-4444-555555555555} Name calsync"


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Graph:
    """Calls with a bearer token; answers are Responses, `ok` insists on success."""

    def __init__(
        self, *, rooms: int = 2, people: int = 3, seed: int = 7, zone: str = BERLIN
    ) -> None:
        self.clock = Clock()
        self.box: Control = create_sandbox(seed=seed, clock=self.clock)
        self.token = ""
        self.control("POST", "seed", {"rooms": rooms, "people": people, "zone": zone, "seed": seed})
        self.login()

    def login(self, secret: str = DEFAULT_SECRET, **extra: str) -> Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": DEFAULT_CLIENT,
            "client_secret": secret,
            "scope": "https://graph.sandbox/.default",
        } | extra
        target = f"/{DEFAULT_TENANT}/oauth2/v2.0/token"
        answer = self.box.handle("POST", target, {}, urlencode(form).encode())
        self.token = answer.json().get("access_token", self.token)
        return answer

    def call(
        self, method: str, path: str, body: Any = None, /, *, prefer: str = "", **headers: str
    ) -> Response:
        sent = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if prefer:
            sent["Prefer"] = prefer
        target = path if path.startswith(("/", "http")) else f"/v1.0/users/{path}"
        payload = b"" if body is None else json.dumps(body).encode()
        return self.box.handle(method, target, sent, payload)

    def ok(self, method: str, path: str, body: Any = None, /, **more: Any) -> Any:
        answer = self.call(method, path, body, **more)
        assert answer.status < 300, (answer.status, answer.body)
        return answer.json() if answer.body else None

    def refused(self, method: str, path: str, body: Any = None, /, **more: Any) -> tuple[int, str]:
        answer = self.call(method, path, body, **more)
        assert answer.status >= 400, (answer.status, answer.body)
        return answer.status, answer.json()["error"]["code"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        payload = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        answer = self.box.handle(method, f"/_sandbox/{path}", {}, payload)
        assert answer.status < 300, answer.body
        return answer.json()

    def switch(self, **switches: Any) -> None:
        self.control("POST", "switches", switches)

    def fault(self, kind: str, **more: Any) -> None:
        self.control("POST", "faults", {"kind": kind} | more)

    def processing(self, room: str = ROOM, **settings: Any) -> None:
        self.control("PATCH", f"rooms/{room}", {"processing": settings})

    def book(
        self, start: str = "2026-12-01T10:00", end: str = "2026-12-01T11:00", **more: Any
    ) -> Any:
        raw = {"person": ANN, "room": ROOM, "subject": "Plan"} | more
        return self.box.act(kind=raw.pop("kind", "book"), start=start, end=end, **raw)

    def live(
        self, room: str = ROOM, start: str = "2026-01-01", end: str = "2030-01-01"
    ) -> list[Any]:
        found: list[Any] = self.control("GET", f"rooms/{room}/instances?start={start}&end={end}")[
            "value"
        ]
        return found

    def mails(self) -> list[Any]:
        found: list[Any] = self.control("GET", "mails")["mails"]
        return found

    def first_delta(
        self, room: str = ROOM, start: str = "2026-11-01", end: str = "2027-06-01", **more: Any
    ) -> tuple[list[Any], str]:
        span = f"startDateTime={start}T00:00:00Z&endDateTime={end}T00:00:00Z"
        return self.round(f"/v1.0/users/{room}/calendarView/delta?{span}", **more)

    def round(self, link: str, *, size: int = 50, prefer: str = "") -> tuple[list[Any], str]:
        """All pages of one delta round."""
        rows: list[Any] = []
        wanted = f"odata.maxpagesize={size}" + (f", {prefer}" if prefer else "")
        while True:
            page = self.ok("GET", link, prefer=wanted)
            rows += page["value"]
            assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)
            if "@odata.deltaLink" in page:
                return rows, page["@odata.deltaLink"]
            link = page["@odata.nextLink"]


def at(day: str, clock: str = "10:00", zone: str = BERLIN) -> dict[str, str]:
    return {"dateTime": f"{day}T{clock}:00", "timeZone": zone}


def event(
    day: str = "2026-12-01",
    start: str = "10:00",
    end: str = "11:00",
    zone: str = BERLIN,
    **more: Any,
) -> dict[str, Any]:
    return {"subject": "Plan", "start": at(day, start, zone), "end": at(day, end, zone)} | more


def weekly(day: str, *, days: list[str], number: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": days} | more,
        "range": {"type": "numbered", "startDate": day, "numberOfOccurrences": number},
    }


def daily(day: str, number: int = 5) -> dict[str, Any]:
    return {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": day, "numberOfOccurrences": number},
    }


def tag_filter(value: str) -> str:
    text = f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG}' and ep/value eq '{value}')"
    return quote(text)

"""HTTP clients of the two sides, as a person's programs see them: the sandbox's control side, and
the booking platform's public API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from calsync.sandbox.wishes import utc_text

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``etag`` is empty where there is none."""

    status: int
    doc: dict[str, Any]
    etag: str = ""

    @property
    def ok(self) -> bool:
        return self.status < 300


class Client:
    """One base URL, one session; for one thread at a time."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self.url, self.token = url, token
        self._session = requests.Session()
        # Loopback only: a proxy of the environment must not come between.
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises requests' errors where nobody answers."""
        got = self._session.request(
            method, self.url + path, json=body, params=query, headers=headers, timeout=TIMEOUT_S
        )
        doc = got.json() if got.content and "json" in got.headers.get("Content-Type", "") else {}
        return Answer(got.status_code, doc, got.headers.get("ETag", ""))


class Sandbox(Client):
    """The control side of a sandbox, ``/_sandbox/…``."""

    def control(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Raises RuntimeError where the sandbox refuses: the demo itself is wrong then."""
        got = self.call(method, f"/_sandbox/{path}", body=body, query=query)
        if not got.ok:
            raise RuntimeError(f"the sandbox refused {method} {path}: {got.status} {got.doc}")
        return got.doc

    def act(self, raw: Mapping[str, Any]) -> Answer:
        """What somebody does in Outlook; refused by Outlook with a status of 4xx."""
        return self.call("POST", "/_sandbox/acts", body=raw)

    def note(self, **line: Any) -> dict[str, Any]:
        """Add a line to the one log of acts."""
        return self.control("POST", "log", line)

    def since(self, what: str, after: int) -> list[dict[str, Any]]:
        """Lines of ``log``, ``mails`` or ``calls/log`` after the first ``after`` ones."""
        name = what.partition("/")[0]
        found: list[dict[str, Any]] = self.control("GET", what, query={"since": str(after)})[name]
        return found

    def instances(self, mailbox: str, low: datetime, high: datetime) -> list[dict[str, Any]]:
        """Live items of a mailbox, expanded, that touch the span."""
        query = {"start": utc_text(low), "end": utc_text(high)}
        found: list[dict[str, Any]] = self.control(
            "GET", f"rooms/{quote(mailbox)}/instances", query=query
        )["value"]
        return found


@dataclass(slots=True)
class Occupied:
    """What the platform shows of a room: expanded occurrences, and its bookings."""

    occurrences: list[dict[str, Any]] = field(default_factory=list)
    bookings: list[dict[str, Any]] = field(default_factory=list)


class Platform(Client):
    """The booking platform's public API, with a token."""

    def occupancy(self, rooms: Sequence[str], low: datetime, high: datetime) -> dict[str, Occupied]:
        """By room id; at most 100 rooms a call are asked for."""
        found = {room: Occupied() for room in rooms}
        for start in range(0, len(rooms), 100):
            query = {
                "rooms": ",".join(rooms[start : start + 100]),
                "start": utc_text(low),
                "end": utc_text(high),
            }
            for view in ("occurrences", "series"):
                got = self.call("GET", "/v1/occupancy", query=query | {"view": view})
                if not got.ok:
                    raise RuntimeError(f"the platform refused its occupancy: {got.doc}")
                for room in got.doc["rooms"]:
                    into = found[room["roomId"]]
                    (into.occurrences if view == "occurrences" else into.bookings).extend(
                        room["items"]
                    )
        return found

    def booking(self, booking_id: str) -> Answer:
        return self.call("GET", f"/v1/bookings/{quote(booking_id)}")

    def create(self, room: str, doc: Mapping[str, Any], *, key: str) -> Answer:
        headers = {"Idempotency-Key": f'"{key}"'}
        return self.call("POST", f"/v1/rooms/{quote(room)}/bookings", body=doc, headers=headers)

    def patch(
        self, booking_id: str, doc: Mapping[str, Any], *, etag: str, date: str = ""
    ) -> Answer:
        """Change a booking, or one date of it (``date``: its recurrence-id)."""
        return self.call(
            "PATCH", self._path(booking_id, date), body=doc, headers={"If-Match": etag}
        )

    def cancel(self, booking_id: str, *, etag: str, date: str = "") -> Answer:
        return self.call("DELETE", self._path(booking_id, date), headers={"If-Match": etag})

    def _path(self, booking_id: str, date: str) -> str:
        path = f"/v1/bookings/{quote(booking_id)}"
        return f"{path}/occurrences/{quote(date)}" if date else path

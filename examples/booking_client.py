"""A booking platform's side of calsync, in one file to copy. Needs Python 3.11 and requests.

    python booking_client.py http://127.0.0.1:8080 TOKEN ROOM

books the room for an hour, shows what happens, and cancels again. What a platform takes from here:

* ``Calsync.book``: one call, one answer: confirmed, or why not and which rooms are free.
* ``Calsync.follow``: every change, in order, from where you stopped.
* ``Calsync.listen``: the same as it happens, over one connection.
* ``is_genuine``: whether a webhook is calsync's.
"""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

#: Seconds within which a webhook is believed (Standard Webhooks).
TOLERANCE = 300


class Refused(Exception):
    """The answer is no. ``problem`` is the RFC 9457 document; tell the kinds apart by its code."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.code: str = problem["code"]
        self.problem = problem

    @property
    def alternatives(self) -> list[dict[str, Any]]:
        """Free rooms of the same building with enough seats, where the room was taken."""
        found: list[dict[str, Any]] = self.problem.get("alternatives", [])
        return found


class ResyncRequired(Exception):
    """You were away for longer than the change feed reaches: start without a cursor, and drop what
    is not listed then."""


@dataclass
class Changes:
    """A page of the change feed. Store ``cursor`` together with what you made of the changes."""

    changes: list[dict[str, Any]]
    cursor: str
    listing: bool


@dataclass
class Calsync:
    url: str
    token: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    # --- rooms ---

    def rooms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/v1/rooms").json()["rooms"]
        return found

    def occupancy(self, room: str, start: datetime, end: datetime) -> dict[str, Any]:
        """When the room is taken. Where ``stale`` is true, do not show it as free."""
        window = {"start": _instant(start), "end": _instant(end)}
        answer = self._call("GET", f"/v1/rooms/{room}/occupancy", params=window)
        found: dict[str, Any] = answer.json()
        return found

    # --- bookings ---

    def book(self, room: str, *, wait: int = 10, **wish: Any) -> dict[str, Any]:
        """Book a room, and wait for the calendar's word. Raises Refused with free rooms.

        The key makes it safe to send the request again when its answer was lost: it books once.
        If calsync takes longer than ``wait`` seconds, ``bookingStatus`` says pending; the change
        feed, the stream or a webhook then tells the end of it.
        """
        headers = {"Idempotency-Key": f'"{uuid.uuid4()}"', "Prefer": f"wait={wait}"}
        path = f"/v1/rooms/{room}/bookings"
        made: dict[str, Any] = self._call("POST", path, json=wish, headers=headers).json()
        return made

    def booking(self, booking_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", f"/v1/bookings/{booking_id}").json()
        return found

    def change(self, booking: Mapping[str, Any], *, wait: int = 10, **patch: Any) -> dict[str, Any]:
        """Change what you read. Raises Refused (stale-revision) where somebody was quicker."""
        headers = {"If-Match": f'"{booking["revision"]}"', "Prefer": f"wait={wait}"}
        path = f"/v1/bookings/{booking['id']}"
        changed: dict[str, Any] = self._call("PATCH", path, json=patch, headers=headers).json()
        return changed

    def change_dates(
        self, booking: Mapping[str, Any], recurrence_id: str, scope: str, **patch: Any
    ) -> dict[str, Any]:
        """Change one date of a series (``scope`` "this"), all from it on ("following"; they become
        a booking of their own, which is the answer), or "all"."""
        path = f"/v1/bookings/{booking['id']}/occurrences/{recurrence_id}"
        headers = {"If-Match": f'"{booking["revision"]}"'}
        answer = self._call("PATCH", path, params={"scope": scope}, json=patch, headers=headers)
        changed: dict[str, Any] = answer.json()
        return changed

    def cancel(self, booking_id: str) -> None:
        self._call("DELETE", f"/v1/bookings/{booking_id}", headers={"If-Match": "*"})

    # --- changes ---

    def follow(self, cursor: str | None) -> Iterator[Changes]:
        """What changed since ``cursor``, page by page, to the end; without one all that lives
        first. Raises ResyncRequired."""
        while True:
            params = {} if cursor is None else {"cursor": cursor}
            try:
                page = self._call("GET", "/v1/changes", params=params).json()
            except Refused as no:
                if no.code == "resync-required":
                    raise ResyncRequired from no
                raise
            cursor = page["cursor"]
            yield Changes(page["changes"], page["cursor"], page["listing"])
            if not page["more"]:
                return

    def listen(self, last_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Messages as they come, each with its id: store it, and begin there the next time.

        Comes back by itself when the connection ends. ``last_id`` may be a cursor of ``follow``.
        """
        while True:
            headers = {"Last-Event-ID": last_id}
            try:
                # There is a sign of life every 15 seconds.
                with self._call("GET", "/v1/events", headers=headers, stream=True) as answer:
                    for event in _events(answer):
                        if event.get("id"):
                            last_id = event["id"]
                        yield last_id, json.loads(event["data"])
            except requests.RequestException:
                pass
            time.sleep(3)

    # --- HTTP ---

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; asked to wait, or not answered, it is sent again (all that is sent here
        may be sent twice: see ``book``)."""
        for attempt in range(5):
            try:
                answer = self.session.request(method, self.url + path, timeout=60, **options)
            except requests.ConnectionError:
                if attempt == 4:
                    raise
                time.sleep(2**attempt)
                continue
            if answer.status_code not in (429, 503):
                break
            time.sleep(min(60, int(answer.headers.get("Retry-After", "5"))))
        if answer.status_code >= 400:
            raise Refused(answer.json())
        return answer


def _events(answer: requests.Response) -> Iterator[dict[str, str]]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    event: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- webhooks ------------------------------------------------------------------------------------


def is_genuine(
    headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None
) -> bool:
    """Whether calsync sent this, within the last five minutes. ``body``: the bytes as they came.

    Then look whether you have seen ``webhook-id`` before, note it, answer 204, and work afterwards.
    """
    said = {name.lower(): value for name, value in headers.items()}
    try:
        sent = int(said["webhook-timestamp"])
        signed = f"{said['webhook-id']}.{sent}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        marks = said["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    if abs((time.time() if now is None else now) - sent) > TOLERANCE:
        return False
    good = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    # While a secret is being renewed there are two.
    return any(hmac.compare_digest(good.encode(), mark.encode()) for mark in marks)


# --- a walk --------------------------------------------------------------------------------------


def main(url: str, token: str, room: str) -> int:
    calsync = Calsync(url, token)
    print("Rooms:", ", ".join(one["id"] for one in calsync.rooms()))
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    cursor = None
    for page in calsync.follow(None):
        cursor = page.cursor
    try:
        booking = calsync.book(
            room,
            start=f"{tomorrow}T10:00:00",
            duration="PT1H",
            title="Tried from the example",
            bookedBy={"name": "Ada"},
        )
    except Refused as no:
        print("No:", no, "Free:", ", ".join(one["roomId"] for one in no.alternatives) or "none")
        return 1
    print("Booked:", booking["id"], booking["bookingStatus"])
    calsync.cancel(booking["id"])
    for page in calsync.follow(cursor):
        for change in page.changes:
            print("Changed:", change["kind"], change["bookingId"], change["revision"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

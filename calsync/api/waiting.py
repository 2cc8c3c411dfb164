"""``Prefer: wait=N`` (RFC 7240): an answer that says whether the booking stands, not pending.

It is a preference: where too many wait already, or the time is up, the answer is what there is, and
without ``Preference-Applied``.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from time import monotonic
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.service import BookingService
from calsync.api import problems
from calsync.api.context import booking_answer
from calsync.mapping.booking import alternative_to_json, format_utc
from calsync.mapping.booking_values import ApiToken, BookingStatus

#: Seconds that are waited at most, whatever is asked for; below what the server gives an answer.
LONGEST: Final = 30.0
#: Requests that may wait at once; each holds a connection, and no thread.
MOST: Final = 200
#: And of one token, so that none takes all.
MOST_EACH: Final = 60
#: Seconds between two looks at the newest change number, which is in memory.
_LOOK_EVERY: Final = 0.02
_WAIT: Final = re.compile(r'wait\s{0,9}=\s{0,9}"?(\d{1,6})"?', re.ASCII | re.IGNORECASE)


def wished(request: Request) -> float:
    """The seconds that the client would wait; 0 where it says nothing of it."""
    for part in ",".join(request.headers.getlist("prefer")).split(","):
        found = _WAIT.fullmatch(part.partition(";")[0].strip())
        if found:
            return min(float(found[1]), LONGEST)
    return 0.0


class Waits:
    """Lives on the event loop: what waits takes no thread from the others."""

    def __init__(self, service: BookingService) -> None:
        self._service = service
        self._waiting: dict[str, int] = {}

    async def answer(self, request: Request, shown: Shown, token: ApiToken) -> Response:
        """The answer for a booking that was just made or changed."""
        wait = wished(request)
        theirs = self._waiting.get(token.id, 0)
        if not wait or theirs >= MOST_EACH or sum(self._waiting.values()) >= MOST:
            return booking_answer(shown, token)
        # No other request comes between the look and the count: nothing is awaited.
        self._waiting[token.id] = theirs + 1
        try:
            settled = await self._settled(shown, wait)
        finally:
            self._waiting[token.id] -= 1
            if not self._waiting[token.id]:
                del self._waiting[token.id]
        if settled.booking.status is BookingStatus.PENDING:
            return booking_answer(shown, token)
        if settled.booking.status.live:
            response = booking_answer(settled, token)
        else:
            response = _refused(settled, problems.address(request))
        response.headers["Preference-Applied"] = f"wait={int(wait)}"
        return response

    async def _settled(self, shown: Shown, seconds: float) -> Shown:
        """The booking once it is pending no more, or when the time is up."""
        until, seen = monotonic() + seconds, -1
        while True:
            newest = self._service.newest()
            if newest != seen:
                seen = newest
                found = await run_in_threadpool(self._service.booking, shown.booking.id)
                if found.booking.status is not BookingStatus.PENDING:
                    return replace(found, created=shown.created)
            if monotonic() >= until:
                return shown
            await asyncio.sleep(_LOOK_EVERY)


def _refused(shown: Shown, instance: str) -> Response:
    """409, with the reason and free rooms, as where the room is known to be taken at once."""
    booking, refusal = shown.booking, shown.booking.refusal
    if booking.status is BookingStatus.CANCELLED:
        text = "The booking was cancelled on the other side meanwhile."
        return problems.problem("booking-not-live", text, instance=instance, bookingId=booking.id)
    if refusal is None:
        text = "The room's calendar did not take the booking. Take another time or room."
        return problems.problem("booking-rejected", text, instance=instance, bookingId=booking.id)
    clash = refusal.code == "room-conflict"
    return problems.problem(
        "room-conflict" if clash else "booking-rejected",
        refusal.reason if refusal.reason.endswith(".") else f"{refusal.reason}.",
        instance=instance,
        bookingId=booking.id,
        conflicts=[
            {"start": format_utc(start), "end": format_utc(end)} for start, end in refusal.conflicts
        ],
        conflictsTotal=len(refusal.conflicts),
        alternatives=[alternative_to_json(a) for a in refusal.alternatives],
    )

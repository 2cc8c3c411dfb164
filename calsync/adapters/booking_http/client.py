"""Single requests of the booking contract, for reading and for writing alike."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from calsync.adapters.booking_http.answers import body_of, code_of, fail
from calsync.adapters.booking_http.directory import Directory
from calsync.adapters.booking_http.documents import Held, Unread, read_booking
from calsync.adapters.hub.shape import is_over
from calsync.adapters.shared.seal import Seal
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import BadAnswer
from calsync.model import Pair

#: What the externalId of a booking begins with that we made: the id of its link, sealed.
_OURS: Final = "calsync-"
#: Half-answered bookings that are remembered.
_MOST: Final = 1000


class Client:
    """Safe for several threads."""

    def __init__(self, caller: Caller, directory: Directory, seal: Seal) -> None:
        self._caller = caller
        self._directory = directory
        self._seal = seal
        self._lock = threading.Lock()
        self._confirmed: dict[str, tuple[int, frozenset[str]]] = {}

    def check(self, pair: Pair) -> None:
        """Raises SideError where the platform's room cannot carry what the pair should."""
        self._directory.room(pair)

    # --- requests ---

    def get(self, pair: Pair | None, target: str, operation: str) -> Answer:
        return self.send(pair, "GET", target, operation)

    def send(
        self,
        pair: Pair | None,
        method: str,
        target: str,
        operation: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Everything here may be sent twice: what writes is bound to a revision or to a key."""
        call = Call(
            method=method,
            target=target,
            operation=operation,
            mailbox=pair.room_id if pair is not None else "",
            body=body,
            headers=headers or {},
            repeatable=True,
        )
        return self._caller.call(call)

    def booking(self, pair: Pair, booking_id: str) -> Held | Unread | None:
        """A booking of the pair's room, cancelled ones included; None where the platform says that
        there is none. Raises SideError in every other case."""
        answer = self.get(pair, f"/v1/bookings/{quote(booking_id, safe='')}", "booking")
        return self._found(pair, answer)

    def named(self, pair: Pair, tag: str) -> Held | Unread | None:
        """The booking that carries our tag, or carried it last."""
        path = (
            f"{room_path(pair)}/bookings/by-external/{quote(self.external_id(pair, tag), safe='')}"
        )
        return self._found(pair, self.get(pair, path, "by external id"))

    def _found(self, pair: Pair, answer: Answer) -> Held | Unread | None:
        if answer.status == 404:
            if code_of(answer) == "not-found":
                # The platform's own word; a proxy's page is none.
                return None
            fail(answer, pair.room_id)
        return self.read(pair, answer)

    def read(self, pair: Pair, answer: Answer) -> Held | Unread | None:
        """The booking that a good answer holds."""
        return read_booking(body_of(answer, pair.room_id), pair)

    def held(self, pair: Pair, answer: Answer) -> Held:
        """The same, where it must be one that we can read."""
        found = self.read(pair, answer)
        if not isinstance(found, Held):
            why = found.reason if isinstance(found, Unread) else "it is another room's"
            raise BadAnswer(f"the booking that was written: {why}", where=pair.room_id)
        return found

    # --- what is ours ---

    def external_id(self, pair: Pair, tag: str) -> str:
        return _OURS + self._seal.close(pair.room_id, tag)

    def tag(self, pair: Pair, held: Held) -> str | None:
        """Our tag on a booking, where it is one: anybody there can choose an externalId."""
        name = held.external_id
        if name is None or not name.startswith(_OURS):
            return None
        return self._seal.open(pair.room_id, name.removeprefix(_OURS)).tag

    # --- answers to bookings ---

    def waits(self, pair: Pair, held: Held) -> frozenset[str]:
        """The parts of a booking that wait for our answer."""
        if self._directory.room(pair).answered:
            return frozenset()
        with self._lock:
            revision, confirmed = self._confirmed.get(held.id, (-1, frozenset[str]()))
        parts = frozenset(
            name
            for name, part in held.parts.items()
            if not (held.split and is_over(part, pair.zone, held.modified))
        )
        return parts - (confirmed if revision == held.revision else frozenset())

    def confirm_part(self, pair: Pair, held: Held, suffix: str) -> bool:
        """Note our yes to a part; True where no other part waits any more. It is noted in memory
        only: what a restart forgets is answered anew when the booking is seen next."""
        left = self.waits(pair, held) - {suffix}
        with self._lock:
            if len(self._confirmed) >= _MOST:
                self._confirmed.clear()
            self._confirmed[held.id] = (held.revision, frozenset(held.parts) - left)
        return not left


def room_path(pair: Pair) -> str:
    return f"/v1/rooms/{quote(pair.room_id, safe='')}"

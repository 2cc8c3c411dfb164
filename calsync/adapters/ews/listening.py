"""Streaming notifications of one connection: its rooms in groups, a thread for each group."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import monotonic

from calsync.adapters.ews.group import Group, Pace
from calsync.adapters.ews.transport import Transport
from calsync.adapters.wrap.port import Caller
from calsync.model import Pair

log = logging.getLogger("calsync.ews.streams")

#: Subscriptions of one GetStreamingEvents (EWS, "Maintain affinity").
MOST_ROOMS = 200
#: Connections at once of one account (HangingConnectionLimit), by the server's version.
_HANGING = {"2013": 3}
_HANGING_ELSE = 10


class Listener:
    """Hears of changes in the rooms of one connection, and hands the ids of rooms to ``tell``,
    which must be safe to call from other threads.

    ``caller`` is the transport in its wrappers, for what is a request like others; what goes on for
    half an hour has connections of its own, and no place in the budget of open requests. ``stop``
    ends everything, as does ``close``.
    """

    def __init__(
        self,
        *,
        connection: str,
        caller: Caller,
        transport: Transport,
        stop: threading.Event,
        tell: Callable[[str], None],
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
        most_rooms: int = MOST_ROOMS,
    ) -> None:
        self._connection = connection
        self._caller, self._transport = caller, transport
        self._tell, self._chance = tell, chance
        self._pace = pace or Pace()
        self._stop = threading.Event()
        self._stops = (self._stop, stop)
        self._most_rooms = most_rooms
        self._most_groups = _HANGING.get(transport.server.version, _HANGING_ELSE)
        self._groups: list[tuple[Group, dict[str, str]]] = []
        self._threads: list[threading.Thread] = []
        self._left = 0

    def watch(self, pairs: Iterable[Pair]) -> None:
        """Listen to these rooms, of all pairs those of this connection. From one thread."""
        if any(stop.is_set() for stop in self._stops):
            return
        wanted = {
            pair.mailbox: pair.room_id for pair in pairs if pair.connection == self._connection
        }
        before = [dict(rooms) for _, rooms in self._groups]
        for _, rooms in self._groups:
            # Who has a place keeps it: to move would cost all of a group their subscriptions.
            kept = {mailbox: wanted.pop(mailbox) for mailbox in rooms if mailbox in wanted}
            rooms.clear()
            rooms |= kept
        self._seat(dict(sorted(wanted.items())))
        for number, (group, rooms) in enumerate(self._groups):
            if number >= len(before) or rooms != before[number]:
                group.want(rooms)

    @property
    def heard(self) -> int:
        """How many rooms open streams tell of."""
        return sum(group.heard for group, _ in self._groups)

    def _seat(self, newcomers: dict[str, str]) -> None:
        for mailbox, room in newcomers.items():
            free = next((r for _, r in self._groups if len(r) < self._most_rooms), None)
            if free is None:
                if len(self._groups) >= self._most_groups:
                    break
                free = self._open()
            free[mailbox] = room
        left = len(newcomers.keys() - {m for _, rooms in self._groups for m in rooms})
        if left > self._left:
            log.warning(
                "connection %s: %d rooms more than its %d streams of %d rooms can tell of: those"
                " are only polled. A second connection, with an account of its own, can take them",
                self._connection,
                left,
                self._most_groups,
                self._most_rooms,
            )
        self._left = left

    def _open(self) -> dict[str, str]:
        # Their times are over one after the other: every renewal has all its rooms synced.
        minutes = max(1, self._pace.minutes - len(self._groups) % 5)
        group = Group(
            name=f"connection {self._connection}, stream {len(self._groups) + 1}",
            caller=self._caller,
            transport=self._transport,
            tell=self._tell,
            monotonic=monotonic,
            chance=self._chance,
            stops=self._stops,
            pace=replace(self._pace, minutes=minutes),
        )
        rooms: dict[str, str] = {}
        self._groups.append((group, rooms))
        thread = threading.Thread(
            target=group.run, name=f"calsync-listen-{len(self._groups)}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return rooms

    def close(self, grace: float = 1.0) -> None:
        """End at once; threads that are in the middle of a request are left to end by themselves
        (``grace`` seconds in all are waited for them)."""
        self._stop.set()
        until = monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

"""One mailbox: its items, its ids, its numbered changes."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from .items import Instance, Item, Person, expand
from .problems import malformed_id, not_found
from .zones import Zone

if TYPE_CHECKING:
    from .attendant import Processing


@dataclass(frozen=True, slots=True)
class Place:
    """What the directory says about a room."""

    place_id: str
    building: str | None = None
    floor: int | None = None
    capacity: int | None = None
    label: str | None = None
    tags: tuple[str, ...] = ()
    wheelchair: bool = False
    booking_type: str = "standard"
    hidden: bool = False


@dataclass(slots=True)
class Mailbox:
    """A person's or a room's mailbox. Writes go through `put` and `drop` only."""

    address: str
    name: str
    user_id: str
    tag: str
    tenant_id: str
    zone: Zone
    place: Place | None = None
    processing: Processing | None = None
    external: bool = False
    enabled: bool = True
    # Where it lives: "cloud" is served by Graph only, "onprem" by EWS only, "both" by either.
    home: str = "both"
    items: dict[str, Item] = field(default_factory=dict)
    tombs: dict[str, Item] = field(default_factory=dict)
    previous: dict[str, tuple[int, Item | None]] = field(default_factory=dict)
    # A create that arrived twice leaves two items of one uid: the one written last is meant by it,
    # the other one as soon as that is gone.
    by_uid: dict[str, list[str]] = field(default_factory=dict)
    moved: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    change_seqs: list[int] = field(default_factory=list)
    change_keys: list[str] = field(default_factory=list)
    change_times: list[int] = field(default_factory=list)
    last_tick: int = 0
    token_serial: int = 0
    # Grows when a restore voids the resume points handed out before (EWS's SyncState).
    epoch: int = 0
    rounds: OrderedDict[str, Any] = field(default_factory=OrderedDict)

    @property
    def person(self) -> Person:
        """Name and address."""
        return Person(self.name, self.address)

    def next_tick(self, now: int) -> int:
        """Time of a write: strictly rising in one mailbox, also when the clock stands still."""
        self.last_tick = max(now, self.last_tick + 1)
        return self.last_tick

    def put(self, item: Item, now: int) -> Item:
        """Store a new version; answers it with its change number and times."""
        self.seq += 1
        tick = self.next_tick(now)
        old = self.items.get(item.key)
        made = replace(
            item,
            when=item.when.held_in(self.zone),
            overrides={day: one.held_in(self.zone) for day, one in item.overrides.items()},
            change=self.seq,
            modified=tick,
            created=item.created or tick,
        )
        self.previous[item.key] = (tick, old)
        self.items[item.key] = made
        if old is not None:
            self._unfile(old)
        self.by_uid.setdefault(item.uid, []).append(item.key)
        self.tombs.pop(item.key, None)
        if item.transaction_id and old is None:
            self.transactions[item.transaction_id] = item.key
        self._changed(item.key, tick)
        return made

    def drop(self, key: str, now: int) -> Item | None:
        """Remove an item from the calendar (Exchange moves it to Deleted Items)."""
        old = self.items.pop(key, None)
        if old is None:
            return None
        self.seq += 1
        tick = self.next_tick(now)
        self.previous[key] = (tick, old)
        self.tombs[key] = replace(old, change=self.seq, modified=tick)
        self._unfile(old)
        self._changed(key, tick)
        return old

    def move(self, key: str, now: int) -> Item:
        """Out of the folder and back: the normal id changes, the immutable one does not."""
        old = self.items[key]
        made = self.put(replace(old, folder=old.folder % 255 + 1), now)
        self.moved.setdefault(key, []).append((self.seq, old.folder))
        return made

    def file(self) -> None:
        """Find the items by their uids anew, after ``items`` was replaced."""
        self.by_uid = {}
        for key, one in self.items.items():
            self.by_uid.setdefault(one.uid, []).append(key)

    def _unfile(self, old: Item) -> None:
        keys = self.by_uid[old.uid]
        keys.remove(old.key)
        if not keys:
            del self.by_uid[old.uid]

    def _changed(self, key: str, tick: int) -> None:
        self.change_seqs.append(self.seq)
        self.change_keys.append(key)
        self.change_times.append(tick)

    def changed_since(self, seq: int, until: int) -> list[str]:
        """Keys changed after `seq` up to `until`, each once, oldest last change first."""
        low, high = bisect_right(self.change_seqs, seq), bisect_right(self.change_seqs, until)
        return list(reversed(dict.fromkeys(reversed(self.change_keys[low:high]))))

    def seq_at(self, tick: int) -> int:
        """The change number that was current at a time (for a delta that lags)."""
        place = bisect_right(self.change_times, tick)
        return self.change_seqs[place - 1] if place else 0

    def find_uid(self, uid: str) -> Item | None:
        """The item with that iCalUId, if the mailbox has it."""
        keys = self.by_uid.get(uid)
        return self.items[keys[-1]] if keys else None

    def view(self, low: datetime, high: datetime) -> list[Instance]:
        """Expanded calendar between two naive UTC instants."""
        return [found for item in self.items.values() for found in expand(item, low, high)]

    def id_of(self, item: Item, day: date | None = None, *, immutable: bool = False) -> str:
        """Graph id. The normal form holds the folder and so changes on a move.

        Ids are case-sensitive.
        """
        folder = 0 if immutable else item.folder
        text = f"ev{self.tag}{folder:02x}{item.key}{day.strftime('%Y%m%d') if day else '00000000'}"
        return ("AAkA" if immutable else "AAMk") + urlsafe_b64encode(text.encode()).decode()

    def parse_id(self, text: str, *, immutable: bool | None) -> tuple[str, int, date | None]:
        """Key, folder and date of an id; refuses other forms (ErrorInvalidIdMalformed).

        With `immutable` None an id of either form is taken: it says itself which one it is.
        """
        heads = {True: ("AAkA",), False: ("AAMk",), None: ("AAkA", "AAMk")}[immutable]
        if not text.startswith(heads):
            raise malformed_id()
        try:
            plain = urlsafe_b64decode(text[4:].encode()).decode("ascii")
            folder = int(plain[10:12], 16)
            day = None if plain[24:] == "00000000" else date.fromisoformat(plain[24:])
        except (binascii.Error, ValueError, UnicodeError):
            raise malformed_id() from None
        if len(plain) != 32 or not plain.startswith("ev"):
            raise malformed_id()
        if plain[2:10] != self.tag:
            raise not_found()
        return plain[12:24], folder, day

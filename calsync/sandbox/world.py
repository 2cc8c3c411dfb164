"""The synthetic Microsoft 365 world: tenants, mailboxes, mail, and the log that judges a run.

No thread, no wall clock and no global state in here: the clock is a callable passed in, and what
happens later (the attendant's delay, an asynchronous answer) waits in a queue that `settle`
empties. A simulation can therefore run it inline under a virtual clock and one seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from .attendant import Processing
from .items import EPOCH, Item, ticks
from .mailbox import Mailbox, Place
from .problems import Refusal
from .switches import Switches
from .zones import Zone, zone

# Well-known dummy values: they open nothing but a sandbox.
DEFAULT_TENANT = "5a4d0b0c-0000-4000-8000-00000000c0de"
DEFAULT_DOMAIN = "contoso.example"
DEFAULT_CLIENT = "c11e0000-0000-4000-8000-00000000a99a"
DEFAULT_SECRET = "sandbox-secret-for-nothing-else"
OUTSIDE = "outside"
ALL_ROLES = frozenset(
    {"Calendars.ReadWrite", "Place.Read.All", "User.Read.All", "MailboxSettings.Read", "Mail.Send"}
)


@dataclass(slots=True)
class App:
    """A registered application with its permissions; `scope` None means every mailbox."""

    client_id: str
    secrets: list[str]
    name: str
    roles: frozenset[str] = ALL_ROLES
    scope: frozenset[str] | None = None
    assertions: bool = True


@dataclass(slots=True)
class Tenant:
    """One company."""

    tenant_id: str
    domain: str
    apps: dict[str, App] = field(default_factory=dict)
    boxes: dict[str, Mailbox] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)

    def rooms(self) -> list[Mailbox]:
        """Room mailboxes in the order they were made."""
        return [box for box in self.boxes.values() if box.place is not None]


class World:
    """Everything there is, on the Exchange side."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 0) -> None:
        self.clock = clock
        self.seed = seed
        self.random = Random(seed)
        # Ids of requests come from elsewhere: how often a client asks does not change the world.
        self.noise = Random(seed ^ 0x0153)
        self.offset = timedelta(0)
        self.switches = Switches()
        self.tenants: dict[str, Tenant] = {}
        self.addresses: dict[str, Mailbox] = {}
        self.user_ids: dict[str, Mailbox] = {}
        self.tokens: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.mails: list[dict[str, Any]] = []
        self.due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._due_serial = 0
        # What becomes of an item that somebody deletes: only EWS shows Deleted Items.
        self.discard: Callable[[Mailbox, Item], None] = lambda *_: None
        self.add_tenant(DEFAULT_TENANT, DEFAULT_DOMAIN, DEFAULT_CLIENT, DEFAULT_SECRET)

    # -- time -------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The world's aware time: the clock passed in, plus the offset set by the control side."""
        return self.clock() + self.offset

    def utc(self) -> datetime:
        """Now as a naive UTC instant."""
        return self.now().astimezone(UTC).replace(tzinfo=None)

    def tick(self) -> int:
        """Now in ticks."""
        return ticks(self.now())

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Run `act` once the clock has moved on; at once when there is no delay."""
        if seconds <= 0:
            act()
            return
        self._due_serial += 1
        heapq.heappush(self.due, (self.now() + timedelta(seconds=seconds), self._due_serial, act))

    def settle(self) -> None:
        """Do what has fallen due."""
        if not self.due:
            return
        now = self.now()
        while self.due and self.due[0][0] <= now:
            heapq.heappop(self.due)[2]()

    # -- who there is -----------------------------------------------------------------------

    def add_tenant(self, tenant_id: str, domain: str, client_id: str, secret: str) -> Tenant:
        """A further company with one application."""
        tenant = Tenant(tenant_id, domain)
        tenant.apps[client_id] = App(client_id, [secret], "calendar connector")
        self.tenants[tenant_id] = tenant
        return tenant

    def tenant(self, name: str | None = None) -> Tenant:
        """By id or domain; the first one without a name."""
        if not name:
            return next(iter(self.tenants.values()))
        for tenant in self.tenants.values():
            if name.casefold() in (tenant.tenant_id.casefold(), tenant.domain.casefold()):
                return tenant
        raise Refusal(404, "UnknownTenant", f"no tenant {name!r}")

    def uuid(self) -> str:
        """A seeded id of something in the world."""
        return _uuid4(self.random)

    def request_id(self) -> str:
        """A seeded id of a request."""
        return _uuid4(self.noise)

    def add_mailbox(
        self,
        address: str,
        name: str,
        *,
        tenant: Tenant | None = None,
        home: Zone | None = None,
        place: Place | None = None,
        processing: Processing | None = None,
        external: bool = False,
    ) -> Mailbox:
        """A person, or a room when `place` is given."""
        folded = address.casefold()
        if folded in self.addresses:
            raise Refusal(409, "Exists", f"mailbox {address} exists")
        owner = tenant or self.tenant()
        box = Mailbox(
            address=address,
            name=name,
            user_id=self.uuid(),
            tag=f"{self.random.getrandbits(32):08x}",
            tenant_id=OUTSIDE if external else owner.tenant_id,
            zone=home or zone("UTC"),
            place=place,
            processing=(processing or Processing()) if place else None,
            external=external,
        )
        self.addresses[folded] = box
        if not external:
            self.user_ids[box.user_id] = box
            owner.boxes[folded] = box
        return box

    def remove_mailbox(self, box: Mailbox) -> None:
        """Delete a mailbox with all it holds (an admin's act)."""
        self.addresses.pop(box.address.casefold(), None)
        self.user_ids.pop(box.user_id, None)
        for tenant in self.tenants.values():
            tenant.boxes.pop(box.address.casefold(), None)

    def box(self, address: str) -> Mailbox | None:
        """The mailbox of an address, people outside included."""
        return self.addresses.get(address.casefold())

    def person(self, address: str) -> Mailbox:
        """As `box`; an unknown address becomes somebody outside the company."""
        found = self.box(address)
        return found or self.add_mailbox(address, address.split("@")[0], external=True)

    # -- identities -------------------------------------------------------------------------

    def new_key(self) -> str:
        """Key of a new item."""
        return f"{self.random.getrandbits(48):012x}"

    def new_uid(self) -> str:
        """A global object id as Exchange makes it: zero date field, creation time, size, 16
        bytes.
        """
        filetime = self.tick() + 116_444_736_000_000_000
        born = filetime.to_bytes(8, "little").hex().upper()
        tail = f"{self.random.getrandbits(128):032X}"
        return f"040000008200E00074C5B7101A82E00800000000{born}000000000000000010000000{tail}"

    # -- logs -------------------------------------------------------------------------------

    def iso(self) -> str:
        """Now for a log line."""
        return self.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def note(self, who: str, kind: str, **detail: Any) -> dict[str, Any]:
        """Add a line to the one ordered log of acts and writes."""
        line = {"n": len(self.log) + 1, "time": self.iso(), "who": who, "kind": kind, **detail}
        self.log.append(line)
        return line

    def mail(self, kind: str, sender: str, to: str, subject: str, **detail: Any) -> None:
        """One message to one recipient."""
        line = {
            "n": len(self.mails) + 1,
            "time": self.iso(),
            "kind": kind,
            "from": sender,
            "to": to,
            "subject": subject,
        }
        self.mails.append(line | detail)

    # -- storing ----------------------------------------------------------------------------

    def put(self, box: Mailbox, item: Item) -> Item:
        """Store a version under the world's clock."""
        return box.put(item, self.tick())

    def drop(self, box: Mailbox, key: str) -> Item | None:
        """Remove an item under the world's clock."""
        return box.drop(key, self.tick())


def moment_of(tick: int) -> datetime:
    """Naive UTC of a tick count."""
    return EPOCH + timedelta(microseconds=tick // 10)


def _uuid4(random: Random) -> str:
    """As ``uuid.UUID(int=..., version=4)`` spells it, for a third of the time: every answer of the
    front has one."""
    bits = random.getrandbits(128)
    bits = bits & ~(0xC000 << 48) & ~(0xF000 << 64) | 0x8000 << 48 | 4 << 76
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

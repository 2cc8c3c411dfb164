"""Connections as wired up: a tenant by Graph, or an Exchange Server by EWS. With ``bootstrap`` the
only place that names the classes of the calendar sides."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, assert_never
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter

from calsync.adapters.ews import probe as ews_probe
from calsync.adapters.ews import rooms as ews_rooms
from calsync.adapters.ews.listening import Listener
from calsync.adapters.ews.side import EwsSide
from calsync.adapters.ews.signin import Kerberos, Password, SignIn, Token
from calsync.adapters.ews.transport import Server
from calsync.adapters.ews.transport import Transport as EwsTransport
from calsync.adapters.graph import places as graph_places
from calsync.adapters.graph import probe as graph_probe
from calsync.adapters.graph.auth import Certificate, Credential, Federated, MsalTokens, Secret
from calsync.adapters.graph.clouds import Cloud, cloud, custom
from calsync.adapters.graph.side import GraphSide
from calsync.adapters.graph.transport import Transport
from calsync.adapters.webhooks.post import Carrier
from calsync.adapters.wrap.logged import Logged
from calsync.adapters.wrap.paced import Paced
from calsync.adapters.wrap.port import Answer
from calsync.adapters.wrap.retried import Retried
from calsync.model import Pair, ResourceCalendar
from calsync.pacing import EWS_WHOLE, WHOLE, Limit
from calsync.ports import Clock
from calsync.settings import Connection
from calsync.settings.secret import warn_of_readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run under virtual time and one seed puts in place of the machine's own.

    ``wire`` carries HTTP requests instead of the network, ``carrier`` webhooks. ``stop`` makes the
    event on which retries wait, ``wait_on`` waits for a budget of calls. ``chance`` is for jitter.
    ``new_id`` names pairs and bookings. ``ready``: the database has its tables already.
    """

    wire: Callable[[], BaseAdapter] | None = None
    carrier: Carrier | None = None
    stop: Callable[[], threading.Event] = threading.Event
    wait_on: Callable[[threading.Condition, float], object] = threading.Condition.wait
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: token_hex(10)
    ready: bool = False


MACHINE = Surroundings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all connections of a process share. ``tag_key``: the secret under which tags are
    sealed. ``threads``: calls that may run at once."""

    clock: Clock
    stop: threading.Event
    around: Surroundings
    tag_key: bytes
    subject_fallback: str
    threads: int


@dataclass(slots=True, kw_only=True)
class GraphLink:
    """A tenant: its transport in its wrappers, and the side over it."""

    name: str
    calls: Logged
    caller: Retried
    side: GraphSide
    transport: Transport
    tokens: MsalTokens

    def open_mailbox(self, mailbox: str, *, patient: bool = True) -> Answer:
        """Open a calendar. Raises what stands in the way. ``patient`` False: one try."""
        return graph_places.open_mailbox(self.caller if patient else self.calls, mailbox)

    def read_day(self, mailbox: str, day: datetime) -> Answer:
        """Read a day of a room's calendar. Raises what stands in the way."""
        return graph_probe.read_day(self.caller, mailbox, day)

    def write_and_delete(self, pair: Pair, at: datetime) -> None:
        """Make an event nobody sees, and delete it. Raises what stands in the way."""
        graph_probe.write_and_delete(self.side.box(pair), at)

    def directory(self) -> list[tuple[ResourceCalendar, tuple[str, ...]]]:
        """The rooms it lists, each with the room lists that hold it."""
        found = graph_places.directory(self.caller)
        return [(one.calendar, tuple(one.lists)) for one in found]

    def close(self) -> None:
        self.transport.close()
        self.tokens.close()


@dataclass(slots=True, kw_only=True)
class EwsLink:
    """An Exchange Server: its transport in its wrappers, and the side over it. ``tokens``: where
    it signs in by those of Entra. ``streaming``: changes are listened for, too."""

    name: str
    calls: Logged
    caller: Retried
    side: EwsSide
    transport: EwsTransport
    tokens: MsalTokens | None
    streaming: bool = True

    def open_mailbox(self, mailbox: str, *, patient: bool = True) -> Answer:
        """Open a calendar. Raises what stands in the way. ``patient`` False: one try."""
        caller = self.caller if patient else self.calls
        return ews_rooms.open_mailbox(caller, self.transport.server, mailbox)

    def read_day(self, mailbox: str, day: datetime) -> Answer:
        """Read a day of a room's calendar. Raises what stands in the way."""
        return ews_probe.read_day(self.caller, self.transport.server, mailbox, day)

    def write_and_delete(self, pair: Pair, at: datetime) -> None:
        """Make an event nobody sees, and delete it. Raises what stands in the way."""
        ews_probe.write_and_delete(self.side.box(pair), at)

    def directory(self) -> list[tuple[ResourceCalendar, tuple[str, ...]]]:
        """The rooms of the server's room lists, each with the lists that hold it."""
        found = ews_rooms.directory(self.caller)
        return [(one.calendar, tuple(one.lists)) for one in found]

    def listener(self, stop: threading.Event, tell: Callable[[str], None]) -> Listener:
        """What hears of changes in its rooms at once, and hands their ids to ``tell``."""
        return Listener(
            connection=self.name,
            caller=self.caller,
            transport=self.transport,
            stop=stop,
            tell=tell,
        )

    def close(self) -> None:
        self.transport.close()
        if self.tokens is not None:
            self.tokens.close()


Link = GraphLink | EwsLink


def wire_up(entry: Connection, common: Common) -> Link:
    """The connection, wired. Secrets are read now; no network is used yet."""
    if entry.kind == "ews":
        return _ews(entry, common)
    place = _cloud(entry)
    wire = _wire(common)
    tokens = _tokens(entry, place, common, wire)
    transport = Transport(
        cloud=place,
        tenant_id=entry.tenant_id,
        tokens=tokens,
        clock=common.clock,
        pool=common.threads + 2,
        wire=wire,
    )
    calls, caller = _wrapped(transport, common, WHOLE)
    side = GraphSide(
        connection=entry.name,
        cloud=place,
        caller=caller,
        clock=common.clock,
        tag_key=common.tag_key,
        subject_fallback=common.subject_fallback,
    )
    return GraphLink(
        name=entry.name, calls=calls, caller=caller, side=side, transport=transport, tokens=tokens
    )


def _ews(entry: Connection, common: Common) -> EwsLink:
    wire = _wire(common)
    how = _sign_in(entry, common, wire)
    server = Server(endpoint=entry.endpoint, version=entry.server, impersonate=entry.impersonation)
    transport = EwsTransport(
        server=server,
        how=how,
        clock=common.clock,
        pool=min(common.threads + 2, int(EWS_WHOLE.in_flight) + 2),
        verify=entry.ca_bundle or True,
        wire=wire,
    )
    calls, caller = _wrapped(transport, common, EWS_WHOLE)
    side = EwsSide(
        connection=entry.name,
        server=server,
        caller=caller,
        clock=common.clock,
        tag_key=common.tag_key,
        subject_fallback=common.subject_fallback,
    )
    tokens = how.tokens if isinstance(how, Token) else None
    return EwsLink(
        name=entry.name,
        calls=calls,
        caller=caller,
        side=side,
        transport=transport,
        tokens=tokens if isinstance(tokens, MsalTokens) else None,
        streaming=entry.streaming,
    )


def identity(entry: Connection) -> str:
    """What the rooms of a connection are bound to: its tenant, or the name of its server."""
    return entry.tenant_id if entry.kind == "graph" else urlsplit(entry.endpoint).netloc


def _wire(common: Common) -> BaseAdapter | None:
    return common.around.wire() if common.around.wire is not None else None


def _wrapped(transport: Any, common: Common, whole: Limit) -> tuple[Logged, Retried]:
    logged = Logged(transport)
    paced = Paced(
        logged,
        monotonic=common.clock.monotonic,
        stop=common.stop,
        whole=whole,
        wait_on=common.around.wait_on,
    )
    return logged, Retried(paced, stop=common.stop, chance=common.around.chance)


def _tokens(
    entry: Connection, place: Cloud, common: Common, wire: BaseAdapter | None
) -> MsalTokens:
    return MsalTokens(
        cloud=place,
        tenant_id=entry.tenant_id,
        client_id=entry.client_id,
        credential=_credential(entry),
        clock=common.clock,
        wire=wire,
    )


def _sign_in(entry: Connection, common: Common, wire: BaseAdapter | None) -> SignIn:
    match entry.auth:
        case "oauth":
            # The resource that the token is for is the server itself (Hybrid Modern Auth).
            parts = urlsplit(entry.endpoint)
            login = entry.login_url or cloud(entry.cloud).login
            place = custom(login=login, graph=f"{parts.scheme}://{parts.netloc}")
            return Token(_tokens(entry, place, common, wire))
        case "kerberos":
            return Kerberos()
        case kind:
            password = entry.password
            assert password is not None
            return Password(kind=kind, user=entry.user, password=password.read())


def _cloud(entry: Connection) -> Cloud:
    if entry.cloud == "custom":
        return custom(login=entry.login_url, graph=entry.graph_url)
    return cloud(entry.cloud)


def _credential(entry: Connection) -> Credential:
    match entry.credential:
        case "certificate":
            password = entry.certificate_password
            warn_of_readers(entry.certificate_file, where=f"connection {entry.name}")
            return Certificate(
                path=Path(entry.certificate_file),
                passphrase=password.read() if password is not None else None,
            )
        case "federated":
            token = entry.federated_token
            assert token is not None
            return Federated(token.read)
        case "secret":
            secret = entry.client_secret
            assert secret is not None
            return Secret(secret.read())
        case other:
            assert_never(other)  # type: ignore[arg-type]  # the settings allow these three only

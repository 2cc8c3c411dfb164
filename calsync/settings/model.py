"""The settings as frozen values. Each field carries the check of what it may be.

Units and reasons to change a setting are written once, in ``settings.example.toml``, which a
test keeps equal to these defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time

from calsync.mapping.reactions import read_reactions
from calsync.model import (
    ClashPolicy,
    EditPolicy,
    OrganizerFallback,
    Reaction,
    Reactions,
    WriteAs,
)
from calsync.settings import checks
from calsync.settings.checks import checked
from calsync.settings.notices import Channel, Notices, Smtp
from calsync.settings.secret import SecretRef

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    url: str = field(default="sqlite:///calsync.db", metadata=checked(checks.database_url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    host: str = field(default="127.0.0.1", metadata=checked(checks.filled))
    port: int = field(default=8080, metadata=checked(checks.whole(0, 65535)))
    requests_per_minute: int = field(default=1200, metadata=checked(checks.whole(0, 1_000_000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Durations in seconds. ``full_compare_at``: this machine's local time."""

    poll_floor: float = field(default=180.0, metadata=checked(checks.duration(1, _DAY)))
    poll_ceiling: float = field(default=360.0, metadata=checked(checks.duration(1, _DAY)))
    threads: int = field(default=8, metadata=checked(checks.whole(1, 64)))
    full_compare_at: time = field(default=time(2, 30), metadata=checked(checks.time_of_day))
    shutdown_grace: float = field(default=4.0, metadata=checked(checks.duration(0, 300)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWindow:
    """Days back from, and ahead of, today."""

    past_days: int = field(default=1, metadata=checked(checks.whole(0, 365)))
    future_days: int = field(default=400, metadata=checked(checks.whole(1, 1825)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """A plan that deletes or moves more than the larger of the first two stops its room. Writes of
    one booking, and changes and deletions of one room, are counted by the hour."""

    max_deletions: int = field(default=5, metadata=checked(checks.whole(0, 100_000)))
    max_share: float = field(default=0.10, metadata=checked(checks.number(0.0, 1.0)))
    max_writes_per_booking: int = field(default=20, metadata=checked(checks.whole(1, 100_000)))
    max_writes_per_room: int = field(default=200, metadata=checked(checks.whole(1, 1_000_000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policies of rooms that name none of their own."""

    edit: str = field(default="origin", metadata=checked(checks.choice(*EditPolicy)))
    clash: str = field(default="first", metadata=checked(checks.choice(*ClashPolicy)))


_REACTION = checks.choice(*Reaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookRules:
    """What a booking made in Outlook gets for breaking a rule that the platform has for its room,
    in rooms that say nothing of their own."""

    opening_hours: str = field(default="nothing", metadata=checked(_REACTION))
    notice: str = field(default="nothing", metadata=checked(_REACTION))
    length: str = field(default="nothing", metadata=checked(_REACTION))
    ahead: str = field(default="nothing", metadata=checked(_REACTION))
    seats: str = field(default="nothing", metadata=checked(_REACTION))

    def reactions(self, text: str = "") -> Reactions:
        """These, with what a room says of its own."""
        return read_reactions(
            text,
            Reactions(
                opening_hours=Reaction(self.opening_hours),
                notice=Reaction(self.notice),
                length=Reaction(self.length),
                ahead=Reaction(self.ahead),
                seats=Reaction(self.seats),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days after the end of an item."""

    details_days: int = field(default=30, metadata=checked(checks.whole(1, 3650)))
    links_days: int = field(default=400, metadata=checked(checks.whole(1, 3650)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """``book_ahead_days``, ``longest_minutes`` and ``series`` say what the platform allows (0: it
    sets no limit, or none is known); only ``calsync check --processing`` compares them."""

    subject_fallback: str = field(default="Booked", metadata=checked(checks.filled))
    book_ahead_days: int = field(default=0, metadata=checked(checks.whole(0, 3650)))
    longest_minutes: int = field(default=0, metadata=checked(checks.whole(0, 525_600)))
    series: bool = field(default=True, metadata=checked(checks.flag))


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingSource:
    """Where the bookings are: the hub in this calsync, or a platform that is polled (``http``).
    ``timeout``: seconds for one whole answer."""

    kind: str = field(default="hub", metadata=checked(checks.choice("hub", "http")))
    base_url: str = field(default="", metadata=checked(checks.optional(checks.base_address)))
    token_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    token_file: str = field(default="", metadata=checked(checks.text))
    ca_file: str = field(default="", metadata=checked(checks.text))
    allowed_networks: tuple[str, ...] = field(default=(), metadata=checked(checks.networks))
    requests_per_minute: int = field(default=600, metadata=checked(checks.whole(1, 1_000_000)))
    calls_at_once: int = field(default=4, metadata=checked(checks.whole(1, 64)))
    timeout: float = field(default=60.0, metadata=checked(checks.duration(1, 600)))

    @property
    def token(self) -> SecretRef:
        """Where the token of the platform is."""
        return SecretRef(env=self.token_env, file=self.token_file, where="[booking] token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """``timeout``: seconds for a whole try. ``keep_days``: how long a message can be replayed."""

    key_file: str = field(default="calsync.key", metadata=checked(checks.filled))
    allowed_networks: tuple[str, ...] = field(default=(), metadata=checked(checks.networks))
    timeout: float = field(default=20.0, metadata=checked(checks.duration(1, 60)))
    keep_days: int = field(default=30, metadata=checked(checks.whole(1, 365)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    level: str = field(
        default="info", metadata=checked(checks.choice("debug", "info", "warning", "error"))
    )
    file: str = field(default="", metadata=checked(checks.text))
    json: bool = field(default=False, metadata=checked(checks.flag))


CLOUD_NAMES = ("global", "us-gov-l4", "us-gov-l5", "china", "custom")
CREDENTIALS = ("secret", "certificate", "federated")


KINDS = ("graph", "ews")
AUTHS = ("ntlm", "kerberos", "basic", "oauth")
SERVERS = ("2013", "2016", "2019", "se")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One tenant of Exchange Online, with the app that calsync signs in as (kind ``graph``), or one
    Exchange Server with its service account (kind ``ews``). Which settings go with which kind is
    in ``rules``."""

    name: str = field(metadata=checked(checks.name))
    kind: str = field(default="graph", metadata=checked(checks.choice(*KINDS)))
    endpoint: str = field(default="", metadata=checked(checks.optional(checks.endpoint)))
    server: str = field(default="se", metadata=checked(checks.choice(*SERVERS)))
    auth: str = field(default="ntlm", metadata=checked(checks.choice(*AUTHS)))
    user: str = field(default="", metadata=checked(checks.text))
    password_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    password_file: str = field(default="", metadata=checked(checks.text))
    impersonation: bool = field(default=True, metadata=checked(checks.flag))
    streaming: bool = field(default=True, metadata=checked(checks.flag))
    ca_bundle: str = field(default="", metadata=checked(checks.text))
    tenant_id: str = field(default="", metadata=checked(checks.tenant))
    client_id: str = field(default="", metadata=checked(checks.filled))
    cloud: str = field(default="global", metadata=checked(checks.choice(*CLOUD_NAMES)))
    login_url: str = field(default="", metadata=checked(checks.optional(checks.origin)))
    graph_url: str = field(default="", metadata=checked(checks.optional(checks.origin)))
    credential: str = field(default="secret", metadata=checked(checks.choice(*CREDENTIALS)))
    client_secret_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    client_secret_file: str = field(default="", metadata=checked(checks.text))
    certificate_file: str = field(default="", metadata=checked(checks.text))
    certificate_password_env: str = field(
        default="", metadata=checked(checks.optional(checks.variable))
    )
    certificate_password_file: str = field(default="", metadata=checked(checks.text))
    federated_token_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    federated_token_file: str = field(default="", metadata=checked(checks.text))
    client_secret_expires: date | None = field(default=None, metadata=checked(checks.day))
    outside_mailbox: str = field(default="", metadata=checked(checks.optional(checks.mailbox)))
    moves_to: str = field(default="", metadata=checked(checks.optional(checks.name)))

    @property
    def password(self) -> SecretRef | None:
        """Where the password of the service account is; None unless ``auth`` needs one."""
        return self._ref("password") if self.auth in ("ntlm", "basic") else None

    @property
    def client_secret(self) -> SecretRef | None:
        """Where the client secret is; None unless ``credential`` is ``secret``."""
        return self._ref("client_secret") if self.credential == "secret" else None

    @property
    def certificate_password(self) -> SecretRef | None:
        """Where the certificate's passphrase is; None where it has none."""
        return self._ref("certificate_password") if self.credential == "certificate" else None

    @property
    def federated_token(self) -> SecretRef | None:
        """Where the assertion is; read anew for each sign-in, because it expires."""
        return self._ref("federated_token") if self.credential == "federated" else None

    def _ref(self, stem: str) -> SecretRef | None:
        env, file = getattr(self, f"{stem}_env"), getattr(self, f"{stem}_file")
        if not env and not file:
            return None
        return SecretRef(env=env, file=file, where=f"connection {self.name}, {stem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntry:
    """A room and its mapping, for those who keep both in a file. Empty policy: the default's."""

    id: str = field(metadata=checked(checks.name))
    name: str = field(metadata=checked(checks.filled))
    zone: str = field(metadata=checked(checks.zone))
    building: str = field(default="", metadata=checked(checks.text))
    floor: str = field(default="", metadata=checked(checks.text))
    capacity: int | None = field(default=None, metadata=checked(checks.whole(1, 100_000)))
    mailbox: str = field(default="", metadata=checked(checks.optional(checks.mailbox)))
    connection: str = field(default="", metadata=checked(checks.optional(checks.name)))
    titles: bool = field(default=False, metadata=checked(checks.flag))
    edit_policy: str = field(
        default="", metadata=checked(checks.optional(checks.choice(*EditPolicy)))
    )
    clash_policy: str = field(
        default="", metadata=checked(checks.optional(checks.choice(*ClashPolicy)))
    )
    outlook_rules: str = field(default="", metadata=checked(checks.reactions))
    write_as: str = field(default="room", metadata=checked(checks.choice(*WriteAs)))
    organizer_fallback: str = field(
        default="refuse", metadata=checked(checks.choice(*OrganizerFallback))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an admin can set. ``path`` is the file it came from."""

    path: str = ""
    database: Database = field(default_factory=Database)
    api: Api = field(default_factory=Api)
    worker: Worker = field(default_factory=Worker)
    window: SyncWindow = field(default_factory=SyncWindow)
    guard: GuardLimits = field(default_factory=GuardLimits)
    policy: Policy = field(default_factory=Policy)
    outlook_rules: OutlookRules = field(default_factory=OutlookRules)
    notices: Notices = field(default_factory=Notices)
    smtp: Smtp = field(default_factory=Smtp)
    retention: Retention = field(default_factory=Retention)
    platform: Platform = field(default_factory=Platform)
    booking: BookingSource = field(default_factory=BookingSource)
    webhooks: Webhooks = field(default_factory=Webhooks)
    log: Log = field(default_factory=Log)
    connections: tuple[Connection, ...] = ()
    rooms: tuple[RoomEntry, ...] = ()
    channels: tuple[Channel, ...] = ()

    def connection(self, name: str) -> Connection | None:
        """The connection of that name."""
        return next((entry for entry in self.connections if entry.name == name), None)

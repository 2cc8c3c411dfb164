"""The settings of notices: what is sent, to whom, in which words, and through which channels."""

from __future__ import annotations

from dataclasses import dataclass, field

from calsync.model import NoticeKind
from calsync.settings import checks
from calsync.settings.checks import checked
from calsync.settings.secret import SecretRef

#: Of which a person can be told; as in ``adapters.notify.dates``, which a test compares.
LANGUAGES = ("en", "nl", "sv", "ko")
SECURITY = ("starttls", "tls", "none")
#: Names that a channel of the admin's cannot have.
TAKEN = ("mail", "webhooks")
_KINDS = tuple(kind.value for kind in NoticeKind)
#: A warning is about a meeting of which the platform has no booking yet: there is no id to tell.
_TO_PLATFORMS = tuple(kind for kind in _KINDS if kind != NoticeKind.WARNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """``lead``: seconds before the start at which a booking is about to start. ``languages``: of
    addresses and domains."""

    enabled: bool = field(default=False, metadata=checked(checks.flag))
    via: str = field(default="graph", metadata=checked(checks.choice("graph", "smtp")))
    sender: str = field(default="", metadata=checked(checks.optional(checks.mailbox)))
    sender_name: str = field(default="", metadata=checked(checks.text))
    kinds: tuple[str, ...] = field(
        default=("confirmed", "rejected", "changed", "cancelled", "warned"),
        metadata=checked(checks.choices(*_KINDS)),
    )
    webhook_kinds: tuple[str, ...] = field(
        default=(), metadata=checked(checks.choices(*_TO_PLATFORMS))
    )
    lead: float = field(default=600.0, metadata=checked(checks.duration(60, 86400)))
    language: str = field(default="en", metadata=checked(checks.choice(*LANGUAGES)))
    languages: tuple[tuple[str, str], ...] = field(
        default=(), metadata=checked(checks.by_address(*LANGUAGES))
    )
    titles: bool = field(default=False, metadata=checked(checks.flag))
    calendar: bool = field(default=True, metadata=checked(checks.flag))
    templates: str = field(default="", metadata=checked(checks.text))
    max_per_room_day: int = field(default=100, metadata=checked(checks.whole(1, 100_000)))
    max_per_person_day: int = field(default=100, metadata=checked(checks.whole(1, 100_000)))

    @property
    def unheard(self) -> str:
        """Why a warning would reach nobody; empty where it does."""
        if not self.enabled:
            return "nobody can be warned: notices are off"
        if NoticeKind.WARNED not in self.kinds:
            return 'nobody can be warned: kinds under [notices] has no "warned"'
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """The mail server, where notices leave by one. ``port`` 0: the usual one. ``timeout``: seconds
    for a whole mail."""

    host: str = field(default="", metadata=checked(checks.optional(checks.host)))
    port: int = field(default=0, metadata=checked(checks.whole(0, 65535)))
    security: str = field(default="starttls", metadata=checked(checks.choice(*SECURITY)))
    ca_file: str = field(default="", metadata=checked(checks.text))
    user: str = field(default="", metadata=checked(checks.text))
    password_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    password_file: str = field(default="", metadata=checked(checks.text))
    timeout: float = field(default=30.0, metadata=checked(checks.duration(1, 300)))

    @property
    def password(self) -> SecretRef | None:
        """Where the password is; None where the server wants none."""
        if not self.password_env and not self.password_file:
            return None
        return SecretRef(env=self.password_env, file=self.password_file, where="smtp, password")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A shared channel (Teams, Slack, …). Its address is a secret: who has it can write there."""

    name: str = field(metadata=checked(checks.name))
    url_env: str = field(default="", metadata=checked(checks.optional(checks.variable)))
    url_file: str = field(default="", metadata=checked(checks.text))
    kinds: tuple[str, ...] = field(
        default=("rejected", "changed", "cancelled"), metadata=checked(checks.choices(*_KINDS))
    )
    rooms: tuple[str, ...] = field(default=(), metadata=checked(checks.names))
    language: str = field(default="", metadata=checked(checks.optional(checks.choice(*LANGUAGES))))
    details: bool = field(default=False, metadata=checked(checks.flag))

    @property
    def url(self) -> SecretRef:
        return SecretRef(env=self.url_env, file=self.url_file, where=f"channel {self.name}, url")

"""Settings that are right one by one and wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import fields

from calsync.model import Reaction
from calsync.settings.checks import LOOPBACK, span
from calsync.settings.model import BookingSource, Connection, Settings
from calsync.settings.notices import TAKEN

Path = tuple[str | int, ...]
#: Where, what, and what to do.
Finding = tuple[Path, str, str]


def contradictions(settings: Settings, broken: Set[Path]) -> Iterator[Finding]:
    """Every contradiction; none that involves a setting in ``broken``, which is reported
    already and stands in here with its default."""
    for involved, finding in _pairs(settings):
        if broken.isdisjoint(involved):
            yield finding
    # An entry that could not be read moves the numbers of those after it.
    if not any(path[0] == "booking" for path in broken):
        yield from _booking(settings.booking)
    if not any(path[0] == "connections" for path in broken):
        for number, connection in enumerate(settings.connections):
            yield from _connection(connection, ("connections", number))
        yield from _repeated("connections", "name", [c.name for c in settings.connections])
        yield from _moves(settings)
        if not any(path[0] == "rooms" for path in broken):
            yield from _rooms(settings)
    if not any(path[0] == "channels" for path in broken):
        yield from _channels(settings)


def _pairs(settings: Settings) -> Iterator[tuple[set[Path], Finding]]:
    worker, window, keep = settings.worker, settings.window, settings.retention
    floor, ceiling = ("worker", "poll_floor"), ("worker", "poll_ceiling")
    if worker.poll_floor > worker.poll_ceiling:
        yield (
            {floor, ceiling},
            (
                floor,
                f"{span(worker.poll_floor)} is above poll_ceiling ({span(worker.poll_ceiling)})",
                "Lower it, or raise poll_ceiling",
            ),
        )
    details, links, past = (
        ("retention", "details_days"),
        ("retention", "links_days"),
        ("window", "past_days"),
    )
    if keep.links_days < keep.details_days:
        yield (
            {details, links},
            (links, f"is below details_days ({keep.details_days})", "Raise it"),
        )
    if keep.details_days <= window.past_days:
        yield (
            {details, past},
            (
                details,
                f"must be more than window.past_days ({window.past_days}): what is still synced"
                " cannot be forgotten",
                "Raise it, or lower past_days",
            ),
        )
    yield from _mail(settings)


def _mail(settings: Settings) -> Iterator[tuple[set[Path], Finding]]:
    notices, smtp = settings.notices, settings.smtp
    enabled, sender, via = ("notices", "enabled"), ("notices", "sender"), ("notices", "via")
    host, security = ("smtp", "host"), ("smtp", "security")
    if notices.enabled and not notices.sender:
        yield (
            {enabled, sender},
            (
                enabled,
                "notices need a mailbox that sends them",
                'Add sender = "rooms@your-domain" under [notices], or set enabled = false',
            ),
        )
    if notices.enabled and notices.via == "smtp" and not smtp.host:
        yield (
            {enabled, via, host},
            (via, "mail by SMTP needs a server", 'Add host = "smtp.your-domain" under [smtp]'),
        )
    password: set[Path] = {("smtp", "password_env"), ("smtp", "password_file")}
    if smtp.password_env and smtp.password_file:
        yield (
            password,
            (("smtp", "password_env"), "is given twice: here and as password_file", "Keep one"),
        )
    if bool(smtp.user) != (smtp.password is not None):
        missing = "password_env or password_file" if smtp.user else "user"
        yield (
            {("smtp", "user"), *password},
            (("smtp", "user"), f"user and password go together: {missing} is missing", "Add it"),
        )
    if smtp.security == "none" and smtp.user and smtp.host not in LOOPBACK:
        yield (
            {security, host, ("smtp", "user")},
            (
                security,
                "a password would travel unencrypted",
                'Set security = "starttls" or "tls", or take user and password out',
            ),
        )
    yield from _warnings(settings)


def _warnings(settings: Settings) -> Iterator[tuple[set[Path], Finding]]:
    """A warning that nobody gets is none."""
    what = settings.notices.unheard
    if not what:
        return
    involved: set[Path] = {("notices", "enabled"), ("notices", "kinds")}
    todo = "Switch them on under [notices], or choose nothing or decline"
    for rule in fields(settings.outlook_rules):
        if getattr(settings.outlook_rules, rule.name) == Reaction.WARN:
            path: Path = ("outlook_rules", rule.name)
            yield {*involved, path}, (path, what, todo)
    for number, room in enumerate(settings.rooms):
        if f"={Reaction.WARN}" in room.outlook_rules:
            path = ("rooms", number, "outlook_rules")
            yield {*involved, path, ("rooms",)}, (path, what, todo)


def _booking(source: BookingSource) -> Iterator[Finding]:
    given = [key for key in ("token_env", "token_file") if getattr(source, key)]
    if source.kind == "hub":
        for key in ("base_url", *given, "ca_file"):
            if getattr(source, key):
                what = 'does not go with kind "hub"'
                yield ("booking", key), what, 'Take it out, or set kind = "http"'
        return
    if not source.base_url:
        todo = 'Add base_url = "https://…": the platform\'s address, below which /v1 lies'
        yield ("booking", "kind"), "a platform that is polled needs base_url", todo
    if not given:
        what = "a platform that is polled needs token_env or token_file"
        yield ("booking", "kind"), what, 'Add token_env = "NAME_OF_A_VARIABLE" under [booking]'
    if len(given) == 2:
        yield ("booking", "token_env"), "is given twice: here and as token_file", "Keep one"


def _moves(settings: Settings) -> Iterator[Finding]:
    """Where mailboxes of a connection are being moved to."""
    names = [connection.name for connection in settings.connections]
    for number, entry in enumerate(settings.connections):
        others = [name for name in names if name != entry.name]
        if entry.moves_to and entry.moves_to not in others:
            yield (
                ("connections", number, "moves_to"),
                f"there is no other connection {entry.moves_to}",
                f"Choose one of: {', '.join(others)}" if others else "Take it out",
            )


_NEEDED = {
    "secret": ("client_secret_env", "client_secret_file"),
    "certificate": ("certificate_file",),
    "federated": ("federated_token_env", "federated_token_file"),
}
_OPTIONAL = {"certificate": ("certificate_password_env", "certificate_password_file")}


#: Settings of one kind alone.
_EWS_ONLY = ("endpoint", "user", "password_env", "password_file", "ca_bundle")
_APP = ("tenant_id", "client_id")
_EXAMPLE = "See settings.example.toml for every setting"


def _connection(entry: Connection, path: Path) -> Iterator[Finding]:
    if entry.kind == "ews":
        yield from _server(entry, path)
        return
    yield from _strangers(entry, path, _EWS_ONLY, "kind graph")
    yield from _app(entry, path, ("login_url", "graph_url"))


def _server(entry: Connection, path: Path) -> Iterator[Finding]:
    """An Exchange Server: where it is, and who signs in."""
    if not entry.endpoint:
        todo = 'Add endpoint = "https://mail.contoso.com/EWS/Exchange.asmx"'
        yield ((*path, "endpoint"), "kind ews needs the address of the server", todo)
    yield from _strangers(entry, path, ("graph_url",), "kind ews")
    account = ("user", "password_env", "password_file")
    every = [*_NEEDED["secret"], *_NEEDED["certificate"], *_NEEDED["federated"]]
    if entry.auth == "oauth":
        for key in _APP:
            if not getattr(entry, key):
                yield ((*path, key), "auth oauth needs it", _EXAMPLE)
        yield from _strangers(entry, path, account, "auth oauth")
        yield from _app(entry, path, ("login_url",))
        return
    yield from _strangers(entry, path, (*_APP, *every), f"auth {entry.auth}")
    if entry.auth == "kerberos":
        yield from _strangers(entry, path, account, "auth kerberos")
        return
    if not entry.user:
        todo = 'Add user = "CONTOSO\\\\svc-calsync", or its address'
        yield ((*path, "user"), f"auth {entry.auth} needs a service account", todo)
    if not (entry.password_env or entry.password_file):
        what = f"auth {entry.auth} needs password_env or password_file"
        yield ((*path, "auth"), what, "Add password_env to this connection")
    if entry.password_env and entry.password_file:
        what = "is given twice: here and as password_file"
        yield ((*path, "password_env"), what, "Keep one of the two")


def _strangers(entry: Connection, path: Path, keys: Sequence[str], what: str) -> Iterator[Finding]:
    for key in keys:
        if getattr(entry, key):
            yield ((*path, key), f"does not go with {what}", "Take it out")


def _app(entry: Connection, path: Path, addresses: Sequence[str]) -> Iterator[Finding]:
    """The app in Entra, and its credential."""
    for key in addresses:
        if entry.cloud == "custom" and not getattr(entry, key):
            yield (
                (*path, "cloud"),
                f"the custom cloud needs {key}",
                f'Add {key} = "https://…", or choose another cloud',
            )
        if entry.cloud != "custom" and getattr(entry, key):
            yield (
                (*path, key),
                f"cloud {entry.cloud} has its own addresses",
                'Take it out, or set cloud = "custom"',
            )
    needed = _NEEDED[entry.credential]
    if not any(getattr(entry, key) for key in needed):
        yield (
            (*path, "credential"),
            f"credential {entry.credential} needs {' or '.join(needed)}",
            f"Add {needed[0]} to this connection",
        )
    allowed = {*needed, *_OPTIONAL.get(entry.credential, ())}
    every = [key for keys in (*_NEEDED.values(), *_OPTIONAL.values()) for key in keys]
    for key in every:
        if getattr(entry, key) and key not in allowed:
            yield (
                (*path, key),
                f"does not go with credential {entry.credential}",
                "Take it out, or choose the credential it belongs to",
            )
    for key in allowed:
        twin = f"{key.removesuffix('_env')}_file"
        if key.endswith("_env") and getattr(entry, key) and getattr(entry, twin):
            yield ((*path, key), f"is given twice: here and as {twin}", "Keep one of the two")


def _channels(settings: Settings) -> Iterator[Finding]:
    yield from _repeated("channels", "name", [channel.name for channel in settings.channels])
    for number, channel in enumerate(settings.channels):
        path: Path = ("channels", number)
        if channel.name in TAKEN:
            what = f"{channel.name} is a name that calsync itself uses"
            yield ((*path, "name"), what, "Choose another")
        if not channel.url_env and not channel.url_file:
            yield ((*path, "name"), "it has no address", "Add url_env, or url_file")
        if channel.url_env and channel.url_file:
            yield ((*path, "url_env"), "is given twice: here and as url_file", "Keep one")


def _rooms(settings: Settings) -> Iterator[Finding]:
    rooms = settings.rooms
    names = [connection.name for connection in settings.connections]
    yield from _repeated("rooms", "id", [room.id for room in rooms])
    yield from _repeated("rooms", "mailbox", [room.mailbox for room in rooms])
    for number, room in enumerate(rooms):
        path: Path = ("rooms", number)
        if room.connection and room.connection not in names:
            yield (
                (*path, "connection"),
                f"there is no connection {room.connection}",
                f"Choose one of: {', '.join(names)}" if names else "Add it under [[connections]]",
            )
        if room.connection and not room.mailbox:
            yield (
                (*path, "connection"),
                "a connection without a mailbox maps nothing",
                "Add mailbox, or take connection out",
            )
        if room.mailbox and not room.connection and len(names) != 1:
            yield (
                (*path, "mailbox"),
                "it is not clear through which connection to reach it",
                "Add connection" if names else "Add one under [[connections]]",
            )


def _repeated(section: str, key: str, values: Sequence[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        if value and value in first:
            yield (
                (section, number, key),
                f"{value} is used by entry {first[value] + 1} already",
                "Give each entry its own",
            )
        first.setdefault(value, number)

"""Everything that has to be right before rooms are synced, tried one by one on the real thing.

Nothing that people could see is changed: the one event that is written is free, private, without
attendees, far ahead, and deleted at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from calsync.adapters.graph import probe
from calsync.adapters.wrap.port import Answer
from calsync.connections import EwsLink, Link
from calsync.errors import AccessDenied, CalsyncError, MailboxMissing, SideError, Unavailable
from calsync.mapping import zones
from calsync.model import Pair
from calsync.settings import Connection
from calsync.setup.expiry import expiry
from calsync.setup.findings import Finding, Level
from calsync.setup.organizers import check_organizers
from calsync.setup.platform_checks import check_platform
from calsync.setup.powershell import scope_commands
from calsync.setup.server import Closing, server_scope, sign_in

if TYPE_CHECKING:
    from calsync.bootstrap import System

#: Seconds by which this machine's clock may differ: a little is normal, much voids assertions.
_OFF, _FAR_OFF = 30, 300
#: Room mailboxes that are not mapped, of which so many are tried.
_SAMPLE = 3
#: Days beyond the window in which a probe event lies: no cycle ever sees it.
_BEYOND = 400


def check_all(
    system: System, pairs: Sequence[Pair], *, outside: Sequence[str] = (), write: bool = True
) -> Iterator[Finding]:
    """Findings as they are made. ``outside``: mailboxes that must not be readable, besides those
    of the settings; ``write`` False leaves the write out."""
    settings = system.home.settings
    if not settings.connections:
        yield Finding(
            level=Level.FAILED,
            about="settings",
            where=settings.path,
            what="there is no connection",
            todo="Add one with: calsync init",
        )
    yield from check_platform(system, pairs)
    for entry in settings.connections:
        mine = [pair for pair in pairs if pair.connection == entry.name]
        yield from check_connection(system, entry, mine, outside=outside, write=write)
    yield from _channels(system)
    for pair in pairs:
        if settings.connection(pair.connection) is None:
            yield Finding(
                level=Level.FAILED,
                about="settings",
                where=f"room {pair.room_id}",
                what=f"its connection {pair.connection} is not in the settings",
                todo="Add it under [[connections]], or unmap the room",
            )


def check_connection(
    system: System,
    entry: Connection,
    pairs: Sequence[Pair],
    *,
    outside: Sequence[str] = (),
    write: bool = True,
) -> Iterator[Finding]:
    """One tenant or server: the credential, the rights, the rooms, and what must stay closed."""
    link, where = system.links[entry.name], f"connection {entry.name}"
    mapped = [pair.mailbox for pair in system.home.store.pairs() if pair.connection == entry.name]
    answers: list[Answer] = []
    if isinstance(link, EwsLink):
        if entry.auth == "oauth":
            yield expiry(entry, system.home.clock.now())
        signed_in = yield from sign_in(link, entry, answers)
        if not signed_in:
            return
        for pair in pairs:
            yield from _room(system, link, pair, answers, write=write)
        yield _clock(system, where, answers)
        closing = server_scope(entry, mapped)
        yield from _scope(link, entry, mapped, [*outside, entry.outside_mailbox], closing)
        return
    yield expiry(entry, system.home.clock.now())
    try:
        token = link.tokens.token()
    except CalsyncError as error:
        yield _failed("token", where, error)
        return
    yield _ok("token", where, "signed in")
    rights = probe.consented(token)
    yield _places(link, where, answers)
    yield from _mail(system, entry, rights)
    for pair in pairs:
        yield from _room(system, link, pair, answers, write=write)
    yield _clock(system, where, answers)
    closing = _tenant_scope(entry, mapped, rights)
    yield from _scope(link, entry, mapped, [*outside, entry.outside_mailbox], closing)


def _ok(about: str, where: str, what: str) -> Finding:
    return Finding(level=Level.OK, about=about, where=where, what=what)


def _failed(about: str, where: str, error: CalsyncError) -> Finding:
    what = error.what
    if isinstance(error, Unavailable) and error.where:
        # Who was not reached may have been mistyped: the address has to be seen.
        what = f"{what}: {error.where}"
    return Finding(level=Level.FAILED, about=about, where=where, what=what, todo=error.todo)


# --- rights of the whole tenant --------------------------------------------------------------


def _places(link: Link, where: str, answers: list[Answer]) -> Finding:
    try:
        answer, any_room = probe.ask_places(link.caller)
    except SideError as error:
        return Finding(
            level=Level.WARNING,
            about="places",
            where=where,
            what=f"the directory of rooms cannot be read: {error.what}",
            todo="Consent the application permission Place.Read.All in Entra, or map rooms by"
            " address: all but discover and suggest works without it",
        )
    answers.append(answer)
    if any_room:
        return _ok("places", where, "the directory of rooms can be read")
    return Finding(
        level=Level.NOTE,
        about="places",
        where=where,
        what="the directory of rooms is empty",
        todo="Check that the room mailboxes are not hidden from address lists; rooms can be mapped"
        " by address all the same",
    )


def _mail(system: System, entry: Connection, rights: frozenset[str]) -> Iterator[Finding]:
    notices = system.home.settings.notices
    first = next(iter(system.links), "")
    if not notices.enabled or notices.via != "graph" or entry.name != first:
        return
    where = f"mailbox {notices.sender}"
    if "Mail.Send" in rights:
        yield Finding(
            level=Level.WARNING,
            about="mail",
            where=where,
            what="Mail.Send is consented in Entra: the app may send as every mailbox",
            todo="Give it by RBAC for Applications, for the sender's mailbox only",
        )
    else:
        yield Finding(
            level=Level.NOTE,
            about="mail",
            where=where,
            what="whether notices can be sent shows with the first one: trying would send a mail",
            todo="Send one to yourself: calsync notices test --mail ADDRESS",
        )


def _channels(system: System) -> Iterator[Finding]:
    """The mail server is signed in to, and addresses of channels are looked at; nothing is sent."""
    board = system.board
    for name, wrong in (board.check() if board is not None else {}).items():
        where = f"channel {name}"
        if wrong:
            todo = "Then: calsync notices test"
            level = Level.FAILED
            yield Finding(level=level, about="notices", where=where, what=wrong, todo=todo)
        else:
            yield _ok("notices", where, "nothing stands in its way; nothing was sent")


def _clock(system: System, where: str, answers: Sequence[Answer]) -> Finding:
    at = next((t for answer in reversed(answers) if (t := probe.server_time(answer))), None)
    if at is None:
        return Finding(
            level=Level.NOTE, about="clock", where=where, what="the server did not tell its time"
        )
    # The answer is some checks old at most; the header has whole seconds.
    off = (system.home.clock.now() - at).total_seconds()
    if abs(off) <= _OFF:
        return _ok("clock", where, "this machine's clock agrees with the server's")
    way = "ahead of" if off > 0 else "behind"
    return Finding(
        level=Level.FAILED if abs(off) > _FAR_OFF else Level.WARNING,
        about="clock",
        where=where,
        what=f"this machine's clock is {abs(off):.0f} s {way} the server's",
        todo="Set it by NTP (timedatectl set-ntp true; on Windows w32tm /resync)",
    )


# --- rooms -----------------------------------------------------------------------------------


def _room(
    system: System, link: Link, pair: Pair, answers: list[Answer], *, write: bool
) -> Iterator[Finding]:
    where = f"room {pair.room_id} ({pair.mailbox})"
    now = system.home.clock.now()
    try:
        answers.append(link.open_mailbox(pair.mailbox))
        answers.append(link.read_day(pair.mailbox, now))
    except SideError as error:
        yield _failed("read", where, error)
        return
    yield _ok("read", where, "its calendar can be read")
    if write:
        yield _written(system, link, pair, where, now)
    yield from check_organizers(system, link, pair, where)
    yield _zone(pair, where)


def _written(system: System, link: Link, pair: Pair, where: str, now: datetime) -> Finding:
    ahead = system.home.settings.window.future_days + _BEYOND
    at = (now + timedelta(days=ahead)).replace(hour=3, minute=0, second=0, microsecond=0)
    try:
        link.write_and_delete(pair, at)
    except SideError as error:
        return _failed("write", where, error)
    return _ok("write", where, "an event can be made and deleted")


def _zone(pair: Pair, where: str) -> Finding:
    if zones.resolve(pair.zone).iana is None:
        return Finding(
            level=Level.FAILED,
            about="zone",
            where=where,
            what=f"this machine knows no time zone {pair.zone}",
            todo="Bring the package tzdata up to date, or map the room with another --zone",
        )
    if zones.outgoing(pair.zone) is None:
        return Finding(
            level=Level.NOTE,
            about="zone",
            where=where,
            what=f"Exchange has no name for {pair.zone}: series are carried date by date, or"
            " refused",
        )
    return _ok("zone", where, pair.zone)


# --- what must stay closed -------------------------------------------------------------------


def _scope(
    link: Link,
    entry: Connection,
    mapped: Sequence[str],
    outside: Sequence[str],
    closing: Closing,
) -> Iterator[Finding]:
    """A mailbox outside the rooms must not open. What opens is told with the commands that close
    it; a room mailbox that is merely not mapped yet counts less."""
    where = f"connection {entry.name}"
    named = [box.lower() for box in dict.fromkeys(outside) if box and box.lower() not in mapped]
    why, commands = closing(named[0] if named else "")
    for box in named:
        match _opens(link, box):
            case True:
                yield _wide_open(where, box, why, commands)
            case False:
                yield _ok("scope", where, f"{box} cannot be read, as it should be")
            case why:
                yield Finding(
                    level=Level.WARNING,
                    about="scope",
                    where=where,
                    what=f"whether {box} can be read is not known: {why}",
                    todo="Check the spelling of the address: only a mailbox that exists proves"
                    " that it is closed",
                )
    if not named:
        yield Finding(
            level=Level.WARNING,
            about="scope",
            where=where,
            what="whether the app is limited to the rooms was not tried: no mailbox outside them"
            " is known",
            todo="Name a person's mailbox, such as your own, by --outside, or once and for all as"
            " outside_mailbox of this connection",
        )
    try:
        rooms = [found.address for found, _ in link.directory()]
    except SideError:
        return
    others = [box for box in rooms if box not in mapped and box not in named][:_SAMPLE]
    opened = [box for box in others if _opens(link, box) is True]
    if opened:
        yield Finding(
            level=Level.NOTE,
            about="scope",
            where=where,
            what=f"room mailboxes that are not mapped can be read: {', '.join(opened)}",
            todo="Nothing, if they are to be mapped; else narrow the scope in Exchange",
        )


def _opens(link: Link, mailbox: str) -> bool | str:
    """True or False, or why nobody can tell."""
    try:
        link.open_mailbox(mailbox)
    except AccessDenied:
        return False
    except MailboxMissing as error:
        return error.what
    except SideError as error:
        return error.what
    return True


def _tenant_scope(entry: Connection, mapped: Sequence[str], rights: frozenset[str]) -> Closing:
    """What reaches beyond the rooms in a tenant, and what closes it."""
    wide = sorted(right for right in rights if right.startswith("Calendars."))
    why = f" ({', '.join(wide)} is consented in Entra, which reaches every mailbox)" if wide else ""
    return lambda outside: (why, tuple(scope_commands(entry.client_id, mapped, outside)))


def _wide_open(where: str, mailbox: str, why: str, commands: tuple[str, ...]) -> Finding:
    return Finding(
        level=Level.FAILED,
        about="scope",
        where=where,
        what=f"calsync can read {mailbox}, which is no mapped room: it is not limited{why}",
        todo="Limit it to the room mailboxes with the commands below",
        commands=commands,
    )

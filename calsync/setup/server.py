"""What is special about an Exchange Server when it is checked: sign-in, version, scope."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from calsync.adapters.ews import probe
from calsync.adapters.wrap.port import Answer
from calsync.connections import EwsLink
from calsync.errors import SideError
from calsync.settings import Connection
from calsync.setup.findings import Finding, Level
from calsync.setup.powershell import server_scope_commands

#: Given a mailbox outside the rooms: why it may open, and the commands that close it.
Closing = Callable[[str], tuple[str, tuple[str, ...]]]
#: Build of the first Subscription Edition; 15.2 below it is Exchange Server 2019.
_SE = (15, 2, 2562)
_NAMES: dict[tuple[int, ...], str] = {(15, 0): "2013", (15, 1): "2016", (15, 2): "2019"}


def sign_in(
    link: EwsLink, entry: Connection, answers: list[Answer]
) -> Generator[Finding, None, bool]:
    """Whether the account gets in, and which Exchange answers; False where it does not."""
    where = f"connection {entry.name}"
    try:
        answer, lists = probe.sign_in(link.caller)
    except SideError as error:
        yield Finding(
            level=Level.FAILED, about="sign-in", where=where, what=error.what, todo=error.todo
        )
        return False
    answers.append(answer)
    yield Finding(level=Level.OK, about="sign-in", where=where, what=f"signed in ({entry.auth})")
    yield _version(link.transport.version, entry, where)
    yield Finding(
        level=Level.OK if lists else Level.NOTE,
        about="places",
        where=where,
        what="room lists can be read" if lists else "the server has no room lists",
        todo=""
        if lists
        else "Map rooms by address, or make lists: New-DistributionGroup -RoomList",
    )
    return True


def _version(build: str, entry: Connection, where: str) -> Finding:
    parts = tuple(int(part) for part in build.split(".")) if build else ()
    if len(parts) < 3:
        return Finding(
            level=Level.NOTE, about="version", where=where, what="the server tells no version"
        )
    name = "se" if parts >= _SE else _NAMES.get(parts[:2], "")
    shown = "Exchange Server Subscription Edition" if name == "se" else f"Exchange Server {name}"
    if not name:
        return Finding(
            level=Level.WARNING,
            about="version",
            where=where,
            what=f"build {build} is of no Exchange Server that calsync knows",
            todo="Exchange Online is reached by kind graph",
        )
    if name != entry.server:
        return Finding(
            level=Level.WARNING,
            about="version",
            where=where,
            what=f"the server is {shown} ({build}), the settings say {entry.server}",
            todo=f'Set server = "{name}"',
        )
    if name != "se":
        return Finding(
            level=Level.NOTE,
            about="version",
            where=where,
            what=f"{shown} ({build}) works, but Microsoft supports it no more",
        )
    return Finding(level=Level.OK, about="version", where=where, what=f"{shown} ({build})")


def server_scope(entry: Connection, mapped: Sequence[str]) -> Closing:
    """What reaches beyond the rooms on a server, and what closes it."""
    why = (
        " (without a management scope ApplicationImpersonation reaches every mailbox)"
        if entry.impersonation
        else " (the account has rights on it)"
    )
    account = entry.user or entry.client_id
    return lambda outside: (
        why,
        tuple(server_scope_commands(account, mapped, outside, impersonation=entry.impersonation)),
    )

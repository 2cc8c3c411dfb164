"""Options that many verbs share, and what they open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calsync.errors import SideError, UsageError
from calsync.settings import Settings, load

if TYPE_CHECKING:
    from calsync.bootstrap import Home, System
    from calsync.model import Pair

SettingsPath = Annotated[
    Path,
    typer.Option(
        "--settings",
        envvar="CALSYNC_SETTINGS",
        help="The settings file.",
        show_default=True,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON with stable keys instead of text.")
]
DEFAULT_SETTINGS = Path("calsync.toml")


@contextmanager
def opened(settings: Path | Settings) -> Iterator[Home]:
    """calsync's own database and what stands on it. No network is used."""
    from calsync.bootstrap import open_home

    home = open_home(settings if isinstance(settings, Settings) else load(settings))
    try:
        yield home
    finally:
        home.close()


@contextmanager
def connected(settings: Path | Settings, *, dry_run: bool = False) -> Iterator[System]:
    """The above, and the calendar sides. Secrets are read."""
    from calsync import bootstrap

    home = bootstrap.open_home(settings if isinstance(settings, Settings) else load(settings))
    try:
        system = bootstrap.connect(home, dry_run=dry_run)
    except BaseException:
        home.close()
        raise
    try:
        yield system
    finally:
        system.close()


def chosen_pairs(home: Home, rooms: list[str]) -> list[Pair]:
    """The pairs of the named rooms, or all. Raises UsageError for rooms that are not mapped."""
    pairs = home.store.pairs()
    if not rooms:
        return pairs
    mapped = {pair.room_id: pair for pair in pairs}
    missing = [room for room in rooms if room not in mapped]
    if missing:
        raise UsageError(
            f"not mapped: {', '.join(missing)}",
            todo="See the rooms with: calsync rooms list",
        )
    return [mapped[room] for room in dict.fromkeys(rooms)]


def mapped(home: Home, room: str) -> Pair:
    """The pair of a mapped room. Raises UsageError where it is not mapped."""
    pair = home.mappings.find(room)
    if pair is None:
        raise UsageError(
            "this room is not mapped", where=f"room {room}", todo="See: calsync rooms list"
        )
    return pair


def polls(settings: Path | Settings) -> bool:
    """Whether another platform holds the bookings, and calsync polls it."""
    read = settings if isinstance(settings, Settings) else load(settings)
    return read.booking.kind != "hub"


def bookings_here(home: Home, *, todo: str) -> None:
    """Raises UsageError where bookings are not calsync's own to make or show."""
    if polls(home.settings):
        raise UsageError(
            'this calsync polls another booking platform ([booking] kind = "http"), which holds'
            " the bookings",
            todo=todo,
        )


def platform_rooms(settings: Path | Settings) -> str:
    """Where a platform is polled, take in its rooms as it names them now; why that could not be,
    empty where it was done or there is none."""
    if not polls(settings):
        return ""
    from calsync.bootstrap import take_in_rooms

    try:
        with connected(settings) as system:
            take_in_rooms(system)
    except SideError as error:
        return f"the rooms are those that the platform named last: {error}"
    return ""

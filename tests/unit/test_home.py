"""Opening the database: the rooms of the settings are taken in, but only where they differ."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calsync import bootstrap
from calsync.errors import UsageError
from calsync.mapping.reactions import reactions_text
from calsync.model import ClashPolicy, Pair, Room
from calsync.settings import parse
from calsync.store.connection import Connection

CONNECTION = """
[[connections]]
name = "{name}"
tenant_id = "5a4d0b0c-0000-4000-8000-00000000c0de"
client_id = "c11e0000-0000-4000-8000-00000000a99a"
client_secret_env = "NOT_READ_HERE"
"""
ROOMS = 20


def settings_text(database: Path, *, connections: int = 1, **more: str) -> str:
    """``more``: lines of room 7 in place of its usual ones."""
    parts = [f'[database]\nurl = "sqlite:///{database}"']
    parts += [CONNECTION.format(name=f"c{n}") for n in range(connections)]
    for number in range(ROOMS):
        lines = {
            "id": f"r{number}",
            "name": f"Room {number}",
            "zone": "Europe/Berlin",
            "mailbox": f"R{number}@contoso.example",
            "connection": "c0",
        }
        lines |= more if number == 7 else {}
        body = "\n".join(
            f"{key} = {value}" if value in ("true", "false") else f'{key} = "{value}"'
            for key, value in lines.items()
        )
        parts.append(f"[[rooms]]\n{body}")
    return "\n".join(parts)


def opened(text: str) -> tuple[dict[str, Room], dict[str, Pair], int]:
    """Rooms and pairs by room, and how many statements taking them in needed."""
    count = 0

    run = Connection.exec_driver_sql

    def note(self: Connection, *statement: Any) -> Any:
        nonlocal count
        count += 1
        return run(self, *statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "exec_driver_sql", note)
        home = bootstrap.open_home(parse(text))
    needed = count
    try:
        rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
        pairs = {pair.room_id: pair for pair in home.store.pairs()}
        titles = {stored.room.id: stored.titles for stored in home.bookings.rooms()}
        assert titles == {room: pair.titles for room, pair in pairs.items()}
    finally:
        home.close()
    return rooms, pairs, needed


def test_rooms_that_stand_cost_nothing(tmp_path: Path) -> None:
    text = settings_text(tmp_path / "calsync.db")
    first = opened(text)
    again = opened(text)
    assert first[:2] == again[:2]
    assert len(first[1]) == ROOMS
    assert first[2] > ROOMS
    assert again[2] < 10


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Another name"),
        ("building", "North"),
        ("zone", "Asia/Tokyo"),
        ("titles", "true"),
        ("clash_policy", "ask"),
        ("outlook_rules", "seats=decline"),
    ],
)
def test_what_the_admin_changed_is_taken_in(tmp_path: Path, key: str, value: str) -> None:
    database = tmp_path / "calsync.db"
    _, before, _ = opened(settings_text(database, connections=2))
    rooms, pairs, needed = opened(settings_text(database, connections=2, **{key: value}))
    shown = {
        "name": rooms["r7"].name,
        "building": rooms["r7"].building,
        "zone": pairs["r7"].zone,
        "titles": str(pairs["r7"].titles).lower(),
        "clash_policy": pairs["r7"].clash_policy.value,
        "outlook_rules": reactions_text(pairs["r7"].reactions),
    }
    assert shown[key] == value
    assert pairs["r7"].id == before["r7"].id
    assert before["r7"].clash_policy is ClashPolicy.FIRST
    assert needed < 30
    others = {room: pair for room, pair in pairs.items() if room != "r7"}
    assert others == {room: pair for room, pair in before.items() if room != "r7"}


def test_rules_for_outlook_hold_from_the_next_start_where_a_room_says_nothing(
    tmp_path: Path,
) -> None:
    database = tmp_path / "calsync.db"
    text = settings_text(database, outlook_rules="seats=decline, notice=nothing")
    opened(text)
    home = bootstrap.open_home(parse(text))
    home.bookings.put_room(Room(id="by hand", name="By hand", zone="UTC"))
    bootstrap.map_room(home, room_id="by hand", mailbox="hand@contoso.example")
    home.close()
    changed = f'[outlook_rules]\nahead = "decline"\nnotice = "decline"\n{text}'
    _, pairs, _ = opened(changed)
    assert reactions_text(pairs["by hand"].reactions) == "notice=decline, ahead=decline"
    assert reactions_text(pairs["r7"].reactions) == "ahead=decline, seats=decline"
    since = pairs["by hand"].reactions_since
    _, again, _ = opened(changed)
    assert again["by hand"].reactions_since == since
    _, back, _ = opened(text)
    assert reactions_text(back["by hand"].reactions) == ""
    assert since is not None
    assert back["by hand"].reactions_since != since


def test_a_room_in_another_connection_stays_until_it_is_known_to_have_moved(tmp_path: Path) -> None:
    """It may be another tenant: what is known of the mailbox there says nothing of this one. So its
    meetings are looked for there before anything is made of it (``engine.relocate``)."""
    database = tmp_path / "calsync.db"
    _, before, _ = opened(settings_text(database, connections=2))
    for _ in range(2):
        _, pairs, _ = opened(settings_text(database, connections=2, connection="c1"))
        assert pairs["r7"] == before["r7"]
    asked = f"SELECT detail FROM request WHERE pair_id = '{pairs['r7'].id}' AND what = 'move'"
    with closing(sqlite3.connect(database)) as raw:
        assert [json.loads(row[0]) for row in raw.execute(asked)] == [{"to": "c1"}]


def test_another_mailbox_for_a_mapped_room_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "calsync.db"
    opened(settings_text(database))
    with pytest.raises(UsageError, match="already mapped to r7"):
        opened(settings_text(database, mailbox="other@contoso.example"))

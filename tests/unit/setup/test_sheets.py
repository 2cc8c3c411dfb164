"""Sheets: what people and programs write is read; nothing that is written runs in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.errors import UsageError
from calsync.model import EditPolicy, Pair, Room
from calsync.setup import roomsheet, sheets

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
#: What a cell of text may hold.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@given(text=st.text(max_size=20) | st.sampled_from([*FORMULAS, "'", "''=", "'=1", "'s Gravenhage"]))
def test_a_cell_comes_back_as_it_was_and_never_begins_a_formula(text: str) -> None:
    cell = sheets.guarded(text)
    assert not cell.startswith(FORMULAS)
    assert sheets.plain(cell) == text


def test_what_people_type_keeps_its_apostrophe() -> None:
    assert sheets.plain("'s Hertogenbosch") == "'s Hertogenbosch"
    assert sheets.plain("'") == "'"


@given(name=TEXT.filter(str.strip), building=TEXT)
def test_rooms_come_back_from_their_sheet(
    tmp_path_factory: pytest.TempPathFactory, name: str, building: str
) -> None:
    room = Room(
        id="r1", name=name.strip(), zone="Europe/Berlin", building=building.strip(), capacity=7
    )
    pair = Pair(
        id="p",
        room_id="r1",
        connection="main",
        mailbox="r1@x.test",
        zone="Europe/Berlin",
        titles=True,
        edit_policy=EditPolicy.ASK,
        own_reactions="opening_hours=decline, seats=warn",
    )
    path = tmp_path_factory.mktemp("sheet") / "rooms.csv"
    path.write_bytes(roomsheet.export([room], {"r1": pair}).encode("utf-8-sig"))
    (entry,) = roomsheet.read_entries(sheets.read(path))
    assert entry.room_over(None) == room
    assert (entry.mailbox, entry.connection, entry.titles) == ("r1@x.test", "main", True)
    assert (entry.edit_policy, entry.clash_policy) == ("ask", "first")
    assert entry.outlook_rules == pair.own_reactions


def test_reactions_that_cannot_be_read_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rooms.csv"
    path.write_text('room,outlook_rules\nr1,"opening_hours=\x1b[31mno"\nr2,=cmd|calc\n')
    with pytest.raises(UsageError, match=r"2 problem.*line 2: outlook_rules.*line 3: outlook") as e:
        roomsheet.read_entries(sheets.read(path))
    assert "\x1b" not in str(e.value)


ROWS = [["Mailbox", "AllowConflicts"], ["a@x.test", "True"], ["", ""], ["b;c@x.test", "Falsch"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("head", ["", "#TYPE Microsoft.Exchange.CalendarConfiguration\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sheet_is_read_however_it_was_saved(
    tmp_path: Path, encoding: str, delimiter: str, head: str, end: str
) -> None:
    body = end.join(delimiter.join(f'"{cell}"' for cell in row) for row in ROWS)
    path = tmp_path / "p.csv"
    path.write_bytes((head + body).encode(encoding))
    sheet = sheets.read(path)
    assert sheet.columns == ("mailbox", "allowconflicts")
    assert [(one.get("mailbox"), one.get("allowconflicts")) for one in sheet.lines] == [
        ("a@x.test", "True"),
        ("b;c@x.test", "Falsch"),
    ]
    assert [one.number for one in sheet.lines] == [2 + bool(head), 4 + bool(head)]


def test_excel_without_unicode_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes("room;name\r\nr1;Großer Saal\r\n".encode("cp1252"))
    (line,) = sheets.read(path).lines
    assert line.get("name") == "Großer Saal"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no lines"),
        (b"\n\n", "no lines"),
        (b'room,name\n"r1', "no comma-separated file"),
        (b"room,room\nr1,r2", "twice"),
        (b"x" * 200_000, "no comma-separated file"),
    ],
)
def test_what_is_no_sheet_is_said(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(raw)
    with pytest.raises(UsageError, match=said):
        roomsheet.read_entries(sheets.read(path))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        sheets.read(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="not a file"):
        sheets.read(tmp_path)


def test_every_problem_of_a_sheet_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rooms.csv"
    path.write_text(
        "room,zone,mailbox,seats,titles,colour\n"
        "r1,Mars/Olympus,a@x.test,0,maybe,red\n"
        "r1,UTC,b@x.test,,,\n"
        "r2,UTC,A@X.test,,,\n"
        ",UTC,,,,\n"
        "two words,UTC,no address,,,\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError) as caught:
        roomsheet.read_entries(sheets.read(path))
    for said in (
        "column colour is not known",
        "line 2: zone:",
        "line 2: seats:",
        "line 2: titles:",
        "line 3: room r1 stands on line 2",
        "line 4: a@x.test is mapped on line 2 already",
        "line 5: room: is empty",
        "line 6: room:",
        "line 6: mailbox:",
    ):
        assert said in caught.value.what

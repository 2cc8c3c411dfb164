"""Rooms and their mappings as a sheet that people edit, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calsync.errors import UsageError
from calsync.model import ClashPolicy, EditPolicy, OrganizerFallback, Pair, Room, WriteAs
from calsync.settings import checks
from calsync.setup.sheets import Line, Sheet, written

COLUMNS = (
    "room",
    "name",
    "zone",
    "building",
    "floor",
    "seats",
    "mailbox",
    "connection",
    "titles",
    "edit_policy",
    "clash_policy",
    "outlook_rules",
    "write_as",
    "organizer_fallback",
)
#: What suggest adds for people; import does not read it.
REMARKS = ("score", "reason")
_YES, _NO = ("yes", "true", "1", "x"), ("no", "false", "0", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line as it is meant, with its number in the file. Empty or None: as it stands, or the
    default for a new room."""

    line: int
    room: str
    name: str = ""
    zone: str = ""
    building: str = ""
    floor: str = ""
    seats: int | None = None
    mailbox: str = ""
    connection: str = ""
    titles: bool | None = None
    edit_policy: str = ""
    clash_policy: str = ""
    outlook_rules: str = ""
    write_as: str = ""
    organizer_fallback: str = ""

    def room_over(self, old: Room | None) -> Room:
        """The room that this line makes of ``old``."""
        return Room(
            id=self.room,
            name=self.name or (old.name if old else self.room),
            zone=self.zone or (old.zone if old else ""),
            building=self.building or (old.building if old else ""),
            floor=self.floor or (old.floor if old else ""),
            capacity=self.seats if self.seats is not None else (old.capacity if old else None),
        )


def export(rooms: Iterable[Room], pairs: Mapping[str, Pair]) -> str:
    """Every room, with its mapping where it has one (``pairs`` by room id)."""
    rows = []
    for room in rooms:
        pair = pairs.get(room.id)
        rows.append(row_of(room, pair))
    return written(COLUMNS, rows)


def row_of(room: Room, pair: Pair | None) -> list[object]:
    """One line, in the order of ``COLUMNS``."""
    own: list[object] = [
        room.id,
        room.name,
        room.zone,
        room.building,
        room.floor,
        room.capacity if room.capacity is not None else "",
    ]
    if pair is None:
        return [*own, *("" for _ in COLUMNS[len(own) :])]
    titles = "yes" if pair.titles else "no"
    joined = [pair.mailbox, pair.connection, titles, pair.edit_policy, pair.clash_policy]
    written_as = (pair.write_as, pair.organizer_fallback)
    return [*own, *map(str, joined), pair.own_reactions, *map(str, written_as)]


def read_entries(sheet: Sheet) -> list[Entry]:
    """Every line of the sheet. Raises UsageError that names all that is wrong, with its line."""
    if "room" not in sheet.columns:
        raise UsageError(
            "the sheet has no column room",
            where=sheet.path,
            todo=f"Its columns are: {', '.join(COLUMNS)}; calsync rooms export writes one",
        )
    strange = [c for c in sheet.columns if c and c not in (*COLUMNS, *REMARKS)]
    wrong = [f"the column {name} is not known" for name in strange]
    entries: list[Entry] = []
    for line in sheet.lines:
        entry, said = _entry(line)
        wrong += [f"line {line.number}: {one}" for one in said]
        entries.append(entry)
    wrong += _twice(entries)
    if wrong:
        raise problems(sheet.path, wrong)
    return entries


def problems(path: str, wrong: Sequence[str]) -> UsageError:
    """All that is wrong with a sheet as one error; nothing of it is taken in."""
    shown = "; ".join(wrong[:20]) + (f"; and {len(wrong) - 20} more" if len(wrong) > 20 else "")
    return UsageError(
        f"{len(wrong)} problem(s) in the sheet: {shown}",
        where=path,
        todo="Put them right; nothing was changed",
    )


def _entry(line: Line) -> tuple[Entry, list[str]]:
    wrong: list[str] = []

    def checked(name: str, check: checks.Check) -> str:
        text = line.get(name).strip()
        if not text:
            return ""
        try:
            return str(check(text))
        except checks.Wrong as error:
            wrong.append(f"{name}: {error.what}")
            return ""

    room = checked("room", checks.name)
    if not line.get("room").strip():
        wrong.append("room: is empty")
    seats = line.get("seats").strip()
    if seats and not (seats.isascii() and seats.isdigit() and 1 <= int(seats) <= 100_000):
        wrong.append(f"seats: {checks.shown(seats)} is no number of seats")
        seats = ""
    titles = line.get("titles").strip().lower()
    if titles not in (*_YES, *_NO):
        wrong.append(f"titles: {checks.shown(titles)} is neither yes nor no")
    entry = Entry(
        line=line.number,
        room=room,
        name=checked("name", checks.text),
        zone=checked("zone", checks.zone),
        building=checked("building", checks.text),
        floor=checked("floor", checks.text),
        seats=int(seats) if seats else None,
        mailbox=checked("mailbox", checks.mailbox),
        connection=checked("connection", checks.name),
        titles=None if not titles else titles in _YES,
        edit_policy=checked("edit_policy", checks.choice(*EditPolicy)),
        clash_policy=checked("clash_policy", checks.choice(*ClashPolicy)),
        outlook_rules=checked("outlook_rules", checks.reactions),
        write_as=checked("write_as", checks.choice(*WriteAs)),
        organizer_fallback=checked("organizer_fallback", checks.choice(*OrganizerFallback)),
    )
    return entry, wrong


def _twice(entries: Sequence[Entry]) -> list[str]:
    """A room stands on one line, and a mailbox maps once."""
    wrong = []
    rooms: dict[str, int] = {}
    boxes: dict[str, int] = {}
    for entry in entries:
        if entry.room and rooms.setdefault(entry.room, entry.line) != entry.line:
            wrong.append(f"line {entry.line}: room {entry.room} stands on line {rooms[entry.room]}")
        if entry.mailbox and boxes.setdefault(entry.mailbox, entry.line) != entry.line:
            before = boxes[entry.mailbox]
            wrong.append(f"line {entry.line}: {entry.mailbox} is mapped on line {before} already")
    return wrong

"""What an admin's files may hold, and text on its way to mails, terminals and logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from calsync.adapters.notify.graph_mail import GraphMail
from calsync.adapters.notify.wording import Manners, Words
from calsync.adapters.shared.words import line, refusal_text
from calsync.adapters.wrap.port import Answer, Call
from calsync.bounded_json import read_json
from calsync.cli.choke import describe
from calsync.cli.logs import JsonLines, Lines
from calsync.cli.output import clean, plain
from calsync.errors import SettingsError, UsageError
from calsync.model import Alternative, Notice, NoticeKind, Occupancy, Pair, Person, Refusal, Room
from calsync.sandbox import Control, create_sandbox
from calsync.sandbox.icsload import load
from calsync.sandbox.problems import Refusal as SandboxRefusal
from calsync.settings import parse
from fuzz.near import Decisions, near
from fuzz.target import Target


@cache
def _example() -> list[str]:
    path = Path(__file__).parent.parent / "settings.example.toml"
    return path.read_text(encoding="utf-8").splitlines()


def _settings(data: bytes) -> None:
    choose = Decisions(data)
    lines = list(_example())
    for _ in range(min(8, choose.left)):
        at = choose.below(len(lines) + 1)
        match choose.below(4):
            case 0:
                lines.insert(at, choose.text())
            case 1:
                lines.insert(at, f"{choose.text()} = {json.dumps(choose.odd())}")
            case 2 if at < len(lines):
                lines[at] = lines[at].lstrip("#")
            case 3 if at < len(lines) and "=" in lines[at]:
                lines[at] = f"{lines[at].partition('=')[0]}= {json.dumps(choose.odd())}"
    text = "\n".join(lines).encode("utf-8", "replace").decode()
    try:
        parse(text)
    except SettingsError as error:
        _check_problems(error, text.count("\n") + 1)
        raise


def _check_problems(error: SettingsError, lines: int) -> None:
    for problem in error.problems:
        assert 0 <= problem.line <= lines, problem
        assert problem.what, problem
        assert len(problem.what) < 500, problem
    assert all(c.isprintable() or c == "\n" for c in str(error)), repr(str(error))


def _toml(data: bytes) -> None:
    parse(data.decode("utf-8", "replace"))


def _json(data: bytes) -> None:
    try:
        value = read_json(data)
    except ValueError:
        return
    assert value == json.loads(data) or value != value


_ICS = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Here
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
DTSTART;TZID=Europe/Berlin:20261201T090000
DTEND;TZID=Europe/Berlin:20261201T100000
RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=TU
EXDATE;TZID=Europe/Berlin:20261208T090000
SUMMARY:Standup
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
RECURRENCE-ID;TZID=Europe/Berlin:20261215T090000
DTSTART;TZID=Here:20261215T110000
DURATION:PT1H
END:VEVENT
END:VCALENDAR"""


def _tenant() -> Control:
    control = create_sandbox(seed=1, clock=lambda: datetime(2026, 11, 20, 8, tzinfo=UTC))
    raw = {"address": "room@contoso.example", "name": "R", "zone": "W. Europe Standard Time"}
    control.handle("POST", "/_sandbox/rooms", {}, json.dumps(raw).encode())
    return control


def _calendar_file(data: bytes) -> None:
    choose = Decisions(data)
    lines = near(choose, _ICS.splitlines())
    texts = [str(one) for one in lines] if isinstance(lines, list) else [str(lines)]
    world = _tenant().world
    box = world.box("room@contoso.example")
    assert box is not None
    load(world, box, "\r\n".join(texts).encode("utf-8", "replace"))


# --- words -----------------------------------------------------------------------------------


def _one_line(text: str) -> None:
    assert text.isprintable(), repr(text)
    text.encode()


def _words(data: bytes) -> None:
    choose = Decisions(data)
    texts = [str(near(choose, "Atlas")) for _ in range(3)]
    for text in texts:
        _one_line(line(text))
        _one_line(clean(text))
        shown = describe(UsageError(text, where=text, todo=text))
        assert shown.startswith("Error: ")
    at = datetime(2026, 12, 1, 9)
    refusal = Refusal(
        reason=texts[0],
        dates=(at,),
        conflicts=((at, at),),
        alternatives=(Alternative(room_id="r", name=texts[1], capacity=3),),
    )
    for part in refusal_text(refusal, "Europe/Berlin").split("\n"):
        _one_line(part)


class _Post:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def call(self, call: Call) -> Answer:
        self.calls.append(call)
        return Answer(status=202)


def _mail(data: bytes) -> None:
    choose = Decisions(data)
    name, address, room = (str(near(choose, one)) for one in ("Ada", "ada@firm.example", "Atlas"))
    at = datetime(2026, 12, 1, 9)
    notice = Notice(
        kind=(NoticeKind.CONFIRMED, NoticeKind.REJECTED)[choose.below(2)],
        link_id="l",
        booking_key="b",
        revision="1",
        person=Person(name, address),
        occupancy=Occupancy(start=at, end=at, zone="UTC", title="SECRET-TITLE"),
        refusal=Refusal(reason=str(choose.odd())),
    )
    post = _Post()
    pair = Pair(id="p", room_id="r", connection="c", mailbox="m@x.example", zone="Europe/Berlin")
    words = Words(Manners(language=("en", "nl", "sv", "ko")[choose.below(4)], calendar=True))
    letter = words.letter(pair, Room(id="r", name=room, zone="Europe/Berlin"), notice)
    GraphMail(post, sender="rooms@x.example").post(notice.person, letter)
    if letter.calendar:
        lines = letter.calendar.decode().split("\r\n")
        assert [one for one in lines if one.startswith("METHOD")] == ["METHOD:PUBLISH"]
        assert not any("ATTENDEE" in one.split(":")[0] for one in lines)
    for call in post.calls:
        message: Any = call.body
        assert message is not None
        said = message["message"]
        assert "SECRET-TITLE" not in repr(said)
        (to,) = said["toRecipients"]
        _one_line(said["subject"])
        _one_line(to["emailAddress"]["name"])
        mail = to["emailAddress"]["address"]
        _one_line(mail)
        assert mail.count("@") == 1, mail
        assert not set(mail) & set(" <>,;\r\n"), mail
        assert said["body"]["contentType"] == "text"
        json.dumps(call.body, allow_nan=False).encode()


def _log(data: bytes) -> None:
    choose = Decisions(data)
    text = str(choose.odd()) + choose.text()
    try:
        raise ValueError(text)
    except ValueError as error:
        info = (ValueError, error, None)
    record = logging.LogRecord("calsync.x", logging.INFO, "f", 1, "said %s", (text,), info)
    said = Lines().format(record)
    first, *rest = said.split("\n")
    assert first.isprintable(), repr(first)
    assert not any(one.startswith(first[:4]) for one in rest), "one entry looks like two"
    entry = JsonLines().format(record)
    assert "\n" not in entry
    entry.encode()
    json.loads(entry)


def _plain_json(data: bytes) -> None:
    value = near(data, {"a": [1, "x"], "b": None})
    json.dumps(plain(value), ensure_ascii=True)


TARGETS = [
    Target(name="settings", run=_settings, allowed=(SettingsError,)),
    Target(
        name="toml", run=_toml, allowed=(SettingsError,), seeds=(b"[api]\nport = 1\n", b"a.b.c=1")
    ),
    Target(name="bounded-json", run=_json, seeds=(b'{"a":[1,"\\u00e9"]}', b'"\\\\"', b"[[[]]]")),
    Target(name="calendar-file", run=_calendar_file, allowed=(SandboxRefusal,), heavy=True),
    Target(name="words", run=_words),
    Target(name="mail", run=_mail),
    Target(name="log", run=_log),
    Target(name="json-output", run=_plain_json),
]

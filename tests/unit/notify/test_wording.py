"""Notices in words: every kind in every language; what users type stays words."""

from __future__ import annotations

import gettext
import io
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from calsync.adapters.notify import wording
from calsync.adapters.notify.dates import LANGUAGES
from calsync.adapters.notify.phrases import REASONS
from calsync.adapters.notify.wording import LOCALE, TEMPLATES, Manners, Words
from calsync.errors import UsageError
from calsync.model import (
    ANSWERS,
    Alternative,
    Frequency,
    Notice,
    NoticeKind,
    Occupancy,
    Override,
    Pair,
    Person,
    Recurrence,
    Refusal,
    Room,
    Rule,
    Side,
)
from calsync.reconcile import effects
from translations.__main__ import LANGUAGES as TRANSLATED
from translations.__main__ import as_mo, as_po, po_file, untranslated, updated

AT = datetime(2026, 12, 1, 8)
PAIR = Pair(
    id="p",
    room_id="r",
    connection="c",
    mailbox="r@x.example",
    zone="Europe/Berlin",
    titles=True,
)
ROOM = Room(id="r", name="Atlas", zone="Europe/Berlin", building="HQ", floor="2", capacity=8)
HOUR = Occupancy(start=AT, end=AT.replace(hour=9), zone="UTC", title="Layoffs")
TAKEN = (AT.replace(tzinfo=UTC), AT.replace(hour=9, tzinfo=UTC))
REFUSAL = Refusal(
    reason="The room was already booked on some of the dates.",
    dates=tuple(AT.replace(day=day) for day in range(1, 14)),
    conflicts=(TAKEN,),
    alternatives=(
        Alternative(room_id="z", name="Zuse", capacity=6),
        Alternative(room_id="o", name="Otto", capacity=1),
        Alternative(room_id="n", name="Noether"),
    ),
)


def notice(kind: NoticeKind = NoticeKind.CONFIRMED, **more: object) -> Notice:
    made = Notice(
        kind=kind,
        link_id="l",
        booking_key="b",
        revision="1",
        person=Person("Ada", "ada@x.example"),
        occupancy=HOUR,
        refusal=REFUSAL if kind in ANSWERS else None,
        was=replace(HOUR, end=AT.replace(hour=10)) if kind is NoticeKind.CHANGED else None,
        cause=Side.CALENDAR if kind is NoticeKind.CANCELLED else None,
    )
    return replace(made, **more)  # type: ignore[arg-type]


# --- the translations ------------------------------------------------------------------------


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_translations_are_whole_and_compiled(language: str) -> None:
    """Else: make translations, and fill in what it says is missing."""
    path = po_file(language)
    written = path.read_bytes()
    assert as_po(updated(language)) == written, "the texts changed: make translations"
    assert untranslated(updated(language)) == []
    compiled = path.with_suffix(".mo").read_bytes()
    assert _texts(compiled) == _texts(as_mo(written, language)), "make translations"


def _texts(mo: bytes) -> dict[object, str]:
    """What it says; the head of the file names the Babel that wrote it."""
    catalog: dict[object, str] = gettext.GNUTranslations(io.BytesIO(mo))._catalog  # type: ignore[attr-defined]
    return {text: said for text, said in catalog.items() if text}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_in_what_its_text_does(language: str) -> None:
    for one in updated(language):
        if not one.id:
            continue
        texts = one.id if isinstance(one.id, tuple | list) else [one.id]
        said = one.string if isinstance(one.string, tuple | list) else [one.string]
        names = {name for text in texts for name in re.findall(r"%\((\w+)\)s", text)}
        for text in said:
            assert set(re.findall(r"%\((\w+)\)s", text)) == names, text


def test_every_reason_that_calsync_gives_is_translated() -> None:
    source = Path(effects.__file__).read_text(encoding="utf-8")
    given = re.findall(r'reason\s*=\s*"([^"{]+\.)"', source)
    assert len(given) >= 4
    assert set(given) <= set(REASONS)


@pytest.mark.parametrize(
    ("language", "kind", "channel"),
    [*product(LANGUAGES, NoticeKind, ("mail", "ops"))],
)
def test_every_kind_in_every_language(language: str, kind: NoticeKind, channel: str) -> None:
    letter = Words().letter(PAIR, ROOM, notice(kind, channel=channel), language)
    assert "Atlas" in letter.subject
    assert letter.subject.isprintable()
    assert "2026" in letter.text
    assert not re.search(r"[{}]|%\(|None|Undefined", letter.subject + letter.text)
    assert "\n\n\n" not in letter.text
    if language != "en":
        english = Words().letter(PAIR, ROOM, notice(kind, channel=channel), "en")
        shared = set(letter.text.splitlines()) & set(english.text.splitlines())
        assert shared <= {"", "- Noether", "Booked by: Ada"}, "all of it is translated"


def test_a_rejection_is_one_message_with_all_that_helps() -> None:
    text = Words().letter(PAIR, ROOM, notice(NoticeKind.REJECTED)).text
    assert "already booked on some of the dates" in text
    assert text.count("\n- ") == 10 + 1 + 3
    assert "and 3 more" in text
    assert "- Zuse (6 seats)\n- Otto (1 seat)\n- Noether\n" in text
    assert "- Tuesday, 1 December 2026, 09:00–10:00 (Europe/Berlin)" in text


def test_a_change_says_what_was() -> None:
    text = Words().letter(PAIR, ROOM, notice(NoticeKind.CHANGED)).text
    assert "When: Tuesday, 1 December 2026, 09:00–10:00" in text
    assert "Before: Tuesday, 1 December 2026, 09:00–11:00" in text


def test_a_change_of_a_series_says_which_dates() -> None:
    def series(**more: object) -> Occupancy:
        rule = Rule(frequency=Frequency.DAILY, count=5)
        start = datetime(2026, 12, 1, 9)
        return Occupancy(
            start=start,
            end=start.replace(hour=10),
            zone="Europe/Berlin",
            recurrence=Recurrence(rule=rule, **more),  # type: ignore[arg-type]
        )

    second, third = datetime(2026, 12, 2, 9), datetime(2026, 12, 3, 9)
    moved = Override(
        recurrence_id=second, start=second.replace(hour=14), end=second.replace(hour=15)
    )
    now = series(excluded=(third,), overrides=(moved,))
    text = Words().letter(PAIR, ROOM, notice(NoticeKind.CHANGED, was=series(), occupancy=now)).text
    assert "- Wednesday, 2 December 2026, 09:00 → Wednesday, 2 December 2026, 14:00\n" in text
    assert "- Thursday, 3 December 2026, 09:00: cancelled\n" in text
    assert "series from Tuesday, 1 December 2026" in text
    back = Words().letter(PAIR, ROOM, notice(NoticeKind.CHANGED, was=now, occupancy=series())).text
    assert "Wednesday, 2 December 2026, 14:00 → Wednesday, 2 December 2026, 09:00\n" in back


def test_all_day_and_dst() -> None:
    days = Occupancy(
        start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None, all_day=True
    )
    said = Words().letter(PAIR, ROOM, notice(occupancy=days), "sv").subject
    assert said == "Bekräftad: Atlas, tisdag 1 december 2026, hela dagen"
    summer = replace(HOUR, start=AT.replace(month=7), end=AT.replace(month=7, hour=9))
    assert "10:00–11:00" in Words().letter(PAIR, ROOM, notice(occupancy=summer)).subject


# --- to whom in which language ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "language"),
    [
        ("kim@contoso.nl", "ko"),
        ("KIM@Contoso.NL ", "ko"),
        ("ada@contoso.nl", "nl"),
        ("ada@mail.contoso.nl", "nl"),
        ("ada@notcontoso.nl", "sv"),
        ("", "sv"),
        ("@", "sv"),
    ],
)
def test_the_language_of_a_recipient(address: str, language: str) -> None:
    manners = Manners(language="sv", languages={"kim@contoso.nl": "ko", "contoso.nl": "nl"})
    assert Words(manners).language_of(address) == language


# --- titles and names ------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["mail", "ops"])
def test_a_private_title_is_never_said(channel: str) -> None:
    private = replace(HOUR, private=True)  # a title that should not even be there
    letter = Words(Manners(titles=True, calendar=True)).letter(
        PAIR, ROOM, notice(occupancy=private, channel=channel)
    )
    assert "Layoffs" not in letter.subject + letter.text
    assert b"Layoffs" not in letter.calendar


def test_titles_are_mailed_only_where_both_say_so() -> None:
    def says(pair: Pair, **manners: bool) -> bool:
        letter = Words(Manners(calendar=True, **manners)).letter(pair, ROOM, notice())
        return "Layoffs" in letter.text and b"Layoffs" in letter.calendar

    assert says(PAIR, titles=True)
    assert not says(PAIR, titles=False)
    assert not says(replace(PAIR, titles=False), titles=True)


# --- hostile words ---------------------------------------------------------------------------

EVIL = (
    "{{ 7*7 }}{% for x in range(10**9) %}x{% endfor %}{{ ''.__class__.__mro__ }}",
    "x\r\nBcc: eve@y.example\r\nSubject: z",
    "\u202egnp.exe\u2066\u200f\x00\x1b[2J",
    "%(room)s %s %d {room}",
    "A" * 100_000,
    "\ud800",
)


@pytest.mark.parametrize("evil", EVIL, ids=["template", "header", "bidi", "format", "huge", "half"])
@pytest.mark.parametrize("channel", ["mail", "ops"])
def test_what_users_type_stays_words(evil: str, channel: str) -> None:
    room = replace(ROOM, name=evil, building=evil, floor=evil)
    refusal = replace(
        REFUSAL, reason=evil, alternatives=(Alternative(room_id="e", name=evil, capacity=2),)
    )
    made = notice(
        NoticeKind.REJECTED,
        occupancy=replace(HOUR, title=evil),
        person=Person(evil, "ada@x.example"),
        refusal=refusal,
        channel=channel,
    )
    letter = Words(Manners(titles=True, calendar=True, organizer="r@x.example")).letter(
        PAIR, room, made
    )
    assert letter.subject.isprintable()
    assert len(letter.subject) <= 200
    assert all(line.isprintable() for line in letter.text.splitlines())
    assert len(letter.text) < 5000
    assert "49" not in letter.subject
    assert "class '" not in letter.text
    lines = letter.text.splitlines()
    assert not any(line.startswith(("Bcc:", "Subject: z")) for line in lines)


def test_no_user_calls_everybody_or_makes_a_link_in_a_chat() -> None:
    title = "<!channel> @everyone [pay](https://evil.example) *x* `y` <https://evil.example|ok>"
    made = notice(occupancy=replace(HOUR, title=title), channel="ops")
    text = Words().letter(PAIR, replace(ROOM, name="<!here>"), made).text
    assert "evil.example" in text
    assert not re.search(r"[<>@`\[\]*|]|://", text)


# --- templates of the admin ------------------------------------------------------------------


def test_an_admins_template_stands_in_and_the_rest_is_ours(tmp_path: Path) -> None:
    (tmp_path / "confirmed.txt").write_text(
        "{% if language == 'nl' %}Ja{% else %}Yes{% endif %}: {{ room.name }}\n\n\n{{ when }}\n",
        encoding="utf-8",
    )
    words = Words(Manners(folder=str(tmp_path)))
    words.check()
    assert words.letter(PAIR, ROOM, notice(), "nl").subject == "Ja: Atlas"
    assert words.letter(PAIR, ROOM, notice(NoticeKind.REJECTED)).subject.startswith("Not possible")


def test_ours_are_fit_to_be_copied(tmp_path: Path) -> None:
    for path in TEMPLATES.glob("*.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    words = Words(Manners(folder=str(tmp_path)))
    words.check()
    ours = Words().letter(PAIR, ROOM, notice())
    assert words.letter(PAIR, ROOM, notice()) == ours


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("confirmed.txt", "{{ romm.name }}", "romm"),
        ("confirmed.txt", "x\n{% if %}", "line 2"),
        ("confirmed.txt", "{{ refusal.reason }}", "None"),
        ("confirmed.txt", "{{ room.__class__ }}", "unsafe"),
        ("confirmed.txt", "{{ ''.__class__.__base__.__subclasses__() }}", "unsafe"),
        ("confirmed.txt", "{% include '/etc/passwd' %}", "not found"),
        ("confirmed.txt", "{% include '../secret.txt' %}", "confirmed.txt"),
        ("confirmed.txt", b"\xff\xfe", "UTF-8"),
        ("confirm.txt", "x", "no notice is named"),
    ],
)
def test_a_template_that_does_not_work_is_said_at_the_start(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("canary")
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(raw)
    with pytest.raises(UsageError) as caught:
        Words(Manners(folder=str(folder))).check()
    assert said in str(caught.value)
    assert name in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_template_that_breaks_later_gives_way_to_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "confirmed.txt").write_text("{{ 1 / room.seats }}\n")
    words = Words(Manners(folder=str(tmp_path)))
    empty = replace(ROOM, capacity=0)
    with caplog.at_level(logging.ERROR):
        assert words.letter(PAIR, empty, notice()).subject.startswith("Confirmed: Atlas")
    assert "confirmed.txt" in caplog.text
    with pytest.raises(UsageError, match="there is no folder"):
        Words(Manners(folder=str(tmp_path / "none"))).check()


def test_nothing_heavy_is_loaded_before_the_first_notice() -> None:
    import subprocess
    import sys

    code = (
        "import sys, calsync.bootstrap;"
        "print([m for m in ('jinja2', 'apprise', 'babel') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
    assert wording.TEMPLATES.is_dir()
    assert LOCALE.is_dir()

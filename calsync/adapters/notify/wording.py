"""Notices in words: Jinja templates and gettext, in the language of whoever reads.

The templates are calsync's or the admin's (``notices.templates``). What users typed (titles, room
names, their own names) are values of a template and never templates, one line each; the sandbox
is there in case an admin's template lets one through to an attribute.

jinja2 is loaded with the first notice: most calls of calsync say nothing to anybody.
"""

from __future__ import annotations

import functools
import gettext
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from calsync.adapters.notify import dates, ics
from calsync.adapters.notify.letter import Letter, split_subject
from calsync.adapters.shared.words import line
from calsync.conflicts.merge import same_grid
from calsync.errors import UsageError
from calsync.model import (
    MAIL,
    Notice,
    NoticeKind,
    Occupancy,
    OrganizerFallback,
    Pair,
    Refusal,
    Room,
    WriteAs,
)

if TYPE_CHECKING:
    from jinja2 import Environment

log = logging.getLogger("calsync.notices")

_HERE: Final = Path(__file__).parent
LOCALE: Final = _HERE / "locale"
TEMPLATES: Final = _HERE / "templates"
#: The template of what goes to shared channels, and that of a test message.
SHARED, TEST = "shared.txt", "test.txt"
#: Dates, taken times and free rooms that are listed.
_MOST: Final = 10
#: What a template can do wrong while it is filled in, beside errors of its own kind.
_OF_TEMPLATES: Final = (ArithmeticError, LookupError, TypeError, ValueError)
#: Kinds for which whoever booked gets something to put into a calendar.
_DATED: Final = frozenset({NoticeKind.CONFIRMED, NoticeKind.CHANGED, NoticeKind.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How notices are worded. ``languages``: of addresses (``ada@x.example``) and of domains
    (``x.example``). ``titles``: whether the subject of a booking is mailed to whoever booked.
    ``folder``: templates that stand in for ours; empty = none. ``organizer``: the address that
    calendars show."""

    language: str = "en"
    languages: Mapping[str, str] = field(default_factory=dict)
    titles: bool = False
    calendar: bool = False
    folder: str = ""
    organizer: str = ""


class Words:
    """Safe to share between threads."""

    def __init__(
        self,
        manners: Manners | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._manners = manners or Manners()
        self._now = now
        self._lock = threading.Lock()
        self._made: dict[tuple[str, bool], Environment] = {}

    def language_of(self, address: str) -> str:
        """The language of a recipient: by address, by domain, by its parent domains, or the
        default."""
        known, plain = self._manners.languages, address.strip().casefold()
        domain = plain.rpartition("@")[2]
        names = [plain]
        while domain:
            names.append(domain)
            domain = domain.partition(".")[2]
        return next((known[name] for name in names if name in known), self._manners.language)

    def letter(self, pair: Pair, room: Room | None, notice: Notice, language: str = "") -> Letter:
        """What ``notice`` says. A template of the admin's that fails gives way to ours: better a
        plain word than none."""
        language = language or self.language_of(notice.person.address)
        shared = notice.channel != MAIL
        name = SHARED if shared else f"{notice.kind.value}.txt"
        values = self._values(pair, room, notice, language)
        subject, text = split_subject(self._rendered(name, language, values))
        dated = self._manners.calendar and not shared and notice.kind in _DATED
        if pair.write_as is WriteAs.ORGANIZER:
            dated = dated and pair.organizer_fallback is OrganizerFallback.ROOM
        calendar = self._file(notice, values, language) if dated else b""
        return Letter(
            subject=subject,
            text=text,
            language=language,
            calendar=calendar,
            about="/".join(
                (notice.booking_key, notice.revision, notice.recipient, notice.kind.value)
            ),
        )

    def _file(self, notice: Notice, values: Mapping[str, Any], language: str) -> bytes:
        """The booking for a calendar; nothing where it cannot be said so: the words say it all."""
        room = values["room"]
        try:
            return ics.published(
                notice,
                room=room["name"],
                place=room["place"],
                summary=values["title"] or self._booked(room["name"], language),
                organizer=self._manners.organizer,
                now=self._now(),
            )
        except Exception:
            log.exception("notices: one leaves without its calendar file")
            return b""

    def test(self, language: str = "") -> Letter:
        """A message that only shows that messages arrive."""
        language = language or self._manners.language
        subject, text = split_subject(self._rendered(TEST, language, {}))
        return Letter(subject=subject, text=text, language=language)

    def check(self) -> None:
        """Try every template of the admin's folder in every language. Raises UsageError."""
        folder = self._manners.folder
        if not folder:
            return
        where = "setting notices.templates"
        if not Path(folder).is_dir():
            todo = "Make the folder, or take the setting out"
            raise UsageError(f"there is no folder {folder}", where=where, todo=todo)
        ours = {path.name for path in TEMPLATES.glob("*.txt")}
        for path in sorted(Path(folder).glob("*.txt")):
            if path.name not in ours:
                raise UsageError(
                    f"no notice is named {path.name}",
                    where=str(path),
                    todo=f"Known names: {', '.join(sorted(ours))}",
                )
            for language in dates.LANGUAGES:
                for values in (_sample(path.name), _sample(path.name) | _FULL):
                    self._try(path, language, values)

    def _try(self, path: Path, language: str, values: Mapping[str, Any]) -> None:
        from jinja2 import TemplateError

        try:
            self._env(language, ours=False).get_template(path.name).render(values)
        except UnicodeError as error:
            todo = "Save it as UTF-8 text"
            raise UsageError(
                f"this file cannot be read: {error}", where=str(path), todo=todo
            ) from error
        except (TemplateError, OSError, *_OF_TEMPLATES) as error:
            at = getattr(error, "lineno", None)
            raise UsageError(
                f"this template does not work: {error}",
                where=f"{path}, line {at}" if at else str(path),
                todo="Mend it (docs/how-to/notices.md lists what it may use), or take it away",
            ) from error

    # --- rendering ---------------------------------------------------------------------------

    def _rendered(self, name: str, language: str, values: Mapping[str, Any]) -> str:
        if self._manners.folder:
            try:
                return str(self._env(language, ours=False).get_template(name).render(values))
            except Exception as error:  # whatever a template of somebody else's does
                log.error(
                    "notices: the template %s does not work (%s); calsync's own is used",
                    *(name, type(error).__name__),
                )
        return str(self._env(language, ours=True).get_template(name).render(values))

    def _booked(self, room: str, language: str) -> str:
        env = self._env(language, ours=True)
        return str(env.from_string('{{ _("Booked: %(room)s", room=room) }}').render(room=room))

    def _env(self, language: str, *, ours: bool) -> Environment:
        with self._lock:
            made = self._made.get((language, ours))
            if made is None:
                folders = [Path(self._manners.folder), TEMPLATES]
                made = _ours(language) if ours else environment(language, folders)
                self._made[language, ours] = made
        return made

    def _values(
        self, pair: Pair, room: Room | None, notice: Notice, language: str
    ) -> dict[str, Any]:
        """What a template may use: text of one line, numbers, and lists of them."""
        translate = translations(language).gettext
        occupancy, shared = notice.occupancy, notice.channel != MAIL
        name = line(room.name if room else pair.mailbox)
        building, floor = (line(room.building), line(room.floor)) if room else ("", "")
        titled = shared or (self._manners.titles and pair.titles)
        values: dict[str, Any] = {
            "kind": notice.kind.value,
            "language": language,
            "room": {
                "id": pair.room_id,
                "name": name,
                "building": building,
                "floor": floor,
                "place": ", ".join(part for part in (building, floor) if part),
                "seats": room.capacity if room else None,
            },
            "when": self._when(occupancy, pair.zone, language),
            "was": self._when(notice.was, pair.zone, language) if notice.was else "",
            "dates": _changed_dates(notice.was, occupancy, pair.zone, language),
            "zone": pair.zone,
            "title": line(occupancy.title or "") if titled and not occupancy.private else "",
            "person": line(notice.person.name),
            "cause": notice.cause.value if notice.cause else "",
            "refusal": _refusal(notice.refusal, occupancy, pair.zone, language, translate),
        }
        return _unlinked(values) if shared else values

    def _when(self, occupancy: Occupancy, zone: str, language: str) -> str:
        translate = translations(language).gettext
        if occupancy.all_day:
            said = translate("%(days)s, all day") % {"days": dates.days(occupancy, language)}
        else:
            said = dates.span(*dates.ends_of(occupancy, zone), zone, language)
        if occupancy.recurrence is not None:
            said = translate("series from %(when)s") % {"when": said}
        return said


def environment(language: str, folders: list[Path]) -> Environment:
    """A sandboxed environment for plain text."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders, encoding="utf-8"),
        autoescape=False,  # plain text: nothing renders it as HTML
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=True,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    return made


@functools.cache
def _ours(language: str) -> Environment:
    """Compiled once in a process, however often a worker is set up anew."""
    return environment(language, [TEMPLATES])


_TRANSLATIONS: dict[str, gettext.NullTranslations] = {}


def translations(language: str) -> gettext.NullTranslations:
    """English is the language of the source: it needs none."""
    found = _TRANSLATIONS.get(language)
    if found is None:
        found = gettext.NullTranslations()
        if language != "en":
            found = gettext.translation("notices", LOCALE, languages=[language])
        _TRANSLATIONS[language] = found
    return found


def _refusal(
    refusal: Refusal | None,
    occupancy: Occupancy,
    zone: str,
    language: str,
    translate: Callable[[str], str],
) -> dict[str, Any] | None:
    if refusal is None:
        return None
    home = ZoneInfo(occupancy.zone or zone)
    reason = line(refusal.reason, 500)
    return {
        "reason": translate(reason) if reason else "",
        "dates": [
            dates.moment(at.replace(tzinfo=home), zone, language)
            if not occupancy.all_day
            else dates.day(at, language)
            for at in refusal.dates[:_MOST]
        ],
        "more_dates": max(0, len(refusal.dates) - _MOST),
        "taken": [
            dates.span(start, end, zone, language) for start, end in refusal.conflicts[:_MOST]
        ],
        "rooms": [
            {"name": line(room.name), "seats": room.capacity}
            for room in refusal.alternatives[:_MOST]
        ],
    }


def _changed_dates(
    was: Occupancy | None, now: Occupancy, zone: str, language: str
) -> list[dict[str, str]]:
    """Where only some dates of a series were moved or taken out: those, each as it was and is.
    A date that came back is one whose rule says when it is."""
    if was is None or was.recurrence is None or now.recurrence is None or not same_grid(was, now):
        return []
    home = ZoneInfo(now.zone or zone)

    def said(at: datetime) -> str:
        return (
            dates.day(at, language)
            if now.all_day
            else dates.moment(at.replace(tzinfo=home), zone, language)
        )

    before, after = _dated(was), _dated(now)
    found = []
    for rid in sorted(before.keys() | after.keys()):
        ruled = (rid, rid + now.duration)
        old, new = before.get(rid, ruled), after.get(rid, ruled)
        if old != new:
            at = said(old[0] if old is not None else rid)
            found.append({"was": at, "now": said(new[0]) if new is not None else ""})
    return found[:_MOST]


def _dated(occupancy: Occupancy) -> dict[datetime, tuple[datetime, datetime] | None]:
    """When each changed date of a series is; None: it was taken out."""
    series = occupancy.recurrence
    assert series is not None
    found: dict[datetime, tuple[datetime, datetime] | None] = {
        one.recurrence_id: (one.start, one.end) for one in series.overrides
    }
    return found | dict.fromkeys(series.excluded, None)


#: What chats read as mentions, links or marks.
_CHAT: Final = str.maketrans(
    {"<": "‹", ">": "›", "@": "＠", "[": "(", "]": ")", "`": "'", "*": "∗", "|": "¦", "~": "∼"}
)


def _unlinked(value: Any) -> Any:
    """No text of a user mentions everybody or becomes a link in a chat."""
    match value:
        case str():
            return value.translate(_CHAT).replace("://", ":∕∕")
        case dict():
            return {key: _unlinked(one) for key, one in value.items()}
        case list():
            return [_unlinked(one) for one in value]
        case _:
            return value


# --- what templates are tried with -------------------------------------------------------------

_WHEN: Final = "Tuesday, 1 December 2026, 09:00–10:00 (Europe/Berlin)"
_FULL: Final = {
    "was": _WHEN,
    "dates": [{"was": _WHEN, "now": _WHEN}, {"was": _WHEN, "now": ""}],
    "title": "Board",
    "person": "Ada",
    "cause": "calendar",
    "refusal": {
        "reason": "The room was already booked at that time.",
        "dates": [_WHEN],
        "more_dates": 1,
        "taken": [_WHEN],
        "rooms": [{"name": "Zuse", "seats": 6}, {"name": "Noether", "seats": None}],
    },
}


def _sample(name: str) -> dict[str, Any]:
    room = {"id": "atrium", "name": "Atrium", "building": "", "floor": "", "place": "", "seats": 4}
    empty: dict[str, Any] = {
        "was": "",
        "dates": [],
        "title": "",
        "person": "",
        "cause": "",
        "refusal": None,
    }
    kind = name.removesuffix(".txt")
    return {
        "kind": kind if kind in {one.value for one in NoticeKind} else "confirmed",
        "language": "en",
        "room": room,
        "when": _WHEN,
        "zone": "Europe/Berlin",
        **empty,
    }

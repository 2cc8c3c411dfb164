"""The booking rules of room mailboxes, from what ``Get-CalendarProcessing | Export-Csv`` wrote, and
where they will surprise people.

Graph cannot read these rules. Their names, defaults and meanings: Exchange,
"Set-CalendarProcessing".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from calsync.setup.sheets import Line, Sheet

#: As PowerShell writes them in English, and as Excel saves them in the languages of its menus.
_YES = (
    "true $true yes 1 wahr vrai verdadero vero verdadeiro waar sant sand sann tosi prawda pravda"
    " igaz doğru истина 참 真"
)
_NO = (
    "false $false no 0 falsch faux falso onwaar falskt falsk usann epätosi fałsz nepravda"
    " hamis yanlış ложь 거짓 假"
)
_MEANS = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)
#: Exchange takes no more (BookingWindowInDays).
_FURTHEST = 1080


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRules:
    """What the platform allows. 0: no limit, or not known. ``titles``: whether the subjects of
    this room's bookings are carried; ``horizon``: days ahead that are synced."""

    book_ahead_days: int = 0
    longest_minutes: int = 0
    series: bool = True
    titles: bool = False
    horizon: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """A rule of the mailbox that people will not expect. ``change``: the parameter that aligns it
    and its value; None where calsync has no advice but to know."""

    rule: str
    now: str
    what: str
    change: tuple[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRules:
    """The rules of one room mailbox, with the line of the file they stand in."""

    mailbox: str
    line: int
    surprises: tuple[Surprise, ...]

    @property
    def changes(self) -> dict[str, object]:
        return dict(s.change for s in self.surprises if s.change is not None)


@dataclass(frozen=True, slots=True)
class Named:
    """A mailbox, and the names under which an export may know it."""

    mailbox: str
    names: tuple[str, ...] = ()


# --- which line is which room ----------------------------------------------------------------


def find_lines(sheet: Sheet, rooms: Sequence[Named]) -> tuple[dict[str, Line], list[Line]]:
    """The line of each mailbox, and the lines that are of none of these.

    ``Identity`` is a name and no address unless the export was asked for one: it counts where
    one room alone bears it.
    """
    by_address = {room.mailbox.casefold(): room.mailbox for room in rooms}
    by_name: dict[str, set[str]] = {}
    for room in rooms:
        for name in (*room.names, room.mailbox.partition("@")[0]):
            by_name.setdefault(name.casefold(), set()).add(room.mailbox)
    found: dict[str, Line] = {}
    others: list[Line] = []
    for line in sheet.lines:
        mailbox = _mailbox(line, by_address, by_name)
        if mailbox is None or mailbox in found:
            others.append(line)
        else:
            found[mailbox] = line
    return found, others


def _mailbox(
    line: Line, by_address: Mapping[str, str], by_name: Mapping[str, set[str]]
) -> str | None:
    columns = ("mailbox", "primarysmtpaddress", "identity", "mailboxownerid", "name", "alias")
    for column in columns:
        said = line.get(column).casefold()
        # An identity may be a path: contoso.com/Rooms/Atrium.
        for name in (said, said.rpartition("/")[2]):
            if name in by_address:
                return by_address[name]
            if len(by_name.get(name, ())) == 1:
                return next(iter(by_name[name]))
    return None


# --- the rules -------------------------------------------------------------------------------


def judge(mailbox: str, line: Line, platform: PlatformRules) -> RoomRules:
    """What of the mailbox's rules will surprise people who book on the platform, or in Outlook."""
    read = _Reader(line)
    found = [one for rule in _RULES for one in rule(read, platform)]
    found += [
        Surprise(
            rule=name,
            now=said,
            what="this value was not understood; look it up with Get-CalendarProcessing",
        )
        for name, said in read.strange
    ]
    return RoomRules(mailbox=mailbox, line=line.number, surprises=tuple(found))


class _Reader:
    """Values of a line; what is there and cannot be read is kept in ``strange``."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.strange: list[tuple[str, str]] = []

    def text(self, name: str) -> str:
        return self._line.get(name.lower())

    def flag(self, name: str) -> bool | None:
        said = self.text(name).strip().casefold()
        if not said:
            return None
        if said in _MEANS:
            return _MEANS[said]
        self.strange.append((name, self.text(name)))
        return None

    def number(self, name: str) -> int | None:
        said = self.text(name).strip()
        if not said:
            return None
        if said.isascii() and said.isdigit():
            return int(said)
        self.strange.append((name, said))
        return None


Rule = Callable[[_Reader, PlatformRules], Iterator[Surprise]]


def _answers(read: _Reader, _: PlatformRules) -> Iterator[Surprise]:
    said = read.text("AutomateProcessing")
    if said and said.casefold() != "autoaccept":
        yield Surprise(
            rule="AutomateProcessing",
            now=said,
            what="the room does not answer invitations by itself: an Outlook booking stays"
            " unanswered, and two of them can take the same time",
            change=("AutomateProcessing", "AutoAccept"),
        )
    if read.text("BookingType").casefold() == "reserved":
        yield Surprise(
            rule="BookingType", now="Reserved", what="nobody can book this room in Outlook"
        )


def _conflicts(read: _Reader, _: PlatformRules) -> Iterator[Surprise]:
    if read.flag("AllowConflicts"):
        yield Surprise(
            rule="AllowConflicts",
            now="true",
            what="the room accepts two bookings for one time: a booking of the platform is no"
            " obstacle to Outlook",
            change=("AllowConflicts", False),
        )
        return
    for name, unit in (("ConflictPercentageAllowed", "%"), ("MaximumConflictInstances", " dates")):
        much = read.number(name)
        if much:
            yield Surprise(
                rule=name,
                now=f"{much}{unit}",
                what="a series is accepted although some of its dates are taken; those are"
                " declined one by one, and people may not notice",
            )


def _series(read: _Reader, platform: PlatformRules) -> Iterator[Surprise]:
    repeats = read.flag("AllowRecurringMeetings")
    if repeats is False and platform.series:
        yield Surprise(
            rule="AllowRecurringMeetings",
            now="false",
            what="the platform takes series, Outlook does not",
            change=("AllowRecurringMeetings", True),
        )
    if repeats and not platform.series:
        yield Surprise(
            rule="AllowRecurringMeetings",
            now="true",
            what="Outlook takes series, the platform does not",
            change=("AllowRecurringMeetings", False),
        )
    if read.flag("EnforceSchedulingHorizon") is False:
        yield Surprise(
            rule="EnforceSchedulingHorizon",
            now="false",
            what="a series that reaches past the window is accepted and cut short: it ends earlier"
            " in the room than its organiser sees",
            change=("EnforceSchedulingHorizon", True),
        )


def _window(read: _Reader, platform: PlatformRules) -> Iterator[Surprise]:
    days = read.number("BookingWindowInDays")
    if days is None:
        return
    wanted = platform.book_ahead_days
    if wanted and days != wanted:
        earlier, later = (
            ("Outlook", "the platform") if days < wanted else ("the platform", "Outlook")
        )
        yield Surprise(
            rule="BookingWindowInDays",
            now=str(days),
            what=f"the platform takes bookings {wanted} days ahead: {earlier} refuses what"
            f" {later} takes",
            change=("BookingWindowInDays", min(wanted, _FURTHEST)),
        )
    if days > platform.horizon:
        yield Surprise(
            rule="BookingWindowInDays",
            now=str(days),
            what=f"calsync looks {platform.horizon} days ahead (window.future_days): what is booked"
            " in Outlook later than that shows on the platform when its time comes near",
        )


def _length(read: _Reader, platform: PlatformRules) -> Iterator[Surprise]:
    most, wanted = read.number("MaximumDurationInMinutes"), platform.longest_minutes
    if most is not None and wanted and most != wanted:
        shorter = 0 < most < wanted
        yield Surprise(
            rule="MaximumDurationInMinutes",
            now=str(most) if most else "no limit",
            what=f"the platform takes {wanted} minutes: "
            + ("Outlook refuses what it takes" if shorter else "Outlook takes longer ones"),
            change=("MaximumDurationInMinutes", wanted),
        )
    elif most and not wanted:
        yield Surprise(
            rule="MaximumDurationInMinutes",
            now=str(most),
            what="Outlook declines a meeting that lasts longer; bookings of the platform are not"
            " held to it (platform.longest_minutes says what the platform allows)",
        )
    if read.number("MinimumDurationInMinutes"):
        yield Surprise(
            rule="MinimumDurationInMinutes",
            now=read.text("MinimumDurationInMinutes"),
            what="Outlook declines a meeting that is shorter",
        )


def _hours(read: _Reader, _: PlatformRules) -> Iterator[Surprise]:
    if read.flag("ScheduleOnlyDuringWorkHours"):
        yield Surprise(
            rule="ScheduleOnlyDuringWorkHours",
            now="true",
            what="Outlook declines meetings outside the mailbox's working hours; bookings of the"
            " platform are not held to them",
        )
    if read.flag("EnforceCapacity"):
        yield Surprise(
            rule="EnforceCapacity",
            now="true",
            what="Outlook declines a meeting with more people than seats",
        )


def _people(read: _Reader, _: PlatformRules) -> Iterator[Surprise]:
    if read.flag("AllBookInPolicy") is False:
        yield Surprise(
            rule="AllBookInPolicy",
            now="false",
            what="only some people can book this room in Outlook; the platform does not know whom",
        )
    if read.text("ResourceDelegates").strip("{} "):
        yield Surprise(
            rule="ResourceDelegates",
            now=read.text("ResourceDelegates"),
            what="requests may wait for a delegate: the room shows them as tentative until then,"
            " and the platform as taken",
        )
    if read.flag("EnableAutoRelease"):
        yield Surprise(
            rule="EnableAutoRelease",
            now="true",
            what="Exchange gives a room free again where nobody checks in; let the platform not do"
            " the same",
        )


def _stripped(read: _Reader, platform: PlatformRules) -> Iterator[Surprise]:
    if platform.titles:
        if read.flag("DeleteSubject"):
            yield Surprise(
                rule="DeleteSubject",
                now="true",
                what="the subject is taken off: the platform shows no title though it is carried"
                " for this room",
                change=("DeleteSubject", False),
            )
        if read.flag("AddOrganizerToSubject"):
            yield Surprise(
                rule="AddOrganizerToSubject",
                now="true",
                what="the subject becomes the organiser's name, and the platform shows it as title",
                change=("AddOrganizerToSubject", False),
            )
    if read.flag("RemovePrivateProperty"):
        yield Surprise(
            rule="RemovePrivateProperty",
            now="true",
            what="the private flag is taken off: a private meeting cannot be told from others",
            change=("RemovePrivateProperty", False),
        )


_RULES: tuple[Rule, ...] = (
    _answers,
    _conflicts,
    _series,
    _window,
    _length,
    _hours,
    _people,
    _stripped,
)

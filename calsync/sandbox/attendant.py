"""The resource booking attendant: what Set-CalendarProcessing makes of a meeting request.

Names and defaults of the settings are those of the Exchange PowerShell reference for
Set-CalendarProcessing. `judge` decides; `rewrite` is what the room's copy is left with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from .items import DAY, Instance, Item, expand

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .world import World


@dataclass(frozen=True, slots=True)
class Processing:
    """Get-CalendarProcessing of one room, with Exchange Online's defaults."""

    AutomateProcessing: str = "AutoAccept"
    AllowConflicts: bool = False
    ConflictPercentageAllowed: int = 0
    MaximumConflictInstances: int = 0
    AllowRecurringMeetings: bool = True
    BookingWindowInDays: int = 180
    EnforceSchedulingHorizon: bool = True
    MaximumDurationInMinutes: int = 1440
    MinimumDurationInMinutes: int = 0
    ScheduleOnlyDuringWorkHours: bool = False
    EnforceCapacity: bool = False
    ProcessExternalMeetingMessages: bool = False
    AllBookInPolicy: bool = True
    AllRequestInPolicy: bool = False
    AllRequestOutOfPolicy: bool = False
    BookInPolicy: tuple[str, ...] = ()
    RequestInPolicy: tuple[str, ...] = ()
    RequestOutOfPolicy: tuple[str, ...] = ()
    ResourceDelegates: tuple[str, ...] = ()
    BookingType: str = "Standard"
    EnableResponseDetails: bool = True
    OrganizerInfo: bool = True
    AddAdditionalResponse: bool = False
    AdditionalResponse: str = ""
    ForwardRequestsToDelegates: bool = True
    DeleteSubject: bool = True
    AddOrganizerToSubject: bool = True
    DeleteComments: bool = True
    DeleteAttachments: bool = True
    RemovePrivateProperty: bool = True
    RemoveCanceledMeetings: bool = False
    AddNewRequestsTentatively: bool = True
    TentativePendingApproval: bool = True
    # Not of Set-CalendarProcessing: how long this room's attendant takes (None: the world's
    # switch),
    # and the hours of Set-MailboxCalendarConfiguration.
    delay_s: float | None = None
    WorkDays: tuple[int, ...] = (0, 1, 2, 3, 4)
    WorkStart: time = time(8)
    WorkEnd: time = time(17)

    def changed(self, settings: Mapping[str, Any]) -> Processing:
        """A copy with some settings changed; names compare without case. ValueError if unknown."""
        known = {entry.name.casefold(): entry.name for entry in fields(self)}
        chosen: dict[str, Any] = {}
        for name, value in settings.items():
            target = known.get(name.casefold())
            if target is None:
                raise ValueError(f"unknown processing setting {name!r}")
            if isinstance(value, list):
                value = tuple(value)
            if target in ("WorkStart", "WorkEnd") and isinstance(value, str):
                value = time.fromisoformat(value)
            chosen[target] = value
        return replace(self, **chosen)

    def show(self) -> dict[str, Any]:
        """For JSON."""
        raw = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, time) else value
            for name, value in raw.items()
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """accepted, declined or pending; why; the dates refused; where the series is cut."""

    answer: str
    reason: str = ""
    refused: frozenset[date] = frozenset()
    cut: date | None = None
    clashes: tuple[str, ...] = field(default=(), compare=False)


def judge(world: World, room: Mailbox, item: Item) -> Verdict:
    """Decide a new or moved meeting request against the room's settings and calendar."""
    rules = room.processing or Processing()
    inside, cut = _policy(world, room, rules, item)
    organizer = item.organizer.address.casefold()
    if inside is not None:
        if rules.AllRequestOutOfPolicy or organizer in _folded(rules.RequestOutOfPolicy):
            return Verdict("pending", inside)
        return Verdict("declined", inside)
    clash = conflicts(world, room, item, cut)
    if clash.answer == "declined":
        return clash
    if rules.AllBookInPolicy or organizer in _folded(rules.BookInPolicy):
        return clash
    if rules.AllRequestInPolicy or organizer in _folded(rules.RequestInPolicy):
        return replace(
            clash, answer="pending", reason="The request waits for a delegate of the room."
        )
    return Verdict("declined", "You do not have permission to book this room.")


def _folded(addresses: tuple[str, ...]) -> set[str]:
    return {address.casefold() for address in addresses}


def _policy(
    world: World, room: Mailbox, rules: Processing, item: Item
) -> tuple[str | None, date | None]:
    """Why the request is outside the policy (None: inside), and where its series is cut."""
    if rules.BookingType.casefold() == "reserved":
        return "This room cannot be booked.", None
    sender = world.box(item.organizer.address)
    if (
        sender is None or sender.tenant_id != room.tenant_id
    ) and not rules.ProcessExternalMeetingMessages:
        return "Meeting requests from outside the organization are not accepted.", None
    if item.rule is not None and not rules.AllowRecurringMeetings:
        return "Recurring meetings are not allowed for this room.", None
    minutes = (item.when.end_utc - item.when.start_utc) / timedelta(minutes=1)
    if rules.MaximumDurationInMinutes and minutes > rules.MaximumDurationInMinutes:
        return (
            f"The meeting is longer than the limit of {rules.MaximumDurationInMinutes} minutes.",
            None,
        )
    if minutes < rules.MinimumDurationInMinutes:
        return f"The meeting is shorter than {rules.MinimumDurationInMinutes} minutes.", None
    if rules.ScheduleOnlyDuringWorkHours and not _in_hours(room, rules, item):
        return "The meeting is outside the working hours of this room.", None
    capacity = room.place.capacity if room.place else None
    if rules.EnforceCapacity and capacity is not None and len(item.attendees) > capacity:
        return f"The room holds {capacity} people.", None
    horizon = world.utc() + timedelta(days=rules.BookingWindowInDays)
    if item.when.start_utc > horizon:
        return f"The meeting is further ahead than {rules.BookingWindowInDays} days.", None
    if item.rule is None:
        return None, None
    last = item.rule.last()
    limit = item.when.start_zone.to_wall(horizon).date()
    if last is not None and last <= limit:
        return None, None
    if rules.EnforceSchedulingHorizon:
        return f"The series reaches further ahead than {rules.BookingWindowInDays} days.", None
    return None, limit


def _in_hours(room: Mailbox, rules: Processing, item: Item) -> bool:
    start, end = room.zone.to_wall(item.when.start_utc), room.zone.to_wall(item.when.end_utc)
    return (
        start.date() == end.date()
        and start.weekday() in rules.WorkDays
        and rules.WorkStart <= start.time()
        and end.time() <= rules.WorkEnd
    )


def busy(world: World, found: Instance) -> bool:
    """Whether an instance takes the room. Tentative blocks: no source says, hence a switch."""
    shown = found.prop("showAs", "busy")
    if not found.live or shown == "free":
        return False
    return shown != "tentative" or world.switches.tentative_blocks


def taken(world: World, room: Mailbox, low: datetime, high: datetime, uid: str) -> list[Instance]:
    """Busy instances of others in a span, by start."""
    found = [
        one
        for other in room.items.values()
        if other.uid != uid
        for one in expand(other, low, high)
        if busy(world, one)
    ]
    return sorted(found, key=lambda one: one.when.start_utc)


def conflicts(world: World, room: Mailbox, item: Item, cut: date | None) -> Verdict:
    """Apply AllowConflicts, ConflictPercentageAllowed and MaximumConflictInstances."""
    rules = room.processing or Processing()
    # All-day dates take the days of the room that holds them.
    item = replace(item, when=item.when.held_in(room.zone))
    horizon = max(world.utc() + timedelta(days=rules.BookingWindowInDays + 1), item.when.end_utc)
    wanted = list(expand(item, item.when.start_utc - 400 * DAY, horizon + DAY))
    wanted = [
        one for one in wanted if one.live and (cut is None or one.day is None or one.day <= cut)
    ]
    if rules.AllowConflicts or not wanted:
        return Verdict("accepted", cut=cut)
    low, high = min(one.when.start_utc for one in wanted), max(one.when.end_utc for one in wanted)
    others = taken(world, room, low, high, item.uid)
    hits = [(one, other) for one in wanted if (other := _first_clash(one, others)) is not None]
    if not hits:
        return Verdict("accepted", cut=cut)
    names = tuple(dict.fromkeys(other.item.organizer.name for _, other in hits))
    reason = "The room is already booked"
    if rules.EnableResponseDetails and rules.OrganizerInfo:
        reason += " by " + ", ".join(names)
    if item.rule is None or _too_many(world, rules, len(hits), len(wanted)):
        return Verdict("declined", reason + ".", clashes=names)
    refused = frozenset(one.day for one, _ in hits if one.day is not None)
    return Verdict("accepted", reason + " on some dates.", refused, cut, names)


def _first_clash(wanted: Instance, others: list[Instance]) -> Instance | None:
    slot = wanted.when
    for other in others:
        if other.when.start_utc >= slot.end_utc:
            return None
        if other.when.end_utc > slot.start_utc:
            return other
    return None


def _too_many(world: World, rules: Processing, hits: int, total: int) -> bool:
    over_share = hits * 100 > rules.ConflictPercentageAllowed * total
    over_count = hits > rules.MaximumConflictInstances
    return (
        (over_share or over_count)
        if world.switches.conflict_limits == "both"
        else (over_share and over_count)
    )


def rewrite(room: Mailbox, item: Item) -> dict[str, Any]:
    """Members of the room's copy: subject, body, private flag and reminders as the attendant
    leaves them.
    """
    rules = room.processing or Processing()
    props = dict(item.props)
    _rewrite_into(props, item, rules)
    return props


def rewrite_changed(room: Mailbox, props: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the changed members of one instance."""
    rules = room.processing or Processing()
    made = dict(props)
    if rules.AutomateProcessing.casefold() == "autoaccept":
        if rules.DeleteSubject or rules.AddOrganizerToSubject:
            made.pop("subject", None)
        if rules.DeleteComments:
            made.pop("body", None)
        if rules.RemovePrivateProperty:
            made.pop("sensitivity", None)
    return made


def _rewrite_into(props: dict[str, Any], item: Item, rules: Processing) -> None:
    for private in ("categories", "isReminderOn", "reminderMinutesBeforeStart"):
        props.pop(private, None)
    if rules.AutomateProcessing.casefold() != "autoaccept":
        return
    title = "" if rules.DeleteSubject else str(props.get("subject", ""))
    if rules.AddOrganizerToSubject:
        # The organizer's name replaces an emptied subject and precedes a kept one.
        title = f"{item.organizer.name} {title}".strip() if title else item.organizer.name
    props["subject"] = title
    if rules.DeleteComments:
        props.pop("body", None)
    if rules.DeleteAttachments:
        props.pop("hasAttachments", None)
        props.pop("attachments", None)
    if rules.RemovePrivateProperty:
        props.pop("sensitivity", None)

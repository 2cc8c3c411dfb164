"""GetUserAvailability: free/busy, in the wall time of the zone that the request describes."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone, tzinfo

from ..attendant import Processing
from ..graph.render import occurrence_uid
from ..items import Instance
from ..mailbox import Mailbox
from ..problems import Refusal
from ..zones import CUSTOM, Zone, windows_name
from .call import Call, SoapFault, code_of, need, one_of, schema, whole
from .props import SHOWN_AS
from .xml import Markup, Node, Part, m, t
from .zones import DAYS, Changes, Rules, read_time, rules_of

MOST_MAILBOXES = 100
MOST_DAYS = timedelta(days=42)
VIEWS = ("None", "MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
DIGITS = {"free": 0, "tentative": 1, "busy": 2, "oof": 3, "workingElsewhere": 4}
# Away counts more than busy, busy more than tentative, that more than free.
WEIGHT = {0: 0, 4: 1, 1: 2, 2: 3, 3: 4}


def get(call: Call) -> Markup:
    """GetUserAvailability. Suggestions are not made."""
    body = call.body
    said = body.find("TimeZone")
    zone = Zone(CUSTOM, read_serial(said)) if said is not None else call.zone
    options = body.find("FreeBusyViewOptions")
    rows = need(body, "MailboxDataArray").kids
    if options is None:
        if body.find("SuggestionsViewOptions") is None:
            raise SoapFault("ErrorMissingArgument", "Say which view is wanted.")
        empty = m("SuggestionDayResultArray")
        message = m("ResponseMessage", m("ResponseCode", "NoError"), ResponseClass="Success")
        return m("GetUserAvailabilityResponse", m("SuggestionsResponse", message, empty))
    if not rows:
        raise SoapFault("ErrorMailboxDataArrayEmpty", "No mailbox is named.")
    if len(rows) > MOST_MAILBOXES:
        raise SoapFault("ErrorMailboxDataArrayTooBig", "Too many mailboxes are named.")
    window = need(options, "TimeWindow")
    low, high = (_point(need(window, name), zone) for name in ("StartTime", "EndTime"))
    step = options.find("MergedFreeBusyIntervalInMinutes")
    minutes = whole(step, step.text) if step is not None else 30
    kind = options.find("RequestedView")
    wanted = one_of(kind, kind.text.strip(), VIEWS) if kind is not None else "FreeBusyMerged"
    if not 5 <= minutes <= 1440:
        raise SoapFault("ErrorInvalidMergedFreeBusyInterval", "The interval is not valid.")
    if high <= low:
        raise SoapFault("ErrorInvalidTimeInterval", "The end is not after the start.")
    made = [_one(call, row, zone, low, high, minutes, wanted) for row in rows]
    return m("GetUserAvailabilityResponse", m("FreeBusyResponseArray", *made))


def _point(node: Node, zone: Zone) -> datetime:
    value, is_utc = read_time(node, node.text)
    return value if is_utc else zone.to_utc(value)


def _one(
    call: Call,
    row: Node,
    zone: Zone,
    low: datetime,
    high: datetime,
    minutes: int,
    wanted: str,
) -> Markup:
    address = (need(row, "Email").said("Address") or "").strip()
    try:
        if high - low > MOST_DAYS:
            raise Refusal(
                400, "ErrorTimeIntervalTooBig", "The requested time window is longer than 42 days."
            )
        if any(address.casefold() == known.casefold() for known in call.tenant.lists.values()):
            raise Refusal(400, "ErrorFreeBusyDLLimitReached", "The list has too many members.")
        box = call.tenant.boxes.get(address.casefold())
        if box is None:
            raise Refusal(
                404,
                "ErrorMailRecipientNotFound",
                "Unable to resolve e-mail address to an AD object.",
            )
        if call.flags.get("denied"):
            raise Refusal(403, "ErrorNoFreeBusyAccess", "The caller has no free/busy access.")
        call.flags.setdefault("mailbox", box.address)
    except Refusal as refusal:
        return m(
            "FreeBusyResponse",
            m(
                "ResponseMessage",
                m("MessageText", refusal.message),
                m("ResponseCode", code_of(refusal)),
                m("DescriptiveLinkKey", 0),
                ResponseClass="Error",
            ),
            m("FreeBusyView", t("FreeBusyViewType", "None")),
        )
    view = _view(call, box, zone, low, high, minutes, wanted)
    return m(
        "FreeBusyResponse",
        m("ResponseMessage", m("ResponseCode", "NoError"), ResponseClass="Success"),
        view,
    )


def _view(
    call: Call,
    box: Mailbox,
    zone: Zone,
    low: datetime,
    high: datetime,
    minutes: int,
    wanted: str,
) -> Markup:
    opened = call.box is box or (not call.impersonated and call.account.may_open(box))
    if wanted.startswith("Detailed") and not opened:
        # Who may not read the calendar sees free/busy.
        wanted = wanted.replace("Detailed", "FreeBusy")
    found = sorted(
        (one for one in box.view(low, high) if one.live), key=lambda one: one.when.start_utc
    )
    parts: list[Part] = [t("FreeBusyViewType", wanted)]
    if "Merged" in wanted:
        parts.append(t("MergedFreeBusy", _digits(found, low, high, minutes)))
    if wanted not in ("None", "MergedOnly"):
        rows = [_event(box, one, zone, detailed=wanted.startswith("Detailed")) for one in found]
        parts.append(t("CalendarEventArray", *rows) if rows else None)
    parts.append(_hours(box))
    return m("FreeBusyView", *parts)


def _digits(found: list[Instance], low: datetime, high: datetime, minutes: int) -> str:
    width = timedelta(minutes=minutes)
    slots = [0] * -(-(high - low) // width)
    for one in found:
        digit = DIGITS.get(one.prop("showAs", "busy"), 2)
        first = max(0, (one.when.start_utc - low) // width)
        last = min(len(slots), -(-(one.when.end_utc - low) // width))
        for place in range(first, last):
            if WEIGHT[digit] > WEIGHT[slots[place]]:
                slots[place] = digit
    return "".join(map(str, slots))


def _event(box: Mailbox, one: Instance, zone: Zone, *, detailed: bool) -> Markup:
    """Times are wall times of the request's zone, without an offset."""
    start, end = zone.to_wall(one.when.start_utc), zone.to_wall(one.when.end_utc)
    details: Markup | None = None
    if detailed:
        private = one.prop("sensitivity", "normal") in ("private", "confidential")
        place = one.prop("location")
        name = (place.get("displayName") or None) if place else None
        details = t(
            "CalendarEventDetails",
            None if private else t("ID", occurrence_uid(one.item.uid, one)),
            None if private else t("Subject", str(one.prop("subject", "") or "")),
            t("Location", name) if name and not private else None,
            t("IsMeeting", bool(one.item.attendees) or not one.item.own),
            t("IsRecurring", one.day is not None),
            t("IsException", one.override is not None),
            t("IsReminderSet", bool(one.prop("isReminderOn", True))),
            t("IsPrivate", private),
        )
    _ = box
    return t(
        "CalendarEvent",
        t("StartTime", start.replace(microsecond=0).isoformat()),
        t("EndTime", end.replace(microsecond=0).isoformat()),
        t("BusyType", SHOWN_AS[one.prop("showAs", "busy")]),
        details,
    )


def _hours(box: Mailbox) -> Markup:
    rules = box.processing or Processing()
    days = " ".join(DAYS[day] for day in rules.WorkDays)
    period = t(
        "WorkingPeriod",
        t("DayOfWeek", days),
        t("StartTimeInMinutes", rules.WorkStart.hour * 60 + rules.WorkStart.minute),
        t("EndTimeInMinutes", rules.WorkEnd.hour * 60 + rules.WorkEnd.minute),
    )
    return t("WorkingHours", write_serial(box.zone), t("WorkingPeriodArray", period))


# -- the older form of a time zone ----------------------------------------------------------


def read_serial(node: Node) -> tzinfo:
    """SerializableTimeZone: UTC is local time plus the bias, in minutes."""
    said = need(node, "Bias")
    bias = whole(said, said.text)
    standard = _bias(node, bias, "StandardTime")
    daylight = _bias(node, bias, "DaylightTime")
    back, into = _serial_change(node, "StandardTime"), _serial_change(node, "DaylightTime")
    if back is None or into is None or standard == daylight:
        return timezone(standard)
    return Rules(standard, daylight, into, back)


def _bias(node: Node, bias: int, name: str) -> timedelta:
    said = need(node, name, "Bias")
    minutes = bias + whole(said, said.text)
    if abs(minutes) >= 1440:
        raise schema(f"The '{name}' element is invalid.", said)
    return timedelta(minutes=-minutes)


def _serial_change(node: Node, name: str) -> Changes | None:
    part = need(node, name)
    month, order = need(part, "Month"), need(part, "DayOrder")
    number, place = whole(month, month.text, 0, 12), whole(order, order.text, 0, 5)
    day = one_of(part, need(part, "DayOfWeek").text.strip(), DAYS)
    if not number or not place:
        return None
    try:
        clock = time.fromisoformat(need(part, "Time").text.strip())
    except ValueError:
        raise schema(f"The '{name}' element is invalid - its time is no time.", part) from None
    return number, DAYS.index(day), -1 if place == 5 else place, clock


def write_serial(zone: Zone) -> Markup:
    """SerializableTimeZone of a mailbox's zone."""
    standard, daylight, into, back = rules_of(windows_name(zone.label))

    def part(name: str, bias: timedelta, change: Changes | None) -> Markup:
        month, weekday, place, clock = change or (0, 6, 0, time(0))
        return t(
            name,
            t("Bias", int(bias.total_seconds()) // 60),
            t("Time", clock.isoformat()),
            t("DayOrder", 5 if place == -1 else place),
            t("Month", month),
            t("DayOfWeek", DAYS[weekday]),
        )

    return t(
        "TimeZone",
        t("Bias", int(-standard.total_seconds()) // 60),
        part("StandardTime", timedelta(0), back),
        part("DaylightTime", standard - daylight, into),
    )

"""getSchedule (free/busy) and sendMail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..items import Instance
from ..problems import Refusal, bad_body, bad_request
from ..zones import windows_name, zone
from .calendar import style_of
from .directory import working_hours
from .reader import read_time
from .render import times
from .request import Request, Response, answer, collection_context

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World

DIGITS = {"free": "0", "tentative": "1", "busy": "2", "oof": "3", "workingElsewhere": "4"}
MOST_ENTRIES = 1000
MOST_DAYS = timedelta(days=62)


def get_schedule(world: World, request: Request, tenant: Tenant) -> Response:
    """POST /users/{any}/calendar/getSchedule."""
    raw = {name.casefold(): value for name, value in request.json().items()}
    wanted = raw.get("schedules")
    if not isinstance(wanted, list) or not wanted:
        raise bad_body("Schedules is required.")
    low, high = _instant(world, raw.get("starttime")), _instant(world, raw.get("endtime"))
    step = raw.get("availabilityviewinterval", 30)
    if isinstance(step, bool) or not isinstance(step, int) or not 5 <= step <= 1440:
        raise bad_request(
            "AvailabilityViewInterval must be from 5 to 1440.", "ErrorInvalidParameter"
        )
    if high <= low or high - low < timedelta(minutes=step):
        raise bad_request("The time window is shorter than the interval.", "ErrorInvalidParameter")
    if high - low > MOST_DAYS:
        raise bad_request(
            "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too "
            f"long. The allowed limit = {MOST_DAYS.days} days; the actual limit = "
            f"{-(-(high - low) // timedelta(days=1))} days.",
            "ErrorTimeIntervalTooBig",
        )
    rows = [_schedule(world, request, tenant, str(address), low, high, step) for address in wanted]
    return answer(
        200,
        {
            "@odata.context": collection_context(request, "microsoft.graph.scheduleInformation"),
            "value": rows,
        },
    )


def _instant(world: World, raw: object) -> datetime:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("dateTime"), str):
        raise bad_body("StartTime and EndTime are required.")
    wall, offset = read_time(raw["dateTime"])
    if offset is not None:
        return wall
    return zone(str(raw.get("timeZone") or "UTC"), any_iana=world.switches.any_iana_zone).to_utc(
        wall
    )


def _schedule(
    world: World,
    request: Request,
    tenant: Tenant,
    address: str,
    low: datetime,
    high: datetime,
    step: int,
) -> dict[str, Any]:
    box = tenant.boxes.get(address.casefold())
    if box is None:
        return _failed(address, "ErrorMailRecipientNotFound", "The recipient is not found.")
    found = sorted(
        (one for one in box.view(low, high) if one.live), key=lambda one: one.when.start_utc
    )
    if len(found) > MOST_ENTRIES:
        return _failed(address, "5006", "The result set contains too many calendar entries.")
    return {
        "scheduleId": address,
        "availabilityView": _digits(found, low, high, step),
        "scheduleItems": [_entry(world, request, one) for one in found],
        "workingHours": working_hours(windows_name(box.zone.label)),
    }


def _failed(address: str, code: str, message: str) -> dict[str, Any]:
    return {
        "scheduleId": address,
        "availabilityView": "",
        "error": {"responseCode": code, "message": message},
    }


def _entry(world: World, request: Request, one: Instance) -> dict[str, Any]:
    start, end = times(one.when, style_of(world, request))
    private = one.prop("sensitivity", "normal") in ("private", "confidential")
    entry: dict[str, Any] = {
        "isPrivate": private,
        "status": one.prop("showAs", "busy"),
        "start": start,
        "end": end,
    }
    if not private:
        place = one.prop("location")
        entry |= {
            "subject": one.prop("subject", ""),
            "location": place["displayName"] if place else "",
        }
    return entry


def _digits(found: list[Instance], low: datetime, high: datetime, step: int) -> str:
    width = timedelta(minutes=step)
    slots = ["0"] * -(-(high - low) // width)
    for one in found:
        digit = DIGITS.get(one.prop("showAs", "busy"), "2")
        first = max(0, (one.when.start_utc - low) // width)
        last = min(len(slots), -(-(one.when.end_utc - low) // width))
        for place in range(first, last):
            # Busy and away count more than tentative, tentative more than free.
            if _RANK[digit] > _RANK[slots[place]]:
                slots[place] = digit
    return "".join(slots)


_RANK = {"0": 0, "4": 1, "1": 2, "2": 3, "3": 4}


def send_mail(world: World, request: Request, box: Mailbox) -> Response:
    """POST /users/{id}/sendMail: 202, into the mail log."""
    raw = {name.casefold(): value for name, value in request.json().items()}
    message = raw.get("message")
    if not isinstance(message, Mapping):
        raise bad_body("Message is required.")
    saved = raw.get("savetosentitems", True)
    if not isinstance(saved, bool):
        raise bad_body(
            "Cannot convert the value of 'SaveToSentItems' to the expected type 'Edm.Boolean'."
        )
    body = message.get("body")
    text = body.get("content", "") if isinstance(body, Mapping) else ""
    people = [
        one
        for part in ("toRecipients", "ccRecipients", "bccRecipients")
        for one in message.get(part) or []
    ]
    if not people:
        raise Refusal(400, "ErrorInvalidRecipients", "At least one recipient is required.")
    for one in people:
        address = one.get("emailAddress", {}).get("address") if isinstance(one, Mapping) else None
        if not isinstance(address, str):
            raise Refusal(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        world.mail(
            "mail", box.address, address, str(message.get("subject") or ""), body=text, saved=saved
        )
    return Response(202, {})

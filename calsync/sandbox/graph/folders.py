"""Calendars, calendar groups and permissions: every mailbox has one of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..problems import Refusal, not_found
from . import query as odata
from .calendar import calendar_id
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..mailbox import Mailbox

# Outlook's class id of the group "My Calendars".
MY_CALENDARS = "0006f0b7-0000-0000-c000-000000000046"


def group_id(box: Mailbox) -> str:
    """Id of the only calendar group."""
    return f"AAMkG{box.tag}group="


def calendar(box: Mailbox) -> dict[str, Any]:
    """microsoft.graph.calendar."""
    return {
        "id": calendar_id(box),
        "name": "Calendar",
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": True,
        "changeKey": f"{box.tag}==",
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": True,
        "isRemovable": False,
        "owner": {"name": box.name, "address": box.address},
    }


def group(box: Mailbox) -> dict[str, Any]:
    """microsoft.graph.calendarGroup."""
    return {
        "id": group_id(box),
        "name": "My Calendars",
        "classId": MY_CALENDARS,
        "changeKey": f"{box.tag}g=",
    }


def permission(box: Mailbox) -> dict[str, Any]:
    """The permission every calendar has: people of the company see free and busy."""
    return {
        "id": f"{box.tag}Default",
        "isRemovable": False,
        "isInsideOrganization": True,
        "role": "freeBusyRead",
        "allowedRoles": ["none", "freeBusyRead", "limitedRead", "read", "write"],
        "emailAddress": {"name": "My Organization"},
    }


def one(request: Request, shown: dict[str, Any]) -> Response:
    """GET of a calendar or a group."""
    read_only(request)
    names = odata.selected(request.query)
    context = request.context(names, entity=True)
    return answer(200, {"@odata.context": context, **odata.pick(shown, names)})


def several(request: Request, rows: list[dict[str, Any]]) -> Response:
    """GET of calendars, groups or permissions."""
    read_only(request)
    names = odata.selected(request.query)
    if request.query.get("$filter"):
        test = odata.compile_filter(request.query["$filter"])
        rows = [row for row in rows if test(row)]
    body: dict[str, Any] = {"@odata.context": request.context(names)}
    if request.query.get("$count", "").casefold() == "true":
        body["@odata.count"] = len(rows)
    return answer(200, body | {"value": [odata.pick(row, names) for row in rows]})


def read_only(request: Request) -> None:
    """Graph could make further calendars; the sandbox says that it cannot."""
    if request.method != "GET":
        raise Refusal(
            501,
            "NotImplemented",
            "The sandbox has one calendar in a mailbox: calendars, groups and permissions can "
            "be read only.",
        )


def descend(request: Request, box: Mailbox, rest: list[str]) -> Response | list[str]:
    """Follow calendarGroups/…, calendars/… and calendar/… down to the default calendar.

    Answers a Response where the path ends at a folder, else what remains: events, calendarView
    or an action.
    """
    if rest[0].casefold() == "calendargroups":
        if len(rest) == 1:
            return several(request, [group(box)])
        if rest[1] != group_id(box):
            raise not_found()
        if len(rest) == 2:
            return one(request, group(box))
        rest = rest[2:]
        if rest[0].casefold() != "calendars":
            raise not_found()
    if rest[0].casefold() == "calendars":
        if len(rest) == 1:
            return several(request, [calendar(box)])
        if rest[1] != calendar_id(box):
            raise not_found()
        rest = rest[1:]
    elif rest[0].casefold() != "calendar":
        return rest
    if len(rest) == 1:
        return one(request, calendar(box))
    if rest[1].casefold() == "calendarpermissions" and len(rest) == 2:
        return several(request, [permission(box)])
    return rest[1:]

"""Places, users, calendars and mailbox settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..problems import Refusal
from ..zones import supported, windows_name
from . import query as odata
from .calendar import calendar_id
from .request import Request, Response, answer, collection_context

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World

PAGE = 100
NO_KEY_IN_CHINA = ("placeId", "parentId")


def room(box: Mailbox) -> dict[str, Any]:
    """microsoft.graph.room."""
    place = box.place
    if place is None:
        raise Refusal(404, "ResourceNotFound", "The place is not found.")
    return {
        # place.id is not immutable; placeId is the stable key.
        "id": f"{place.place_id[:8]}-{box.user_id[9:]}",
        "placeId": place.place_id,
        "displayName": box.name,
        "address": None,
        "geoCoordinates": None,
        "phone": "",
        "nickname": box.name,
        "label": place.label,
        "capacity": place.capacity,
        "building": place.building,
        "floorNumber": place.floor,
        "floorLabel": None if place.floor is None else str(place.floor),
        "isWheelChairAccessible": place.wheelchair,
        "bookingType": place.booking_type,
        "tags": list(place.tags),
        "audioDeviceName": None,
        "videoDeviceName": None,
        "displayDeviceName": None,
        "emailAddress": box.address,
    }


def room_list(tenant: Tenant, building: str, address: str) -> dict[str, Any]:
    """microsoft.graph.roomList."""
    return {
        "id": f"list-{abs(hash((tenant.tenant_id, address))) % 10**12:012d}"
        if not address
        else f"list-{address}",
        "displayName": building,
        "address": None,
        "geoCoordinates": None,
        "phone": "",
        "emailAddress": address,
    }


def places(world: World, request: Request, tenant: Tenant, rest: list[str]) -> Response:
    """GET /places/…"""
    if not rest:
        raise Refusal(400, "BadRequest", "A place type is required.")
    kind = rest[0].casefold()
    rooms = [box for box in tenant.rooms() if box.place is not None and not box.place.hidden]
    if len(rest) == 1 and kind == "microsoft.graph.room":
        return _page(request, [room(box) for box in rooms], "places/microsoft.graph.room")
    if len(rest) == 1 and kind == "microsoft.graph.roomlist":
        lists = [room_list(tenant, name, address) for name, address in tenant.lists.items()]
        return _page(request, lists, "places/microsoft.graph.roomList")
    if len(rest) == 1 and kind in (
        "microsoft.graph.workspace",
        "microsoft.graph.desk",
        "microsoft.graph.building",
    ):
        return _page(request, [], f"places/{rest[0]}")
    if (
        len(rest) == 3
        and rest[1].casefold() == "microsoft.graph.roomlist"
        and rest[2] in ("rooms", "workspaces")
    ):
        # A room list is addressed by its e-mail address.
        names = [
            name
            for name, address in tenant.lists.items()
            if address.casefold() == rest[0].casefold()
        ]
        if not names:
            raise Refusal(404, "ResourceNotFound", f"The room list '{rest[0]}' is not found.")
        inside = [room(box) for box in rooms if box.place and box.place.building == names[0]]
        return _page(request, inside if rest[2] == "rooms" else [], f"places/{rest[0]}/rooms")
    if len(rest) <= 2:
        return _one(request, tenant, rest[0])
    _ = world
    raise Refusal(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")


def _one(request: Request, tenant: Tenant, name: str) -> Response:
    folded = name.casefold()
    for box in tenant.rooms():
        shown = room(box)
        if folded in (box.address.casefold(), shown["id"].casefold(), shown["placeId"].casefold()):
            return answer(
                200,
                {
                    "@odata.type": "#microsoft.graph.room",
                    **odata.pick(shown, odata.selected(request.query)),
                },
            )
    for building, address in tenant.lists.items():
        if folded == address.casefold():
            return answer(
                200,
                {
                    "@odata.type": "#microsoft.graph.roomList",
                    **room_list(tenant, building, address),
                },
            )
    raise Refusal(404, "ResourceNotFound", f"The place '{name}' is not found.")


def _page(request: Request, rows: list[dict[str, Any]], name: str) -> Response:
    query = request.query
    for option in ("$orderby", "$expand", "$search"):
        if option in query:
            raise Refusal(400, "BadRequest", f"The query option {option} is not supported.")
    if query.get("$filter"):
        test = odata.compile_filter(query["$filter"])
        rows = [row for row in rows if test(row)]
    if request.flags.get("empty_list"):
        rows = []
    skip = odata.whole_number(query, "$skip", 0, 10**9)
    top = odata.whole_number(query, "$top", request.page_size(PAGE), 1000)
    page = rows[skip : skip + top]
    if request.flags.get("short_page") and len(page) > 1:
        page = page[: len(page) // 2]
    body: dict[str, Any] = {"@odata.context": f"{request.base}/v1.0/$metadata#{name}"}
    if query.get("$count", "").casefold() == "true":
        body["@odata.count"] = len(rows)
    body["value"] = [odata.pick(row, odata.selected(query)) for row in page]
    if skip + len(page) < len(rows):
        options = {**query, "$top": str(top), "$skip": str(skip + len(page))}
        body["@odata.nextLink"] = f"{request.base}{request.path}?{urlencode(options, safe='$:')}"
    return answer(200, body)


def user(box: Mailbox) -> dict[str, Any]:
    """microsoft.graph.user, the members a directory read gives."""
    return {
        "businessPhones": [],
        "displayName": box.name,
        "givenName": None,
        "jobTitle": None,
        "mail": box.address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": box.address,
        "id": box.user_id,
    }


def users(request: Request, tenant: Tenant) -> Response:
    """GET /users."""
    return _page(request, [user(box) for box in tenant.boxes.values()], "users")


def one_user(request: Request, box: Mailbox) -> Response:
    """GET /users/{id}."""
    context = f"{request.base}/v1.0/$metadata#users/$entity"
    return answer(
        200, {"@odata.context": context, **odata.pick(user(box), odata.selected(request.query))}
    )


def mailbox_settings(request: Request, box: Mailbox, rest: list[str]) -> Response:
    """GET /users/{id}/mailboxSettings, or one member of it."""
    label = windows_name(box.zone.label)
    whole: dict[str, Any] = {
        "archiveFolder": None,
        "timeZone": label,
        "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
        "dateFormat": "yyyy-MM-dd",
        "timeFormat": "HH:mm",
        "automaticRepliesSetting": {"status": "disabled", "externalAudience": "all"},
        "language": {"locale": "en-GB", "displayName": "English (United Kingdom)"},
        "workingHours": working_hours(label),
        "userPurpose": "room" if box.place else "user",
    }
    context = f"{request.base}/v1.0/$metadata#users('{box.user_id}')/mailboxSettings"
    if rest:
        found = odata.value_at(whole, rest[0])
        if found is None:
            raise Refusal(400, "BadRequest", f"Resource not found for the segment '{rest[0]}'.")
        return answer(
            200,
            {
                "@odata.context": f"{context}/{rest[0]}",
                **(found if isinstance(found, dict) else {"value": found}),
            },
        )
    shown = odata.pick(whole, odata.selected(request.query))
    return answer(200, {"@odata.context": context, **shown})


def working_hours(label: str) -> dict[str, Any]:
    """Outlook's default working week."""
    return {
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": {"name": label},
    }


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


def supported_zones(request: Request, segment: str) -> Response:
    """GET /users/{id}/outlook/supportedTimeZones."""
    names = supported("iana" if "iana" in segment.casefold() else "windows")
    rows = [{"alias": name, "displayName": name} for name in names]
    return answer(
        200,
        {
            "@odata.context": collection_context(request, "microsoft.graph.timeZoneInformation"),
            "value": rows,
        },
    )


def translate_ids(world: World, request: Request, box: Mailbox) -> Response:
    """POST /users/{id}/translateExchangeIds between restId and restImmutableEntryId."""
    raw = {name.casefold(): value for name, value in request.json().items()}
    ids, source, target = raw.get("inputids"), raw.get("sourceidtype"), raw.get("targetidtype")
    if world.switches.national_cloud or not isinstance(ids, list) or len(ids) > 1000:
        raise Refusal(
            400, "ErrorInvalidRequest", "inputIds must be a collection of at most 1,000 ids."
        )
    rows = []
    for one in ids:
        try:
            key, _, day = box.parse_id(str(one), immutable=source == "restImmutableEntryId")
        except Refusal as refusal:
            rows.append(
                {
                    "sourceId": one,
                    "targetId": None,
                    "errorDetails": {"code": refusal.code, "message": refusal.message},
                }
            )
            continue
        item = box.items.get(key)
        made = box.id_of(item, day, immutable=target == "restImmutableEntryId") if item else None
        rows.append({"sourceId": one, "targetId": made})
    return answer(
        200,
        {
            "@odata.context": collection_context(request, "microsoft.graph.convertIdResult"),
            "value": rows,
        },
    )

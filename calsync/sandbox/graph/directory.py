"""Places and mailbox settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..problems import Refusal
from ..zones import supported, windows_name
from . import query as odata
from .request import Request, Response, answer, collection_context

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World

PAGE = 100
PLACE_TYPES = frozenset({"room", "roomlist", "workspace", "desk", "building", "floor", "section"})
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
    """GET /places/…: a type, a place, or what is inside a room list."""
    _ = world
    if not rest:
        raise Refusal(400, "BadRequest", "A place type is required.")
    kind, inside = place_type(rest[0]), [place_type(one) for one in rest[1:]]
    rooms = [box for box in tenant.rooms() if box.place is not None and not box.place.hidden]
    if kind and not inside:
        if kind == "room":
            return page(request, [room(box) for box in rooms])
        if kind == "roomlist":
            lists = [room_list(tenant, name, address) for name, address in tenant.lists.items()]
            return page(request, lists)
        return page(request, [])
    if len(rest) == 3 and inside[0] == "roomlist" and rest[2].casefold() in ("rooms", "workspaces"):
        # A room list is addressed by its e-mail address.
        names = [
            name
            for name, address in tenant.lists.items()
            if address.casefold() == rest[0].casefold()
        ]
        if not names:
            raise Refusal(404, "ResourceNotFound", f"The room list '{rest[0]}' is not found.")
        found = [room(box) for box in rooms if box.place and box.place.building == names[0]]
        return page(request, found if rest[2].casefold() == "rooms" else [])
    if len(rest) == 1 or (len(rest) == 2 and inside[0]):
        return _one(request, tenant, rest[0])
    raise Refusal(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")


def place_type(segment: str) -> str | None:
    """room of microsoft.graph.room. `graph` is the metadata's alias of the namespace, and the
    SDKs write it.
    """
    space, _, name = segment.casefold().rpartition(".")
    return name if space in ("graph", "microsoft.graph") and name in PLACE_TYPES else None


def find_rooms(request: Request, tenant: Tenant, name: str) -> Response:
    """GET /beta/users/{id}/findRooms and findRoomLists, older than places and still called."""
    function, _, rest = name.partition("(")
    found = {address: building for building, address in tenant.lists.items()}
    if function.casefold() == "findrooms":
        wanted = rest.rstrip(")").partition("=")[2].strip("'").casefold()
        buildings = {known for address, known in found.items() if address.casefold() == wanted}
        found = {
            box.address: box.name
            for box in tenant.rooms()
            if box.place and not box.place.hidden
            if not wanted or box.place.building in buildings
        }
    return answer(
        200,
        {
            "@odata.context": collection_context(request, "microsoft.graph.emailAddress"),
            "value": [{"name": title, "address": address} for address, title in found.items()],
        },
    )


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


def page(request: Request, rows: list[dict[str, Any]]) -> Response:
    """One page of places."""
    for option in ("$orderby", "$expand", "$search"):
        if option in request.query:
            raise Refusal(400, "BadRequest", f"The query option {option} is not supported.")
    return plain_page(request, rows)


def plain_page(
    request: Request, rows: list[dict[str, Any]], defaults: tuple[str, ...] | None = None
) -> Response:
    """One page of plain rows: $filter, $count, $top, $skip, $select (`defaults` without it)."""
    query = request.query
    if query.get("$filter"):
        test = odata.compile_filter(query["$filter"])
        rows = [row for row in rows if test(row)]
    if request.flags.get("empty_list"):
        rows = []
    names = odata.selected(query)
    skip = odata.whole_number(query, "$skip", 0, 10**9)
    top = odata.whole_number(query, "$top", request.page_size(PAGE), 1000)
    found = rows[skip : skip + top]
    if request.flags.get("short_page") and len(found) > 1:
        found = found[: len(found) // 2]
    body: dict[str, Any] = {"@odata.context": request.context(names)}
    if query.get("$count", "").casefold() == "true":
        body["@odata.count"] = len(rows)
    body["value"] = [odata.pick(row, names or defaults) for row in found]
    if skip + len(found) < len(rows):
        options = {**query, "$top": str(top), "$skip": str(skip + len(found))}
        body["@odata.nextLink"] = f"{request.base}{request.path}?{urlencode(options, safe='$:')}"
    return answer(200, body)


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
    if rest:
        found = odata.value_at(whole, rest[0])
        if found is None:
            raise Refusal(400, "BadRequest", f"Resource not found for the segment '{rest[0]}'.")
        return answer(
            200,
            {
                "@odata.context": request.context(),
                **(found if isinstance(found, dict) else {"value": found}),
            },
        )
    names = odata.selected(request.query)
    return answer(200, {"@odata.context": request.context(names), **odata.pick(whole, names)})


def working_hours(label: str) -> dict[str, Any]:
    """Outlook's default working week."""
    return {
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": {"name": label},
    }


def outlook(request: Request, name: str) -> Response:
    """GET /users/{id}/outlook/…: zones, languages, categories."""
    folded = name.casefold()
    kind, rows = "outlookCategory", list[dict[str, Any]]()
    if folded.startswith("supportedtimezones"):
        names = supported("iana" if "iana" in folded else "windows")
        kind, rows = "timeZoneInformation", [{"alias": one, "displayName": one} for one in names]
    elif folded.startswith("supportedlanguages"):
        kind = "localeInfo"
        rows = [{"locale": "en-GB", "displayName": "English (United Kingdom)"}]
    elif folded != "mastercategories":
        raise Refusal(400, "BadRequest", f"Resource not found for the segment '{name}'.")
    context = collection_context(request, f"microsoft.graph.{kind}")
    return answer(200, {"@odata.context": context, "value": rows})


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

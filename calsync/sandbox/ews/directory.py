"""The company's directory: names, lists, rooms, and the time zones a server knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..items import Person
from ..problems import Refusal
from . import zones
from .call import Call, attr, need, refused, response, success, truth
from .props import mailbox
from .xml import Markup, Node, m, t

if TYPE_CHECKING:
    from ..mailbox import Mailbox

MOST_NAMES = 100


def time_zones(call: Call) -> Markup:
    """GetServerTimeZones."""
    said = call.body.attrs.get("ReturnFullTimeZoneData", "true")
    full = truth(call.body, said)
    ids = call.body.find("Ids")
    known = zones.all_zones()
    wanted = known if ids is None else [one.text.strip() for one in ids.kids]
    folded = {one.casefold(): one for one in known}
    rows = [
        zones.definition("TimeZoneDefinition", folded[one.casefold()], full=full)
        for one in wanted
        if one.casefold() in folded
    ]
    shown = m("TimeZoneDefinitions", *rows)
    return response("GetServerTimeZones", [success("GetServerTimeZones", shown)])


def _list(name: str, address: str) -> Markup:
    return t(
        "Mailbox",
        t("Name", name),
        t("EmailAddress", address),
        t("RoutingType", "SMTP"),
        t("MailboxType", "PublicDL"),
    )


def resolve_names(call: Call) -> Markup:
    """ResolveNames: whose name, address or alias begins so."""
    full = truth(call.body, attr(call.body, "ReturnFullContactData"))
    entry = need(call.body, "UnresolvedEntry").text.strip()
    wanted = entry.casefold().removeprefix("smtp:")
    boxes = [box for box in call.tenant.boxes.values() if _fits(box, wanted)]
    lists = [
        (name, address)
        for name, address in call.tenant.lists.items()
        if name.casefold().startswith(wanted) or address.casefold().startswith(wanted)
    ]
    rows = [
        t("Resolution", mailbox(box.person), _contact(box) if full else None)
        for box in boxes[:MOST_NAMES]
    ]
    rows += [t("Resolution", _list(*one)) for one in lists]
    if not rows:
        none = Refusal(404, "ErrorNameResolutionNoResults", "No results were found.")
        return response("ResolveNames", [refused("ResolveNames", none)])
    found = m(
        "ResolutionSet",
        *rows,
        TotalItemsInView=len(boxes) + len(lists),
        IncludesLastItemInRange=len(boxes) <= MOST_NAMES,
    )
    if len(rows) == 1:
        return response("ResolveNames", [success("ResolveNames", found)])
    several = m(
        "ResolveNamesResponseMessage",
        m("MessageText", "Multiple results were found."),
        m("ResponseCode", "ErrorNameResolutionMultipleResults"),
        m("DescriptiveLinkKey", 0),
        found,
        ResponseClass="Warning",
    )
    return response("ResolveNames", [several])


def _fits(box: Mailbox, wanted: str) -> bool:
    name = box.name.casefold()
    return (
        name.startswith(wanted)
        or box.address.casefold().startswith(wanted)
        or any(word.startswith(wanted) for word in name.split())
    )


def _contact(box: Mailbox) -> Markup:
    first, _, last = box.name.partition(" ")
    return t(
        "Contact",
        t("DisplayName", box.name),
        t("GivenName", first) if box.place is None else None,
        t("EmailAddresses", t("Entry", f"SMTP:{box.address}", Key="EmailAddress1")),
        t("ContactSource", "ActiveDirectory"),
        t("OfficeLocation", box.place.building) if box.place and box.place.building else None,
        t("Surname", last) if last and box.place is None else None,
        t("Alias", box.address.partition("@")[0]),
    )


def _members(call: Call, address: str) -> list[Person] | None:
    """Rooms of a room list; None for an unknown one."""
    for name, known in call.tenant.lists.items():
        if known.casefold() == address.casefold():
            return [
                box.person
                for box in call.tenant.rooms()
                if box.place is not None and box.place.building == name and not box.place.hidden
            ]
    return None


def _address(node: Node) -> str:
    return (node.said("EmailAddress") or node.said("Name") or "").strip()


def expand(call: Call) -> Markup:
    """ExpandDL."""
    found = _members(call, _address(need(call.body, "Mailbox")))
    if found is None:
        none = Refusal(404, "ErrorNameResolutionNoResults", "No results were found.")
        return response("ExpandDL", [refused("ExpandDL", none)])
    shown = m(
        "DLExpansion",
        *(mailbox(one) for one in found),
        TotalItemsInView=len(found),
        IncludesLastItemInRange=True,
    )
    return response("ExpandDL", [success("ExpandDL", shown)])


def room_lists(call: Call) -> Markup:
    """GetRoomLists: lists that an admin made."""
    rows = [
        Markup(_list(name, address).replace("t:Mailbox>", "t:Address>"))
        for name, address in call.tenant.lists.items()
    ]
    return m(
        "GetRoomListsResponse",
        m("ResponseCode", "NoError"),
        m("RoomLists", *rows),
        ResponseClass="Success",
    )


def rooms(call: Call) -> Markup:
    """GetRooms of one list."""
    found = _members(call, _address(need(call.body, "RoomList")))
    if found is None:
        return m(
            "GetRoomsResponse",
            m("MessageText", "The room list was not found."),
            m("ResponseCode", "ErrorNameResolutionNoResults"),
            m("DescriptiveLinkKey", 0),
            ResponseClass="Error",
        )
    rows = [t("Room", t("Id", *_plain(one))) for one in found]
    return m(
        "GetRoomsResponse",
        m("ResponseCode", "NoError"),
        m("Rooms", *rows),
        ResponseClass="Success",
    )


def _plain(person: Person) -> list[Markup]:
    return [
        t("Name", person.name),
        t("EmailAddress", person.address),
        t("RoutingType", "SMTP"),
        t("MailboxType", "Mailbox"),
    ]

"""Response shapes: which members of an item or a folder are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..problems import Refusal, bad_request
from ..zones import CUSTOM
from . import messages, tags
from .call import Call, attr, need, one_of, schema, truth
from .order import FIELDS, ORDERS, RANKS
from .tags import Path
from .view import View
from .xml import Markup, Node, t

BASES = ("IdOnly", "Default", "AllProperties", "PcxPeopleSearch")
DEFAULT: dict[str, tuple[str, ...]] = {
    "CalendarItem": (
        "ItemId", "Subject", "ResponseObjects", "HasAttachments", "Start", "End",
        "LegacyFreeBusyStatus", "Location", "CalendarItemType", "Organizer", "RequiredAttendees",
        "OptionalAttendees", "Resources",
    ),
    "Message": (
        "ItemId", "Subject", "Sensitivity", "Body", "Size", "DateTimeSent", "DateTimeCreated",
        "ResponseObjects", "HasAttachments", "IsRead", "From", "ToRecipients", "CcRecipients",
    ),
}  # fmt: skip
# AllProperties is not all: these come when they are named only.
NAMED_ONLY = frozenset(
    {"MimeContent", "UniqueBody", "NormalizedBody", "TextBody", "StoreEntryId"}
    | {"ConflictingMeetingCount", "AdjacentMeetingCount", "ExtendedProperty"}
    | {"Preview", "StartWallClock", "EndWallClock", "IntendedFreeBusyStatus"}
)
# These tell of other items, too.
NOT_KEPT = frozenset({"ConflictingMeetingCount", "AdjacentMeetingCount"})
# Members that came with a later schema: an older client is not shown them.
SINCE = {
    **dict.fromkeys(
        ("StartTimeZone", "EndTimeZone", "StoreEntryId", "UniqueBody", "ConversationId"),
        "Exchange2010",
    ),
    **dict.fromkeys(
        ("Flag", "InstanceKey", "NormalizedBody", "Preview", "TextBody", "StartWallClock",
         "EndWallClock", "StartTimeZoneId", "EndTimeZoneId", "IntendedFreeBusyStatus",
         "JoinOnlineMeetingUrl", "IsOrganizer", "EnhancedLocation", "ReminderNextTime"),
        "Exchange2013",
    ),
}  # fmt: skip
# A listing (FindItem, SyncFolderItems) is served from the folder's table: nothing that the item
# must be opened for.
NOT_LISTED = frozenset(
    {"Body", "UniqueBody", "NormalizedBody", "TextBody", "MimeContent", "Attachments"}
    | {"RequiredAttendees", "OptionalAttendees", "Resources", "Recurrence", "FirstOccurrence"}
    | {"LastOccurrence", "ModifiedOccurrences", "DeletedOccurrences", "ResponseObjects"}
    | {"ToRecipients", "CcRecipients", "BccRecipients", "InternetMessageHeaders"}
)
# Asking a listing for these by name is an error, for the others nothing comes.
REFUSED = frozenset(
    {"Body", "UniqueBody", "NormalizedBody", "TextBody", "MimeContent", "Attachments"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """A FieldURI, by its namespace and member."""

    space: str
    name: str


@dataclass(slots=True)
class Shape:
    """What a request wants of an item."""

    base: str
    mime: bool = False
    text: bool | None = None
    listed: bool = False
    names: set[str] = field(default_factory=set)
    paths: list[Path] = field(default_factory=list)
    chosen: dict[str, tuple[tuple[str, Callable[[View], Markup | None]], ...]] = field(
        default_factory=dict
    )
    kept: tuple[object, ...] = ()

    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        if not self.kept:
            paths = tuple(path.attrs for path in self.paths)
            self.kept = (
                self.base,
                self.mime,
                self.text,
                self.listed,
                frozenset(self.names),
                paths,
            )
        return self.kept


def read_field(node: Node) -> Field | Path:
    """FieldURI, IndexedFieldURI or ExtendedFieldURI."""
    if node.name == "ExtendedFieldURI":
        return tags.read_path(node)
    uri = attr(node, "FieldURI")
    space, _, name = uri.partition(":")
    if node.name == "IndexedFieldURI":
        attr(node, "FieldIndex")
        return Field(space, name)
    if node.name != "FieldURI":
        raise schema(f"The element '{node.name}' is no path to a property.", node)
    known = FIELDS.get(space)
    if known is None:
        if space in ("persona", "person", "conversation", "distributionlist", "sharingMessage"):
            return Field(space, name)
        raise schema(f"The 'FieldURI' attribute is invalid - The value '{uri}' is invalid.", node)
    if name not in known:
        raise schema(f"The 'FieldURI' attribute is invalid - The value '{uri}' is invalid.", node)
    return Field(space, name)


def read(node: Node, *, listed: bool = False, strict: bool = False) -> Shape:
    """An ItemShape. `listed`: for a listing; `strict`: one that refuses what it cannot show
    (FindItem), where SyncFolderItems leaves it out."""
    base = need(node, "BaseShape")
    made = Shape(one_of(base, base.text.strip(), BASES), listed=listed)
    mime = node.find("IncludeMimeContent")
    made.mime = mime is not None and truth(mime, mime.text)
    kind = node.find("BodyType")
    if kind is not None:
        word = one_of(kind, kind.text.strip(), ("Best", "HTML", "Text"))
        made.text = None if word == "Best" else word == "Text"
    wanted = node.find("AdditionalProperties")
    for one in wanted.kids if wanted is not None else ():
        path = read_field(one)
        if isinstance(path, Path):
            made.paths.append(path)
        elif path.space == "folder" or (strict and path.name in REFUSED):
            raise _not_here(f"{path.space}:{path.name}")
        else:
            made.names.add(path.name)
    if made.mime and strict:
        raise _not_here("item:MimeContent")
    made.mime = made.mime and not listed
    return made


def _not_here(uri: str) -> Refusal:
    return bad_request(
        f"Property is not valid for this object type or operation: {uri}.",
        "ErrorInvalidPropertyRequest",
    )


def render(view: View, shape: Shape) -> Markup:
    """The item as the shape wants it, members in the order of the schema."""
    view.text, view.listed = shape.text, shape.listed
    if not view.is_calendar or shape.names & NOT_KEPT or view.call.zone.label == CUSTOM:
        return _render(view, shape)
    # An item is a value: what was rendered of it once is never out of date.
    call, folder = view.call, view.folder
    key = (
        "ews",
        view.found.day,
        shape.key(),
        call.zone.label,
        call.version,
        call.flags.get("precise"),
        call.front.base,
        folder.drawer.tag,
        folder.change,
    )
    kept: Markup | None = view.item.cache.get(key)
    if kept is None:
        kept = view.item.cache[key] = _render(view, shape)
    return kept


def _render(view: View, shape: Shape) -> Markup:
    element = view.element
    chosen = shape.chosen.get(element)
    if chosen is None:
        chosen = shape.chosen[element] = _choose(view.call, element, shape)
    parts: list[Markup | None] = []
    for name, write in chosen:
        if name == "ExtendedProperty":
            parts.extend(_extended(view, shape))
        else:
            parts.append(write(view))
    return t(element, *parts)


def _extended(view: View, shape: Shape) -> list[Markup]:
    found = []
    for path in shape.paths:
        value = tags.look(view, path)
        if value is not None:
            found.append(tags.show(path, value))
    return found


def _choose(
    call: Call, element: str, shape: Shape
) -> tuple[tuple[str, Callable[[View], Markup | None]], ...]:
    order = ORDERS.get(element, ORDERS["Item"])
    writers = messages.writers(element)
    if shape.base == "IdOnly":
        names = {"ItemId"}
    elif shape.base == "AllProperties":
        names = set(order) - NAMED_ONLY
    else:
        names = set(DEFAULT.get(element, DEFAULT["Message"])) & set(order)
    if shape.listed:
        names -= NOT_LISTED
    asked = shape.names - NOT_LISTED if shape.listed else shape.names
    names |= asked & set(order)
    names.add("ItemId")
    if shape.mime:
        names.add("MimeContent")
    if shape.paths:
        names.add("ExtendedProperty")
    rank = RANKS.get(element, RANKS["Item"])
    nothing: Callable[[View], Markup | None] = lambda _: None  # noqa: E731  # never called
    return tuple(
        (name, writers.get(name, nothing))
        for name in sorted(names, key=rank.__getitem__)
        if (name in writers or name == "ExtendedProperty")
        and (name not in SINCE or call.since(SINCE[name]))
    )


def bare(view: View) -> Markup:
    """An item that only says its id: what a write answers."""
    return t(view.element, t("ItemId", Id=view.id, ChangeKey=view.change_key))

"""FindItem: a folder's table, or a calendar expanded between two times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..items import Instance, expand, whole
from ..problems import bad_request
from . import inbox, resolve, restrict, shape, values
from .batch import each
from .call import Call, attr, need, one_of, response, schema, success
from .call import whole as number_of
from .resolve import stored_item
from .shape import Field, Shape
from .store import Folder, Store
from .tags import Path
from .view import View
from .xml import Markup, Node, Part, m, t
from .zones import instant_of

MOST = 1000
MOST_RESTRICTED = 250
YEARS = timedelta(days=2 * 366)
VIEWS = (
    "IndexedPageItemView", "FractionalPageItemView", "SeekToConditionPageItemView", "CalendarView",
    "ContactsView",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a view, and what the answer says of where they stand."""

    rows: list[View]
    total: int
    last: bool
    offset: int | None = None
    fraction: tuple[int, int] | None = None


def find(call: Call) -> Markup:
    """FindItem: one answer a folder."""
    body = call.body
    traversal = one_of(body, attr(body, "Traversal"), ("Shallow", "SoftDeleted", "Associated"))
    wanted = shape.read(need(body, "ItemShape"), listed=True, strict=True)
    parents = need(body, "ParentFolderIds")
    if not parents.kids:
        raise schema("The element 'ParentFolderIds' has incomplete content.", parents)
    view = next((one for one in body.kids if one.name in VIEWS), None)
    said = body.find("Restriction")
    test = restrict.read(said, call.zone, values.of) if said is not None else None
    order = _order(body.find("SortOrder"))
    group = body.find("GroupBy") or body.find("DistinguishedGroupBy")
    if group is not None and view is not None and view.name == "CalendarView":
        raise bad_request("A calendar view cannot be grouped.", "ErrorInvalidOperation")

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, node)
        if view is not None and view.name == "CalendarView":
            page = _calendar(call, store, folder, view, restricted=test is not None or bool(order))
        else:
            rows = [] if traversal != "Shallow" else _rows(call, store, folder)
            if test is not None:
                rows = [one for one in rows if test(one)]
            page = _paged(call, _sorted(rows, order), view, restricted=test is not None)
        return _answer(page, wanted, group)

    return response("FindItem", each(call, parents.kids, work))


def _rows(call: Call, store: Store, folder: Folder) -> list[View]:
    """Singles and masters (or messages) of a folder, in the order they were made."""
    inbox.fill(call, store, folder)
    if call.flags.get("empty_list"):
        return []
    box = folder.drawer
    if call.flags.get("stale_s") or call.flags.get("thin"):
        keys: Iterable[str] = dict.fromkeys([*box.items, *box.previous])
        found = [item for key in keys if (item := stored_item(call, folder, key)) is not None]
    else:
        found = list(box.items.values())
    return [View(call, store, folder, whole(item)) for item in found]


def _calendar(call: Call, store: Store, folder: Folder, view: Node, *, restricted: bool) -> Page:
    if not folder.is_calendar:
        raise bad_request(
            "A calendar view needs a calendar folder.",
            "ErrorCalendarFolderIsInvalidForCalendarView",
        )
    if restricted:
        # No restriction, no order: a view is by start (EWS docs, CalendarView).
        raise bad_request(
            "A calendar view has no restriction or sort order.", "ErrorInvalidOperation"
        )
    low = instant_of(view, attr(view, "StartDate"), call.zone)
    high = instant_of(view, attr(view, "EndDate"), call.zone)
    if high < low:
        raise bad_request(
            "EndDate is earlier than StartDate.", "ErrorCalendarEndDateIsEarlierThanStartDate"
        )
    if high - low > YEARS:
        raise bad_request(
            "The specified view range exceeds the maximum range of two years.",
            "ErrorCalendarViewRangeTooBig",
        )
    found: list[Instance] = [
        one for row in _rows(call, store, folder) for one in expand(row.item, low, high)
    ]
    found.sort(key=lambda one: (one.when.start_utc, one.item.key))
    most = view.attrs.get("MaxEntriesReturned")
    limit = MOST if most is None else number_of(view, most, 1)
    shown = found[: _short(call, min(limit, len(found)))]
    rows = [View(call, store, folder, one) for one in shown]
    if most is None and len(found) > MOST:
        raise bad_request(
            "You have exceeded the maximum number of objects that can be returned for the find "
            "operation. Use paging to reduce the result size and try your request again.",
            "ErrorExceededFindCountLimit",
        )
    return Page(rows, len(found), len(shown) == len(found))


def _short(call: Call, size: int) -> int:
    """A page that stops halfway, as a busy server gives it."""
    return max(1, size // 2) if call.flags.get("short_page") and size > 1 else size


def _order(node: Node | None) -> list[tuple[Field | Path, bool]]:
    found: list[tuple[Field | Path, bool]] = []
    for one in node.kids if node is not None else ():
        if not one.kids:
            raise schema("The element 'FieldOrder' has incomplete content.", one)
        path = shape.read_field(one.kids[0])
        if isinstance(path, Field) and path.name in values.UNSEARCHABLE:
            raise bad_request("Items cannot be sorted by that.", "ErrorUnsupportedPathForSortGroup")
        down = one_of(one, attr(one, "Order"), ("Ascending", "Descending")) == "Descending"
        found.append((path, down))
    return found


def _rank(value: Any) -> tuple[int, Any]:
    """What is not there stands before everything."""
    if value is None:
        return (0, "")
    if isinstance(value, list):
        value = "; ".join(value)
    return (1, value.casefold() if isinstance(value, str) else value)


def _sorted(rows: list[View], order: list[tuple[Field | Path, bool]]) -> list[View]:
    for path, down in reversed(order):
        rows = _by(rows, path, down=down)
    return rows


def _by(rows: list[View], path: Field | Path, *, down: bool) -> list[View]:
    return sorted(rows, key=lambda one: _rank(values.of(one, path)), reverse=down)


def _paged(call: Call, rows: list[View], view: Node | None, *, restricted: bool) -> Page:
    most = MOST_RESTRICTED if restricted else MOST
    total = len(rows)
    if view is None:
        if total > most:
            raise bad_request(
                "You have exceeded the maximum number of objects that can be returned for the "
                "find operation. Use paging to reduce the result size and try your request again.",
                "ErrorExceededFindCountLimit",
            )
        return Page(rows, total, last=True)
    said = view.attrs.get("MaxEntriesReturned")
    size = most if said is None else number_of(view, said)
    if size < 1:
        raise bad_request("MaxEntriesReturned must be positive.", "ErrorInvalidPagingMaxRows")
    size = min(size, most)
    if view.name == "FractionalPageItemView":
        up = number_of(view, attr(view, "Numerator"))
        down = number_of(view, attr(view, "Denominator"))
        if down <= 0 or not 0 <= up <= down:
            raise bad_request(
                "The fraction is not valid.", "ErrorInvalidFractionalPagingParameters"
            )
        first = total * up // down
        page = rows[first : first + _short(call, size)]
        last = first + len(page) >= total
        return Page(page, total, last, fraction=(first + len(page), max(1, total)))
    if view.name == "SeekToConditionPageItemView":
        test = restrict.read(need(view, "Condition"), call.zone, values.of)
        first = next((place for place, one in enumerate(rows) if test(one)), total)
    elif view.name == "IndexedPageItemView":
        first = number_of(view, attr(view, "Offset"))
        if first < 0:
            raise bad_request("Offset must not be negative.", "ErrorInvalidIndexedPagingParameters")
        base = one_of(view, attr(view, "BasePoint"), ("Beginning", "End"))
        if base == "End":
            stop = max(0, total - first)
            first = max(0, stop - size)
            page = rows[first:stop]
            return Page(page, total, first == 0, total - first)
    else:
        raise bad_request("Such a view is for contacts.", "ErrorInvalidOperation")
    page = rows[first : first + _short(call, min(size, max(0, total - first)))]
    return Page(page, total, first + len(page) >= total, first + len(page))


def _answer(page: Page, wanted: Shape, group: Node | None) -> Markup:
    attrs: dict[str, Part] = {}
    if page.offset is not None:
        attrs["IndexedPagingOffset"] = page.offset
    if page.fraction is not None:
        attrs["NumeratorOffset"], attrs["AbsoluteDenominator"] = page.fraction
    attrs["TotalItemsInView"] = page.total
    attrs["IncludesLastItemInRange"] = page.last
    if group is not None:
        return success("FindItem", m("RootFolder", _grouped(page, wanted, group), **attrs))
    items = t("Items", *(shape.render(one, wanted) for one in page.rows))
    return success("FindItem", m("RootFolder", items, **attrs))


def _grouped(page: Page, wanted: Shape, node: Node) -> Markup:
    """Items in groups of one property; the groups in the order of its values."""
    named = [one for one in node.kids if one.name in ("FieldURI", "ExtendedFieldURI")]
    path = shape.read_field(named[0]) if named else Field("item", "DateTimeReceived")
    down = node.attrs.get("Order", "Ascending") == "Descending"
    groups: dict[str, list[View]] = {}
    for one in _by(page.rows, path, down=down):
        groups.setdefault(_text(values.of(one, path)), []).append(one)
    return t(
        "Groups",
        *(
            t(
                "GroupedItems",
                t("GroupIndex", key),
                t("Items", *(shape.render(one, wanted) for one in rows)),
            )
            for key, rows in groups.items()
        ),
    )


def _text(value: Any) -> str:
    return value.isoformat() + "Z" if isinstance(value, datetime) else str(value or "")

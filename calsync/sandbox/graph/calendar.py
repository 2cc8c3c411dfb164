"""Events and calendar views of one mailbox: reading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..items import Instance, Item, expand, instance, whole
from ..problems import Refusal, bad_request, not_found
from ..zones import UTC_ZONE
from . import query as odata
from . import render
from .render import Style
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World

PAGE = 10  # Graph's default page of events and calendarView
MOST = 1000
MOST_DAYS = 1825
EXTENSION = "Microsoft.OutlookServices.OpenTypeExtension."
MASTER_ONLY = ("cancelledOccurrences", "exceptionOccurrences")


def style_of(world: World, request: Request) -> Style:
    """How the Prefer headers want events shown; notes which preferences were applied."""
    prefer = request.preferences
    if "outlook.timezone" in prefer:
        request.applied.append(f'outlook.timezone="{prefer["outlook.timezone"]}"')
    text = prefer.get("outlook.body-content-type", "").casefold() == "text"
    if text:
        request.applied.append('outlook.body-content-type="text"')
    if request.immutable:
        request.applied.append('IdType="ImmutableId"')
    switches = world.switches
    beta = request.version == "beta" or switches.beta_members_in_v1
    return Style(
        request.zone(),
        text,
        request.immutable,
        switches.all_day_floats,
        beta,
        switches.all_day_series_say_utc,
        switches.original_start_in_asked_zone,
    )


def stored(world: World, request: Request, box: Mailbox, key: str) -> Item | None:
    """An item; under the fault of stale reads its version of some seconds ago."""
    if request.flags.get("thin") and key in box.items and list(box.items).index(key) % 10:
        return None  # a replica that has one of ten items
    lag = request.flags.get("stale_s")
    if lag:
        tick, old = box.previous.get(key, (0, None))
        if tick and world.tick() - tick < lag * 10_000_000:
            return old
    return box.items.get(key)


def stored_all(world: World, request: Request, box: Mailbox) -> Iterable[Item]:
    """All items, as `stored`."""
    if not (request.flags.get("stale_s") or request.flags.get("thin")):
        return box.items.values()
    keys = dict.fromkeys([*box.items, *box.previous])
    return [item for key in keys if (item := stored(world, request, box, key)) is not None]


def find(world: World, request: Request, box: Mailbox, event_id: str) -> tuple[Item, date | None]:
    """The item of an id and, for an instance, its date."""
    form = request.immutable if world.switches.ids_of_asked_form else None
    key, folder, day = box.parse_id(event_id, immutable=form)
    item = stored(world, request, box, key)
    if item is None or (folder and folder != item.folder):
        raise not_found()
    if day is not None and instance(item, day) is None:
        raise not_found()
    return item, day


def shown_instance(item: Item, day: date | None) -> Instance:
    """The instance of `find`."""
    if day is None:
        return whole(item)
    found = instance(item, day)
    if found is None:
        raise not_found()
    return found


def parse_instant(text: str) -> datetime:
    """startDateTime and endDateTime: the offset inside the value counts, else UTC."""
    try:
        # An unencoded "+" arrives as a blank.
        value = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise bad_request(
            f"The value '{text}' of a time parameter is not valid.", "ErrorInvalidParameter"
        ) from None
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def window(request: Request) -> tuple[datetime, datetime]:
    """The span asked by a view."""
    folded = {name.casefold(): value for name, value in request.query.items()}
    start, end = folded.get("startdatetime"), folded.get("enddatetime")
    if not start or not end:
        raise bad_request(
            "This request requires a time window specified by the query string parameters "
            "StartDateTime and EndDateTime."
        )
    low, high = parse_instant(start), parse_instant(end)
    if high < low:
        raise bad_request(
            "The end of the time window is before its start.", "ErrorInvalidParameter"
        )
    return low, high


def tags_of(found: Instance) -> dict[str, tuple[str, str]]:
    """Extended properties; an instance has those of its series unless it was given its own."""
    tags = dict(found.item.tags)
    if found.override is not None:
        tags.update(found.override.tags)
    return tags


def attach(
    box: Mailbox,
    found: Instance,
    shown: dict[str, Any],
    wanted: dict[str, dict[str, str]],
    style: Style,
) -> None:
    """Members that come only by $expand."""
    for name, options in wanted.items():
        folded = name.casefold()
        if folded == "singlevalueextendedproperties":
            tags = tags_of(found)
            ids = odata.tag_ids(options)
            values = [{"id": tags[one][0], "value": tags[one][1]} for one in ids if one in tags]
            if values:
                shown["singleValueExtendedProperties"] = values
        elif folded == "extensions":
            asked = {one.removeprefix(EXTENSION).casefold() for one in odata.named_ids(options)}
            shown["extensions"] = [
                extension(kind, body)
                for kind, body in found.item.extensions.items()
                if not asked or kind.casefold() in asked
            ]
        elif folded == "attachments":
            shown["attachments"] = []
        elif folded == "multivalueextendedproperties":
            continue
        elif folded == "instances" and found.item.rule:
            shown["instances"] = []
        elif folded == "calendar":
            from .folders import calendar

            shown["calendar"] = calendar(box)
        elif folded == "exceptionoccurrences":
            continue
        else:
            raise Refusal(
                400,
                "BadRequest",
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type 'microsoft.graph.event'.",
            )
    _ = style


def extension(name: str, body: Any) -> dict[str, Any]:
    """An open extension."""
    return {
        "@odata.type": "#microsoft.graph.openTypeExtension",
        "id": f"{EXTENSION}{name}",
        **body,
    }


def calendar_id(box: Mailbox) -> str:
    """Id of the default calendar: constant, of one form only."""
    return f"AAMkC{box.tag}calendar="


def get_event(world: World, request: Request, box: Mailbox, event_id: str) -> Response:
    """GET an event by id with $select and $expand."""
    item, day = find(world, request, box, event_id)
    found = shown_instance(item, day)
    style = style_of(world, request)
    full = render.event(box, found, style)
    names, wanted = odata.selected(request.query), odata.expanded(request.query)
    folded = {name.casefold() for name in names or ()}
    nested = {name.casefold(): options for name, options in wanted.items()}
    more: dict[str, Any] = {}
    if world.switches.national_cloud:
        for name in MASTER_ONLY:
            if name.casefold() in folded or name.casefold() in nested:
                raise Refusal(
                    400,
                    "BadRequest",
                    "Parsing OData Select and Expand failed: Could not find a property named "
                    f"'{name}' on type 'microsoft.graph.event'.",
                )
    elif found.kind == "seriesMaster":
        if "cancelledoccurrences" in folded:
            full["cancelledOccurrences"] = render.cancelled_occurrences(box, item, style)
        if "exceptionoccurrences" in nested and (names is None or "exceptionoccurrences" in folded):
            inner = odata.selected(nested["exceptionoccurrences"])
            changed, most = render.exceptions(item), world.switches.expanded_most
            full["exceptionOccurrences"] = [
                odata.pick(render.event(box, one, style), inner)
                for one in (changed[:most] if most else changed)
            ]
            if most and len(changed) > most:
                # A partial expanded collection says where it goes on (OData JSON Format).
                link = f"{request.base}{request.path}/exceptionOccurrences?$top={most}&$skip={most}"
                more["exceptionOccurrences@odata.nextLink"] = link
    shown = odata.pick(full, names) | more
    attach(box, found, shown, wanted, style)
    context = request.context(names, entity=True)
    return answer(200, {"@odata.context": context, **shown}, {"ETag": render.etag(box, item)})


def member(
    world: World, request: Request, box: Mailbox, event_id: str, rest: list[str]
) -> Response:
    """GET /events/{id}/calendar, /attachments, or a plain member; /$value gives it bare."""
    item, day = find(world, request, box, event_id)
    name, folded = rest[0], rest[0].casefold()
    if folded == "attachments" and len(rest) == 1:
        return answer(200, {"@odata.context": request.context(), "value": []})
    if folded == "calendar" and len(rest) == 1:
        from .folders import calendar, one

        return one(request, calendar(box))
    shown = render.event(box, shown_instance(item, day), style_of(world, request))
    value = next((one for key, one in shown.items() if key.casefold() == folded), None)
    bare = len(rest) == 2 and rest[1] == "$value" and not isinstance(value, dict | list)
    if not (len(rest) == 1 or bare) or name.startswith("@"):
        raise Refusal(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")
    if value is None:
        known = any(key.casefold() == folded for key in shown)
        if known:
            return Response(204, {})
        raise Refusal(400, "BadRequest", f"Resource not found for the segment '{name}'.")
    if bare:
        text = json.dumps(value) if isinstance(value, bool | int) else str(value)
        return Response(200, {"Content-Type": "text/plain"}, text.encode())
    plain = value if isinstance(value, dict) else {"value": value}
    return answer(200, {"@odata.context": request.context(), **plain})


def list_events(world: World, request: Request, box: Mailbox) -> Response:
    """GET /events: single events and masters."""
    return _list(
        world,
        request,
        box,
        [whole(item) for item in stored_all(world, request, box)],
        view=False,
    )


def calendar_view(world: World, request: Request, box: Mailbox) -> Response:
    """GET /calendarView: single events and the instances of series, by start."""
    low, high = window(request)
    _bounded(low, high)
    found = [one for item in stored_all(world, request, box) for one in expand(item, low, high)]
    found.sort(key=lambda one: (one.when.start_utc, one.item.key))
    return _list(world, request, box, found, view=True)


def _bounded(low: datetime, high: datetime) -> None:
    if high - low > timedelta(days=MOST_DAYS):
        raise bad_request(  # microsoft-graph-docs #6284
            "Your request can't be completed. The range between the start and end dates is "
            f"greater than the allowed range. Maximum number of days: {MOST_DAYS}"
        )


def instances(world: World, request: Request, box: Mailbox, event_id: str) -> Response:
    """GET /events/{master}/instances: occurrences and exceptions, not the removed ones."""
    item, day = find(world, request, box, event_id)
    if item.rule is None or day is not None:
        raise bad_request("The event is not a recurring master.", "ErrorInvalidRequest")
    low, high = window(request)
    if world.switches.instances_have_longest_span:
        _bounded(low, high)
    found = sorted(expand(item, low, high), key=lambda one: one.when.start_utc)
    return _list(world, request, box, found, view=False)


def changed_dates(world: World, request: Request, box: Mailbox, event_id: str) -> Response:
    """GET /events/{master}/exceptionOccurrences."""
    item, _ = find(world, request, box, event_id)
    if world.switches.national_cloud:
        raise Refusal(400, "BadRequest", "Resource not found for the segment.")
    return _list(world, request, box, render.exceptions(item), view=False)


def _list(
    world: World, request: Request, box: Mailbox, found: list[Instance], *, view: bool
) -> Response:
    style, query = style_of(world, request), request.query
    if request.flags.get("empty_list"):
        found = []
    if "$search" in query:
        raise Refusal(
            400,
            "ErrorInvalidUrlQuery",
            "The query parameter $search is not supported for this resource.",
        )
    found = _filtered(box, found, query, style)
    found = _ordered(box, found, query, style)
    total = len(found)
    skip = odata.whole_number(query, "$skip", 0, 10**9)
    # A larger $top is no error here, it is cut to the largest page (microsoft-graph-docs #12653).
    top = min(MOST, odata.whole_number(query, "$top", request.page_size(PAGE, MOST), 10**9))
    page = found[skip : skip + top]
    if request.flags.get("short_page") and len(page) > 1:
        page = page[: len(page) // 2]
    names, wanted = odata.selected(query), odata.expanded(query)
    if view and not world.switches.calendar_view_expands_tags:
        wanted = {
            key: value
            for key, value in wanted.items()
            if not key.casefold().endswith(("properties", "extensions"))
        }
    rows = []
    for one in page:
        shown = odata.pick(render.event(box, one, style), names)
        if wanted:
            attach(box, one, shown, wanted, style)
        rows.append(shown)
    body: dict[str, Any] = {"@odata.context": request.context(names)}
    if query.get("$count", "").casefold() == "true":
        body["@odata.count"] = total
    body["value"] = rows
    if skip + len(page) < total:
        body["@odata.nextLink"] = next_link(request, skip + len(page), top)
    return answer(200, body)


def next_link(request: Request, skip: int, top: int) -> str:
    """The same call further on."""
    options = dict(request.query)
    options["$top"], options["$skip"] = str(top), str(skip)
    return f"{request.base}{request.path}?{urlencode(options, safe='$:')}"


def _filtered(
    box: Mailbox, found: list[Instance], query: dict[str, str], style: Style
) -> list[Instance]:
    text = query.get("$filter")
    if not text:
        return found
    test = odata.compile_filter(text)
    with_tags = "extendedproperties" in text.casefold()
    kept = []
    # Times are compared in UTC, whatever zone the answer is asked in.
    style = replace(style, zone=UTC_ZONE)
    for one in found:
        shown = render.event(box, one, style)
        if with_tags:
            shown["@tags"] = tags_of(one)
        if test(shown):
            kept.append(one)
    return kept


def _ordered(
    box: Mailbox, found: list[Instance], query: dict[str, str], style: Style
) -> list[Instance]:
    for path, descending in reversed(odata.ordering(query)):
        rank = [
            (odata.comparable(odata.value_at(render.event(box, one, style), path)), one)
            for one in found
        ]
        try:
            rank.sort(
                key=lambda pair: (
                    (pair[0] is not None, pair[0]) if pair[0] is not None else (False,)
                ),
                reverse=descending,
            )
        except TypeError:
            raise odata.invalid("The $orderby query option is not valid.") from None
        found = [one for _, one in rank]
    return found

"""Change tracking: calendarView/delta (and events/delta behind a switch).

The window is fixed in the token; nextLink and deltaLink never come together; a link can be
used twice with the same result; `@removed` also means "not in the window" (Graph docs,
event-delta and delta-query-overview).
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..items import Instance, Item, expand, generated, instance, touches, whole, within
from ..problems import Refusal
from . import render
from .calendar import style_of, window
from .render import Style
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World

PAGE = 10
REFUSED = ("$top", "$select", "$expand", "$filter", "$orderby", "$search", "$skip", "$count")
FOREVER = (datetime(1, 1, 1), datetime(9999, 12, 31))


@dataclass(frozen=True, slots=True)
class Ref:
    """One entry of a round: a living item (day None: single or master), or a removed id."""

    key: str
    day: date | None = None
    gone: bool = False
    folder: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """The entries of one round, and the change number up to which they reach."""

    refs: tuple[Ref, ...]
    low: datetime
    high: datetime
    until: int


def delta(world: World, request: Request, box: Mailbox, *, windowed: bool) -> Response:
    """One page of one round."""
    for name in REFUSED:
        if name in request.query:
            hint = (
                " Use the Prefer header odata.maxpagesize to set the page size."
                if name == "$top"
                else ""
            )
            raise Refusal(
                400,
                "ErrorInvalidUrlQuery",
                "The following parameters are not supported with change tracking over this "
                f"resource: '{name}'.{hint}",
            )
    if request.query.get("$skiptoken"):
        serial, offset = _read(request, box, request.query["$skiptoken"], "r", 2)
        current = box.rounds.get(serial)
        if current is None:
            raise gone(request, None)
        box.rounds.move_to_end(serial)
        return _page(world, request, box, current, int(serial), int(offset))
    if request.query.get("$deltatoken"):
        current = _follow_up(world, request, box)
    else:
        low, high = window(request) if windowed else FOREVER
        thin = bool(request.flags.get("lossy_list") or request.flags.get("thin"))
        current = _first(world, box, low, high, thin=thin)
        if request.flags.get("out_of_order"):
            refs = list(current.refs)
            world.noise.shuffle(refs)
            current = replace(current, refs=tuple(refs))
    box.token_serial += 1
    return _page(world, request, box, current, box.token_serial, 0)


def gone(
    request: Request, span: tuple[datetime, datetime] | None, code: str = "SyncStateNotFound"
) -> Refusal:
    """410 with a Location whose token is empty: start anew from there."""
    options = {}
    if span and span != FOREVER:
        options = {
            "startDateTime": f"{span[0].isoformat()}Z",
            "endDateTime": f"{span[1].isoformat()}Z",
        }
    location = f"{request.base}{request.path}?{urlencode(options | {'$deltatoken': ''}, safe='$:')}"
    return Refusal(
        410,
        code,
        "The sync state generation is not found; a full synchronization is needed.",
        headers={"Location": location},
        inner="syncStateNotFound",
    )


def _visible(world: World, box: Mailbox) -> int:
    lag = world.switches.delta_lag_s
    return box.seq if lag <= 0 else box.seq_at(world.tick() - int(lag * 10_000_000))


def _follow_up(world: World, request: Request, box: Mailbox) -> Round:
    low_text, high_text, since, serial = _read(request, box, request.query["$deltatoken"], "d", 4)
    low, high = datetime.fromisoformat(low_text), datetime.fromisoformat(high_text)
    if box.token_serial - int(serial) > world.switches.delta_tokens_kept:
        raise gone(request, (low, high))
    start = int(since)
    if request.flags.get("replay"):
        start = max(0, start - 10)
    until = max(start, _visible(world, box))
    refs: list[Ref] = []
    if request.flags.get("false_removed"):
        living = (item for n, item in enumerate(box.items.values()) if n % 10)
        refs += [Ref(item.key, gone=True, folder=item.folder) for item in living]
    if until == start:
        return Round(tuple(refs), low, high, until)
    for key in box.changed_since(start, until):
        refs.extend(_changed(world, box, key, low, high, start, immutable=request.immutable))
    if world.switches.delta_repeats:
        refs = [*refs, *refs]
    if request.flags.get("out_of_order"):
        world.noise.shuffle(refs)
    return Round(tuple(refs), low, high, until)


def _first(
    world: World, box: Mailbox, low: datetime, high: datetime, *, thin: bool = False
) -> Round:
    """All that lives in the window; ``thin``: a listing that lost nine of ten items."""
    refs: list[Ref] = []
    for number, item in enumerate(box.items.values()):
        if thin and number % 10:
            continue
        refs.extend(_living(world, item, low, high))
    return Round(tuple(refs), low, high, _visible(world, box))


def _living(world: World, item: Item, low: datetime, high: datetime) -> list[Ref]:
    """Entries of an item that is in the window: a series comes whole, master first."""
    if item.rule is None:
        return [Ref(item.key)] if touches(item.when, low, high) else []
    if (low, high) == FOREVER:
        return [
            Ref(item.key),
            *(Ref(item.key, day) for day in item.overrides if day not in item.cancelled),
        ]
    found = [Ref(item.key, one.day) for one in expand(item, low, high)]
    if found and world.switches.masters_in_delta:
        found.insert(0, Ref(item.key))
    return found


def _changed(
    world: World,
    box: Mailbox,
    key: str,
    low: datetime,
    high: datetime,
    since: int,
    *,
    immutable: bool,
) -> list[Ref]:
    item = box.items.get(key)
    refs: list[Ref] = []
    if not immutable:
        # A move gives new ids: the old ones are gone.
        for seq, folder in box.moved.get(key, ()):
            if seq > since:
                refs += _gone(world, item or box.tombs[key], low, high, folder)
    if item is None:
        return refs + _dead(world, box.tombs[key], low, high)
    living = _living(world, item, low, high)
    if not living:
        return [*refs, Ref(key, gone=True)] if world.switches.removed_outside_window else refs
    refs += living
    if world.switches.removed_outside_window and (low, high) != FOREVER:
        refs += [
            Ref(key, day, gone=True)
            for day, one in item.overrides.items()
            if day not in item.cancelled
            and not touches(one.when, low, high)
            and touches(generated(item, day), low, high)
        ]
    return refs


def _dead(world: World, item: Item, low: datetime, high: datetime) -> list[Ref]:
    was_inside = (low, high) == FOREVER or within(item, low, high)
    if not was_inside and not world.switches.removed_outside_window:
        return []
    return _gone(world, item, low, high, item.folder)


def _gone(world: World, item: Item, low: datetime, high: datetime, folder: int) -> list[Ref]:
    """@removed for an item, and for each of its instances in the window (by switch)."""
    refs = [Ref(item.key, gone=True, folder=folder)]
    if item.rule is not None and world.switches.removed_occurrences_of_series:
        days = [one.day for one in expand(item, low, high)] if (low, high) != FOREVER else []
        refs += [Ref(item.key, day, gone=True, folder=folder) for day in days]
    return refs


def _page(
    world: World, request: Request, box: Mailbox, current: Round, serial: int, offset: int
) -> Response:
    style = style_of(world, request)
    size = request.page_size(PAGE)
    if "odata.maxpagesize" in request.preferences:
        request.applied.append(f"odata.maxpagesize={size}")
    refs = current.refs[offset : offset + size]
    if request.flags.get("short_page") and len(refs) > 1:
        refs = refs[: len(refs) // 2]
    rows = [row for ref in refs if (row := _row(box, ref, current, style)) is not None]
    if request.flags.get("empty_list"):
        rows, refs = [], current.refs[offset:]
    body: dict[str, Any] = {
        "@odata.context": f"{request.metadata}#Collection(event)",
        "value": rows,
    }
    after = offset + len(refs)
    if after < len(current.refs):
        box.rounds[str(serial)] = current
        while len(box.rounds) > world.switches.delta_rounds_kept:
            box.rounds.popitem(last=False)
        body["@odata.nextLink"] = _link(request, "$skiptoken", box, "r", serial, after)
    elif request.flags.get("same_cursor") and request.query.get("$deltatoken"):
        body["@odata.deltaLink"] = _link_text(request, "$deltatoken", request.query["$deltatoken"])
    else:
        span = (current.low.isoformat(), current.high.isoformat())
        body["@odata.deltaLink"] = _link(
            request, "$deltatoken", box, "d", *span, current.until, serial
        )
    return answer(200, body)


def _row(box: Mailbox, ref: Ref, current: Round, style: Style) -> dict[str, Any] | None:
    if ref.gone:
        item = box.items.get(ref.key) or box.tombs[ref.key]
        shown = item if not ref.folder else replace(item, folder=ref.folder)
        return {
            "@odata.type": "#microsoft.graph.event",
            "id": box.id_of(shown, ref.day, immutable=style.immutable),
            "@removed": {"reason": "deleted"},
        }
    living = box.items.get(ref.key)
    if living is None:
        return None  # deleted since the round began: the next round says so
    found = whole(living) if ref.day is None else instance(living, ref.day)
    if found is None or (
        ref.day is not None and current.low != FOREVER[0] and not _inside(found, current)
    ):
        return None
    if found.kind == "occurrence":
        return render.slim(box, found, style)
    return {"@odata.type": "#microsoft.graph.event", **render.event(box, found, style)}


def _inside(found: Instance, current: Round) -> bool:
    return touches(found.when, current.low, current.high)


def _link(request: Request, name: str, box: Mailbox, *parts: object) -> str:
    text = json.dumps([box.tag, *map(str, parts)], separators=(",", ":"))
    return _link_text(request, name, urlsafe_b64encode(text.encode()).decode().rstrip("="))


def _link_text(request: Request, name: str, token: str) -> str:
    return f"{request.base}{request.path}?{name}={token}"


def _read(request: Request, box: Mailbox, token: str, kind: str, count: int) -> list[str]:
    try:
        parts = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, UnicodeError):
        raise Refusal(400, "SyncStateInvalid", "Badly formed sync state.") from None
    if (
        not isinstance(parts, list)
        or len(parts) != count + 2
        or parts[0] != box.tag
        or parts[1] != kind
    ):
        raise gone(request, None, "SyncStateInvalid")
    return [str(part) for part in parts[2:]]

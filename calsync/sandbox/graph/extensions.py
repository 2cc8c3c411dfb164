"""Open extensions of an event: list, read, add, change, remove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..items import Item
from ..problems import Refusal, not_found
from . import query as odata
from .calendar import EXTENSION, extension, find
from .reader import read_extensions
from .request import Request, Response, answer
from .writes import Written, replace_flags

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World


def _named(item: Item, text: str) -> str:
    """The extension of a name or of a full id, without regard to case."""
    wanted = text.removeprefix(EXTENSION).casefold()
    for name in item.extensions:
        if name.casefold() == wanted:
            return name
    raise not_found()


def read(world: World, request: Request, box: Mailbox, event_id: str, name: str | None) -> Response:
    """GET /events/{id}/extensions, or one of them."""
    item, _ = find(world, request, box, event_id)
    names = odata.selected(request.query)
    if name is None:
        rows = [extension(key, body) for key, body in item.extensions.items()]
        return answer(
            200,
            {
                "@odata.context": request.context(names),
                "value": [odata.pick(row, names) for row in rows],
            },
        )
    known = _named(item, name)
    shown = odata.pick(extension(known, item.extensions[known]), names)
    return answer(200, {"@odata.context": request.context(names, entity=True), **shown})


def write(world: World, request: Request, box: Mailbox, event_id: str, name: str | None) -> Written:
    """POST /events/{id}/extensions; PATCH and DELETE of one."""
    item, _ = find(world, replace_flags(request), box, event_id)
    known = dict(item.extensions)
    if name is None:
        ((added, body),) = read_extensions([request.json()]).items()
        if added in known:
            raise Refusal(409, "ErrorItemSave", f"An extension '{added}' exists already.")
        known[added] = body
        made = world.put(box, replace(item, extensions=known))
        shown = {"@odata.context": request.context(entity=True), **extension(added, body)}
        return Written(answer(201, shown), made, None, ("extensions",))
    key = _named(item, name)
    if request.method == "DELETE":
        del known[key]
        made = world.put(box, replace(item, extensions=known))
        return Written(Response(204, {}), made, None, ("extensions",))
    changes = read_extensions([{**request.json(), "extensionName": key}])[key]
    known[key] = {**known[key], **changes}
    made = world.put(box, replace(item, extensions=known))
    shown = {"@odata.context": request.context(entity=True), **extension(key, known[key])}
    return Written(answer(200, shown), made, None, ("extensions",))

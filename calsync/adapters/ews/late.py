"""Items of ours that came too late: made by a request that had been given up, after somebody threw
away what another request made for the same booking.

EWS has no key that makes a create harmless. Such an item looks like the thrown away one, made anew
by Exchange (ews-managed-api #255), and would undo what a person did. Each request marks what it
makes: an item that was made anew bears the mark of the former, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from calsync.adapters.ews.box import Box
from calsync.errors import AccessDenied, MailboxMissing
from calsync.model import Observation, Seen

#: For so long after an item was made it is asked whether it came late: calsync may have rested.
_NEW = timedelta(days=1)


def late_keys(box: Box, seen: Sequence[Observation], known: set[str]) -> set[str]:
    """Which of these came late. ``known``: keys of which we know that they did not. Deleted Items
    are asked only where an item of ours is new, and nobody here made it."""
    new = {
        one.tag: one
        for one in seen
        if isinstance(one, Seen)
        and one.owned
        and one.tag is not None
        and not one.replaces
        and one.key not in known
        and abs(box.now - one.created) < _NEW
    }
    if not new:
        return set()
    try:
        thrown_away = box.makings(list(new), thrown_away=True)
    except (AccessDenied, MailboxMissing):
        return set()  # A delegate may have rights on the calendar alone.
    if not thrown_away:
        return set()
    return {
        key
        for tag, made in box.makings(list(thrown_away), thrown_away=False).items()
        for key, request in made
        if all(request != other for _, other in thrown_away[tag])
    }

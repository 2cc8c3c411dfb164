"""Who wins: pure functions from a policy and a conflict to a side, or None for "ask"."""

from __future__ import annotations

from typing import assert_never

from calsync.model import EditPolicy, Side


def edit_winner(policy: EditPolicy, origin: Side) -> Side | None:
    """Whose value stays where both sides changed one field to different values."""
    match policy:
        case EditPolicy.ORIGIN:
            return origin
        case EditPolicy.CALENDAR:
            return Side.CALENDAR
        case EditPolicy.BOOKING:
            return Side.BOOKING
        case EditPolicy.ASK:
            return None
        case _:
            assert_never(policy)

"""Subscriptions of EWS: pull and streaming."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..world import World


class Subscriptions:
    """All subscriptions of the world."""

    def __init__(self, world: World) -> None:
        self.world = world

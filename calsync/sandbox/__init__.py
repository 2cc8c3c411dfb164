"""A synthetic Microsoft 365 tenant, true to Exchange as far as public sources go.

It is the independent oracle that judges calsync and shares no code with it. `World` holds the
company, `GraphFront` answers HTTP requests about it without sockets, `SandboxServer` puts it on
loopback.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from .control import Control
from .graph.front import GraphFront
from .graph.request import Response
from .server import SandboxServer
from .world import DEFAULT_CLIENT, DEFAULT_DOMAIN, DEFAULT_SECRET, DEFAULT_TENANT, World

__all__ = [
    "DEFAULT_CLIENT",
    "DEFAULT_DOMAIN",
    "DEFAULT_SECRET",
    "DEFAULT_TENANT",
    "Control",
    "GraphFront",
    "Response",
    "SandboxServer",
    "World",
    "create_sandbox",
]


def create_sandbox(
    *,
    seed: int = 0,
    clock: Callable[[], datetime] | None = None,
    base: str = "https://graph.sandbox",
) -> Control:
    """A new world with its Graph front and its control side (`.world`, `.front`, `.handle`)."""
    world = World(clock or (lambda: datetime.now(UTC)), seed)
    return Control(GraphFront(world, base=base))

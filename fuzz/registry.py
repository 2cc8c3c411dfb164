"""All targets, by name."""

from __future__ import annotations

from fuzz import admin, graph, platform
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for target in (*graph.TARGETS, *platform.TARGETS, *admin.TARGETS)
}

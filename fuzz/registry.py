"""All targets, by name."""

from __future__ import annotations

from fuzz import admin, graph, platform, remote
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (*graph.TARGETS, *platform.TARGETS, *remote.TARGETS, *admin.TARGETS)
}

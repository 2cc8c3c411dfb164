"""A request about several things: each has an answer of its own, also where another one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .. import faults
from ..problems import Refusal
from .call import Call, busy, refused
from .xml import Markup, Node

STOPPED = Refusal(
    500,
    "ErrorBatchProcessingStopped",
    "Processing of the request stopped because of an error at an earlier item.",
)


def each(call: Call, nodes: Iterable[Node], work: Callable[[Node], Markup]) -> list[Markup]:
    """One response message a node, in their order."""
    made: list[Markup] = []
    stopped = False
    for place, node in enumerate(nodes):
        if stopped:
            made.append(refused(call.operation, STOPPED))
            continue
        # Throttling, or a store that went away, in the middle of a batch.
        if place and call.front.strikes(call, ("batch_stopped",)):
            made.append(refused(call.operation, busy(call.front.backoff_ms)))
            stopped = True
            continue
        struck = call.front.strikes(call, ("batch_part_throttled",))
        if struck:
            made.append(
                refused(call.operation, busy(milliseconds(struck[0], call.front.backoff_ms)))
            )
            continue
        try:
            made.append(work(node))
        except Refusal as refusal:
            made.append(refused(call.operation, refusal))
    return made


def milliseconds(fault: faults.Fault, default: int) -> int:
    """How long a throttled client is told to stay away."""
    return int(float(fault.params.get("seconds", default / 1000)) * 1000)

"""The mix of faults that strikes calsync's calls, by their shares of one overall rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calsync.demo.stage import Stage

#: On any call of the Graph surface (signing in has faults of its own).
_GRAPH = "/v1.0/"
_DELTA = r"/calendarView/delta"
_EVENTS = r"/events"

#: (weight, kind, path, params). A weight is a share of the faults among the calls that match.
_MIX: Sequence[tuple[float, str, str, dict[str, Any]]] = (
    (8, "lost_request", _GRAPH, {}),
    (8, "reply_lost", _GRAPH, {}),
    (6, "reset_mid_body", _GRAPH, {}),
    (5, "truncated_json", _GRAPH, {}),
    (4, "garbage_json", _GRAPH, {}),
    (3, "html_login", _GRAPH, {}),
    (3, "html_after", _GRAPH, {}),
    (2, "redirect", _GRAPH, {}),
    (4, "error_before", _GRAPH, {"status": 503}),
    (2, "error_before", _GRAPH, {"status": 502}),
    (4, "error_after", _GRAPH, {"status": 503}),
    (4, "error_after", _GRAPH, {"status": 504}),
    (6, "throttled", _GRAPH, {"seconds": 1}),
    (2, "throttled", _GRAPH, {"seconds": 2, "form": "date"}),
    (2, "throttled", _GRAPH, {"form": "absent"}),
    (2, "throttled", _GRAPH, {"seconds": 1, "status": 503}),
    (6, "slow", _GRAPH, {"seconds": 1.5}),
    (3, "token_expired", _GRAPH, {}),
    (1, "mailbox_moved", _GRAPH, {}),
    (2, "permission_removed", _EVENTS, {}),
    (5, "batch_part_throttled", r"\$batch", {"seconds": 1}),
    (4, "gone", _DELTA, {}),
    (3, "sync_state_invalid", _DELTA, {}),
    (4, "same_cursor", _DELTA, {}),
    (4, "short_page", _DELTA, {}),
    (6, "delta_replay", _DELTA, {}),
    (4, "out_of_order", _DELTA, {}),
    (4, "stale_read", _DELTA, {"seconds": 3}),
    (4, "without_tag", _EVENTS, {}),
)


def mixed(rate: float) -> list[dict[str, Any]]:
    """Faults that strike about that share of the calls, for ``/_sandbox/faults``. Nearly all
    calls are polls, so what can strike a poll makes up the whole."""
    whole = sum(weight for weight, _, path, _ in _MIX if path in (_GRAPH, _DELTA))
    return [
        {"kind": kind, "rate": rate * weight / whole, "path": path, "params": params}
        for weight, kind, path, params in _MIX
        if rate > 0
    ]


def arm(stage: Stage, faults: list[dict[str, Any]]) -> None:
    if faults:
        stage.sandbox.control("POST", "faults", {"faults": faults})

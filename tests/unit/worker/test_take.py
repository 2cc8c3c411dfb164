"""What one reading of a feed told, taken together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from calsync.engine.calls import run_inline
from calsync.engine.gathered import Gathered
from calsync.engine.pull import _take
from calsync.model import Pull, Seen, Side
from calsync.ports import RoomState
from tests.unit.core.planning import NINE, TWELVE
from tests.unit.core.values import PAIR, WINDOW, seen


class Store:
    """No link is known."""

    def links_by_key(self, *_: object) -> list[Any]:
        return []


class Hub:
    capabilities = SimpleNamespace(local=True)


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_states_told_at_once_the_newer_one_counts(newer_first: bool) -> None:
    """A feed may replay: what it tells last is not always what is so now."""
    older, newer = seen(NINE, key="b", mark=5), seen(TWELVE, key="b", mark=6)
    told: tuple[Seen, ...] = (newer, older) if newer_first else (older, newer)
    ctx: Any = SimpleNamespace(
        store=Store(), booking=Hub, state=lambda pair: RoomState(pair_id=pair.id)
    )
    found = Gathered()
    run_inline(_take(ctx, PAIR, found, Side.BOOKING, Pull(observations=told), WINDOW))
    assert found.booking == {"b": newer}

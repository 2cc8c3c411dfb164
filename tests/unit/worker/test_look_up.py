"""What a write in doubt is looked up as, after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from calsync.engine.calls import run_inline
from calsync.engine.doubts import _look_up
from calsync.model import Absence, EffectKind, Gone, Link, Observation, Pair, Side, Unknown
from calsync.ports import OpenEffect

PAIR = Pair(id="p1", room_id="r1", connection="c", mailbox="r1@x.example", zone="UTC")
GONE = Gone(key="k1", absence=Absence.READ)


class Port:
    """A calendar on which the item is gone; ``tagged`` is what it shows under our tag."""

    capabilities = SimpleNamespace(local=False)

    def __init__(self, tagged: Observation | None) -> None:
        self.tagged = tagged

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        return [GONE for _ in keys]

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        return {} if self.tagged is None else {tags[0]: self.tagged}


def look_up(tagged: Observation | None) -> list[Observation | None]:
    change = OpenEffect(
        id="l1:2",
        pair_id="p1",
        link_id="l1",
        kind=EffectKind.CHANGE_EVENT.value,
        revision=2,
        key="k1",
        version="v1",
        fingerprint="f",
    )
    port: Any = Port(tagged)
    context: Any = None  # Only where it lies in a person's calendar.
    link = Link(id="l1", pair_id="p1", origin=Side.BOOKING)
    return run_inline(_look_up(context, port, PAIR, [change], {"l1": link}))


@pytest.mark.parametrize("tagged", [None, Gone(key="in the bin", absence=Absence.DELETED)])
def test_what_was_removed_is_known_under_the_key_that_it_had(tagged: Observation | None) -> None:
    """Exchange gives what is thrown away another id, under which nobody asks again."""
    assert look_up(tagged) == [GONE]


def test_what_cannot_be_read_just_now_may_stand_in_its_place() -> None:
    unread = Unknown(key="k2", reason="busy")
    assert look_up(unread) == [unread]

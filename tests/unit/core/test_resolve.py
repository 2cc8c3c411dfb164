"""What a look-up says of a write in doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Done,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Outcome,
    Refused,
    Seen,
    Stale,
    Unknown,
)
from calsync.reconcile.settle import resolve
from tests.unit.core.values import (
    occ,
    seen,
)

NINE, TEN = occ(9, 10), occ(10, 11)
RENAMED = replace(NINE, title="renamed")
K = EffectKind

# --- a look-up of what is in doubt ---------------------------------------------------------------

ARRIVED = seen(TEN, mark=9)
STILL = seen(NINE, mark=5)
OTHER = seen(RENAMED, mark=7)
AWAY = Gone(key="k", absence=Absence.READ)
NOT_YET = Later(0.0, "it never arrived")
CREATES = (K.CREATE_EVENT, K.CREATE_BOOKING)
CHANGES = (K.CHANGE_EVENT, K.CHANGE_BOOKING)
REMOVALS = (K.DELETE_EVENT, K.DECLINE_EVENT, K.DELETE_BOOKING, K.REJECT_BOOKING)


def looked_up(kind: EffectKind, found: Seen | Gone | Unknown | None) -> Outcome:
    return resolve(kind, version="v5", wanted=fingerprint(TEN), found=found)


@pytest.mark.parametrize(
    ("kinds", "found", "outcome"),
    [
        (CREATES, None, NOT_YET),
        (CREATES, ARRIVED, Done(ARRIVED)),
        (CREATES, OTHER, Done(OTHER, complete=False)),
        (CREATES, AWAY, Done(AWAY)),  # It did arrive, and somebody removed it since.
        (CHANGES, ARRIVED, Done(ARRIVED)),
        (CHANGES, STILL, NOT_YET),
        (CHANGES, OTHER, Stale(OTHER, tried=True)),
        (CHANGES, AWAY, Stale(AWAY)),
        (CHANGES, None, Stale(None)),
        (REMOVALS, AWAY, Done(AWAY)),
        (REMOVALS, STILL, NOT_YET),
        (REMOVALS, OTHER, Stale(OTHER)),
        (REMOVALS, None, Stale(None)),
        ((K.CONFIRM_BOOKING,), OTHER, Done(OTHER)),
        ((K.CONFIRM_BOOKING,), replace(STILL, pending=True), NOT_YET),
        (
            (K.CONFIRM_BOOKING,),
            replace(OTHER, pending=True),
            Stale(replace(OTHER, pending=True)),
        ),
        ((K.CONFIRM_BOOKING,), AWAY, Stale(AWAY)),
        ((K.CONFIRM_BOOKING,), None, Stale(None)),
    ],
)
def test_what_a_look_up_finds(
    kinds: tuple[EffectKind, ...], found: Seen | Gone | None, outcome: Outcome
) -> None:
    for kind in kinds:
        assert looked_up(kind, found) == outcome


@pytest.mark.parametrize("kind", EffectKind)
def test_what_cannot_be_read_stays_in_doubt_but_what_cannot_be_understood_holds_nothing_up(
    kind: EffectKind,
) -> None:
    assert looked_up(kind, Unknown(key="k", reason="timeout")) == InDoubt("timeout")
    poison = looked_up(kind, Unknown(key="k", reason="no end", poison=True))
    assert poison == (Refused("no end", "poison") if kind in CREATES else Stale(None))

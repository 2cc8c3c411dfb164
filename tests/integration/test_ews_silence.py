"""What a sync state never held it says nothing of: what we made is looked at until it is told."""

from __future__ import annotations

from calsync.model import Done, EffectKind, Gone, Seen
from tests.contract.sync_side import effect, single
from tests.integration.ews_kit import ews_lab


def test_our_own_create_that_is_removed_before_the_next_round_is_asked_about() -> None:
    with ews_lab() as lab:
        cursor = lab.side.pull(lab.pair, None, lab.window).cursor
        one = effect(EffectKind.CREATE_EVENT, "a", target=single())
        (outcome,) = lab.side.apply(lab.pair, [one])
        assert isinstance(outcome, Done)
        key = outcome.now.key
        lab.remove(key)
        pulled = lab.side.pull(lab.pair, cursor, lab.window)
        assert key in {*pulled.missing, *pulled.hints}, "else only the nightly compare would tell"
        assert isinstance(lab.side.read(lab.pair, [key])[0], Gone)


def test_once_told_it_is_asked_about_no_more() -> None:
    with ews_lab() as lab:
        cursor = lab.side.pull(lab.pair, None, lab.window).cursor
        one = effect(EffectKind.CREATE_EVENT, "a", target=single())
        (outcome,) = lab.side.apply(lab.pair, [one])
        assert isinstance(outcome, Done)
        told = lab.side.pull(lab.pair, cursor, lab.window)
        (seen,) = told.observations
        assert isinstance(seen, Seen)
        assert seen.key == outcome.now.key
        later = lab.side.pull(lab.pair, told.cursor, lab.window)
        assert (later.observations, later.hints, later.missing) == ((), (), ())

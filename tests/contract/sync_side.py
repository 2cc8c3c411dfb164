"""The contract of ``ports.SyncSide``: every adapter inherits ``SyncSideContract`` and passes it.

An adapter's test module gives a fixture ``lab`` (see ``Lab``) and adds nothing else::

    class TestGraph(SyncSideContract):
        @pytest.fixture
        def lab(self): ...
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from calsync.errors import CursorExpired
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Busy,
    Done,
    Effect,
    EffectKind,
    Frequency,
    Gone,
    Nth,
    Observation,
    Occupancy,
    Override,
    Pair,
    Pull,
    Recurrence,
    Refused,
    Rule,
    Seen,
    Side,
    Stale,
    Unknown,
    Weekday,
    Window,
)
from calsync.ports import SyncSide


class Lab(Protocol):
    """The side under test, and what people do on it behind calsync's back.

    ``put`` makes an item with this occupancy (owned, so that it may be changed), ``edit``
    changes it, ``remove`` deletes it; keys are those the side itself reports. ``window`` holds
    2026-12 to 2027-03. Titles are carried for the pair.
    """

    side: SyncSide
    pair: Pair
    window: Window

    def put(self, occupancy: Occupancy) -> str: ...

    def edit(self, key: str, occupancy: Occupancy) -> None: ...

    def remove(self, key: str) -> None: ...


def single(day: int = 1, hour: int = 9, **more: object) -> Occupancy:
    """A meeting of an hour in December 2026 (UTC)."""
    start = datetime(2026, 12, day, hour)
    values = {"start": start, "end": start + timedelta(hours=1), "zone": "UTC", **more}
    return Occupancy(**values)  # type: ignore[arg-type]


def weekly(**more: object) -> Occupancy:
    """Tuesdays at 10 in Berlin, ten times from 1 December 2026."""
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),), count=10)
    values = {
        "start": datetime(2026, 12, 1, 10),
        "end": datetime(2026, 12, 1, 11),
        "zone": "Europe/Berlin",
        "title": "Review",
        "recurrence": Recurrence(rule=rule),
        **more,
    }
    return canonical_occupancy(Occupancy(**values))  # type: ignore[arg-type]


def later_weekly() -> Occupancy:
    """The weekly series at 14 instead of 10."""
    return weekly(start=datetime(2026, 12, 1, 14), end=datetime(2026, 12, 1, 15))


def with_exceptions() -> Occupancy:
    """The weekly series with a removed date, one that moved, and one that shows as free."""
    series = weekly()
    assert series.recurrence is not None
    third, fifth = datetime(2026, 12, 15, 10), datetime(2026, 12, 29, 10)
    overrides = (
        Override(
            recurrence_id=third,
            start=third + timedelta(hours=3),
            end=third + timedelta(hours=5),
            title="Review, longer",
        ),
        Override(
            recurrence_id=fifth,
            start=fifth,
            end=fifth + timedelta(hours=1),
            busy=Busy.FREE,
            title="Review",
        ),
    )
    recurrence = replace(
        series.recurrence, excluded=(datetime(2026, 12, 8, 10),), overrides=overrides
    )
    return canonical_occupancy(replace(series, recurrence=recurrence))


SHAPES = {
    "single": single(),
    "titled": single(title="Kick-off ✓"),
    "free": single(busy=Busy.FREE),
    "tentative": single(busy=Busy.TENTATIVE),
    "private": single(private=True),
    "all day": Occupancy(
        start=datetime(2026, 12, 3), end=datetime(2026, 12, 5), zone=None, all_day=True
    ),
    "over midnight": single(start=datetime(2026, 12, 3, 23), end=datetime(2026, 12, 4, 2)),
    "weekly": weekly(),
    "endless": weekly(
        recurrence=Recurrence(rule=Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),)))
    ),
    "exceptions": with_exceptions(),
}


class Kinds:
    """The effect kinds of a side."""

    def __init__(self, side: Side) -> None:
        word = "EVENT" if side is Side.CALENDAR else "BOOKING"
        self.create = EffectKind[f"CREATE_{word}"]
        self.change = EffectKind[f"CHANGE_{word}"]
        self.delete = EffectKind[f"DELETE_{word}"]
        other = "BOOKING" if side is Side.CALENDAR else "EVENT"
        self.foreign = EffectKind[f"DELETE_{other}"]


def effect(kind: EffectKind, link: str, *, seen: Seen | None = None, **more: object) -> Effect:
    values: dict[str, object] = {
        "id": f"{link}:1",
        "kind": kind,
        "link_id": link,
        "revision": 1,
        "why": "a test",
        "created": datetime(2026, 11, 20, tzinfo=UTC),
    }
    if seen is not None:
        values |= {"key": seen.key, "version": seen.version, "was": seen.occupancy}
    values |= more
    target = values.get("target")
    if isinstance(target, Occupancy):
        values["fingerprint"] = fingerprint(target)
    return Effect(**values)  # type: ignore[arg-type]


class SyncSideContract:
    """What the engine relies on. Requires a fixture ``lab``."""

    @pytest.fixture
    def kinds(self, lab: Lab) -> Kinds:
        return Kinds(lab.side.side)

    # -- helpers ----------------------------------------------------------------------------

    def pull(self, lab: Lab, cursor: str | None = None) -> Pull:
        return lab.side.pull(lab.pair, cursor, lab.window)

    def seen(self, lab: Lab, key: str) -> Seen:
        found = lab.side.read(lab.pair, [key])[0]
        assert isinstance(found, Seen), found
        return found

    def apply(self, lab: Lab, one: Effect) -> object:
        outcomes = lab.side.apply(lab.pair, [one])
        assert len(outcomes) == 1
        return outcomes[0]

    def created(self, lab: Lab, kinds: Kinds, target: Occupancy, link: str = "link-1") -> Seen:
        outcome = self.apply(lab, effect(kinds.create, link, target=target))
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.now, Seen), outcome
        return outcome.now

    def there(self, lab: Lab) -> dict[str, Seen]:
        pulled = self.pull(lab)
        return {one.key: one for one in pulled.observations if isinstance(one, Seen)}

    # -- reading ----------------------------------------------------------------------------

    def test_an_empty_side_is_read_in_full(self, lab: Lab) -> None:
        pulled = self.pull(lab)
        assert (pulled.observations, pulled.hints, pulled.complete) == ((), (), True)
        assert pulled.cursor

    @pytest.mark.parametrize("name", SHAPES)
    def test_what_people_make_is_what_is_seen(self, lab: Lab, name: str) -> None:
        key = lab.put(SHAPES[name])
        (found,) = self.pull(lab).observations
        assert isinstance(found, Seen), found
        assert (found.key, found.occupancy) == (key, SHAPES[name])
        assert found.fingerprint == fingerprint(SHAPES[name])
        assert found.owned
        assert found.version
        assert found.created.tzinfo is not None
        assert self.seen(lab, key) == found, "a targeted read and the feed tell the same"

    def test_nothing_new_is_nothing(self, lab: Lab) -> None:
        lab.put(single())
        first = self.pull(lab)
        second = self.pull(lab, first.cursor)
        assert (second.observations, second.hints, second.complete) == ((), (), False)
        assert self.pull(lab, second.cursor).observations == ()

    def test_a_change_is_seen_once_with_a_newer_mark(self, lab: Lab) -> None:
        key = lab.put(single())
        other = lab.put(single(day=2))
        before = self.pull(lab)
        old = {one.key: one for one in before.observations if isinstance(one, Seen)}[key]
        lab.edit(key, single(hour=14))
        after = self.pull(lab, before.cursor)
        (new,) = after.observations
        assert isinstance(new, Seen)
        assert new.key == key != other
        assert new.occupancy == single(hour=14)
        assert new.version != old.version
        assert new.mark > old.mark
        assert self.pull(lab, before.cursor).observations == after.observations, "a replay"

    def test_a_removed_item_is_hinted_and_read_as_gone(self, lab: Lab) -> None:
        key, stays = lab.put(single()), lab.put(single(day=2))
        before = self.pull(lab)
        lab.remove(key)
        after = self.pull(lab, before.cursor)
        told = set(after.hints) | {one.key for one in after.observations if isinstance(one, Gone)}
        assert told == {key}
        assert not [one for one in after.observations if isinstance(one, Seen)]
        gone, seen = lab.side.read(lab.pair, [key, stays])
        assert isinstance(gone, Gone)
        assert isinstance(seen, Seen)

    def test_a_series_is_reported_whole_under_its_own_key(self, lab: Lab) -> None:
        key = lab.put(weekly())
        before = self.pull(lab)
        lab.edit(key, with_exceptions())
        (found,) = self.pull(lab, before.cursor).observations
        assert isinstance(found, Seen)
        assert (found.key, found.occupancy) == (key, with_exceptions())

    def test_another_window_is_a_full_listing(self, lab: Lab) -> None:
        key = lab.put(single())
        first = self.pull(lab)
        wider = Window(lab.window.start, lab.window.end + timedelta(days=1))
        again = lab.side.pull(lab.pair, first.cursor, wider)
        if lab.side.side is Side.CALENDAR:
            assert again.complete
            assert [one.key for one in again.observations] == [key]

    def test_a_cursor_that_nobody_gave_never_reads_as_nothing(self, lab: Lab) -> None:
        """It is refused, or answered by everything: not by an empty round."""
        lab.put(single())
        try:
            pulled = self.pull(lab, '{"garbage": 1}')
        except CursorExpired:
            return
        assert pulled.complete
        assert len(pulled.observations) == 1

    def test_reads_keep_the_order_of_the_keys(self, lab: Lab) -> None:
        keys = [lab.put(single(day=day)) for day in range(1, 26)]
        wanted = [*reversed(keys), keys[3]]
        found = lab.side.read(lab.pair, wanted)
        assert [one.key for one in found] == wanted
        assert all(isinstance(one, Seen) for one in found)
        assert lab.side.read(lab.pair, []) == []

    def test_a_key_that_never_was_is_not_seen(self, lab: Lab) -> None:
        found: list[Observation] = lab.side.read(lab.pair, ["no-such-key"])
        assert isinstance(found[0], Gone | Unknown)
        assert found[0].key == "no-such-key"

    # -- creating ---------------------------------------------------------------------------

    @pytest.mark.parametrize("name", SHAPES)
    def test_a_create_makes_the_target(self, lab: Lab, kinds: Kinds, name: str) -> None:
        now = self.created(lab, kinds, SHAPES[name])
        assert now.occupancy == SHAPES[name]
        assert now.tag == "link-1"
        echo = self.there(lab)
        assert list(echo) == [now.key]
        assert echo[now.key].fingerprint == now.fingerprint
        assert echo[now.key].version == now.version, "the echo is no change"

    def test_a_create_sent_twice_makes_one_item(self, lab: Lab, kinds: Kinds) -> None:
        first = self.created(lab, kinds, single())
        second = self.created(lab, kinds, single())
        assert first.key == second.key
        assert list(self.there(lab)) == [first.key]

    def test_items_are_found_by_their_tag(self, lab: Lab, kinds: Kinds) -> None:
        lab.put(single(day=5))
        one = self.created(lab, kinds, single(), link="link-a")
        self.created(lab, kinds, single(day=2), link="link-b")
        found = lab.side.find(lab.pair, ["link-a", "link-unknown"])
        assert list(found) == ["link-a"]
        seen = found["link-a"]
        assert isinstance(seen, Seen)
        assert (seen.key, seen.version, seen.tag) == (one.key, one.version, "link-a")

    def test_many_creates_keep_their_order(self, lab: Lab, kinds: Kinds) -> None:
        days = range(1, 24)
        effects = [
            effect(kinds.create, f"link-{day}", target=single(day=day, title=f"No {day}"))
            for day in days
        ]
        outcomes = lab.side.apply(lab.pair, effects)
        shown = [outcome.now.occupancy for outcome in outcomes]  # type: ignore[union-attr]
        assert shown == [one.target for one in effects]
        assert len(self.there(lab)) == len(effects)

    # -- changing ---------------------------------------------------------------------------

    CHANGES = (
        ("moved", single(), single(hour=15)),
        ("moved to another day", single(), single(day=9)),
        ("longer", single(), replace(single(), end=datetime(2026, 12, 1, 12))),
        ("retitled", single(title="One"), single(title="Two")),
        ("title gone", single(title="One"), single()),
        ("freed", single(), single(busy=Busy.FREE)),
        ("made private", single(title="Secret"), single(private=True)),
        ("all day", single(), SHAPES["all day"]),
        ("all day no more", SHAPES["all day"], single()),
        ("made a series", single(title="Review"), weekly()),
        ("a series no more", weekly(), single(title="Review")),
        ("dates removed and moved", weekly(), with_exceptions()),
        ("series moved", weekly(), later_weekly()),
        ("series retitled", with_exceptions(), replace(with_exceptions(), busy=Busy.TENTATIVE)),
        ("exceptions taken back", with_exceptions(), weekly()),
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("was", "target"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
    )
    def test_a_change_reaches_its_target(
        self, lab: Lab, kinds: Kinds, was: Occupancy, target: Occupancy
    ) -> None:
        seen = self.seen(lab, lab.put(was))
        outcome = self.apply(lab, effect(kinds.change, "link-1", seen=seen, target=target))
        for _ in range(3):
            # What cannot be written in one go is derived again from what is there.
            assert isinstance(outcome, Done), outcome
            assert isinstance(outcome.now, Seen), outcome
            if outcome.complete:
                break
            now = self.seen(lab, outcome.now.key)
            outcome = self.apply(lab, effect(kinds.change, "link-1", seen=now, target=target))
        assert isinstance(outcome, Done)
        assert isinstance(outcome.now, Seen)
        assert outcome.now.occupancy == target
        there = self.there(lab)
        assert list(there) == [outcome.now.key]
        assert there[outcome.now.key].version == outcome.now.version, "the echo is no change"

    def test_a_stale_change_writes_nothing(self, lab: Lab, kinds: Kinds) -> None:
        key = lab.put(single())
        seen = self.seen(lab, key)
        lab.edit(key, single(hour=12))
        outcome = self.apply(lab, effect(kinds.change, "link-1", seen=seen, target=single(hour=15)))
        assert isinstance(outcome, Stale), outcome
        assert self.seen(lab, key).occupancy == single(hour=12)

    def test_a_change_of_something_gone_is_stale(self, lab: Lab, kinds: Kinds) -> None:
        key = lab.put(single())
        seen = self.seen(lab, key)
        lab.remove(key)
        outcome = self.apply(lab, effect(kinds.change, "link-1", seen=seen, target=single(hour=15)))
        assert isinstance(outcome, Stale), outcome
        assert self.there(lab) == {}

    # -- deleting ---------------------------------------------------------------------------

    @pytest.mark.parametrize("name", ["single", "exceptions"])
    def test_a_delete_removes(self, lab: Lab, kinds: Kinds, name: str) -> None:
        key = lab.put(SHAPES[name])
        outcome = self.apply(lab, effect(kinds.delete, "link-1", seen=self.seen(lab, key)))
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.now, Gone), outcome
        assert self.there(lab) == {}
        assert isinstance(lab.side.read(lab.pair, [key])[0], Gone)

    def test_a_stale_delete_removes_nothing(self, lab: Lab, kinds: Kinds) -> None:
        key = lab.put(single())
        seen = self.seen(lab, key)
        lab.edit(key, single(hour=12))
        outcome = self.apply(lab, effect(kinds.delete, "link-1", seen=seen))
        assert isinstance(outcome, Stale), outcome
        assert list(self.there(lab)) == [key]

    def test_a_second_delete_is_done(self, lab: Lab, kinds: Kinds) -> None:
        key = lab.put(single())
        seen = self.seen(lab, key)
        lab.remove(key)
        outcome = self.apply(lab, effect(kinds.delete, "link-1", seen=seen))
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.now, Gone), outcome

    # -- the call as a whole ----------------------------------------------------------------

    def test_effects_have_one_outcome_each_in_order(self, lab: Lab, kinds: Kinds) -> None:
        first, second = (self.seen(lab, lab.put(single(day=day))) for day in (1, 2))
        lab.edit(second.key, single(day=2, hour=20))
        outcomes = lab.side.apply(
            lab.pair,
            [
                effect(kinds.delete, "link-1", seen=first),
                effect(kinds.change, "link-2", seen=second, target=single(day=3)),
                effect(kinds.create, "link-3", target=single(day=1)),
            ],
        )
        assert [type(one) for one in outcomes] == [Done, Stale, Done]
        assert lab.side.apply(lab.pair, []) == []

    def test_an_effect_of_the_other_side_is_refused(self, lab: Lab, kinds: Kinds) -> None:
        seen = self.seen(lab, lab.put(single()))
        assert isinstance(self.apply(lab, effect(kinds.foreign, "link-1", seen=seen)), Refused)
        assert list(self.there(lab)) == [seen.key]

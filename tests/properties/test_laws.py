"""The laws of the core, over random histories with faults: the real engine and reconcile on
two in-memory sides. Each law names the invariant of the design that it checks."""

from __future__ import annotations

import random

import pytest

from calsync.model import Side
from tests.support.memory_side import Faults
from tests.support.room import World, single

SEEDS = range(300)
NOISE = Faults(
    lose_reply=0.15, lose_request=0.1, stale=0.2, unreadable=0.1, later=0.1, void_cursor=0.1
)


def act(world: World, side: Side, key_of: dict[str, dict[Side, str]], name: str) -> str:
    """One person changes one item on one side; the title says what was last wanted."""
    port = world.side(side)
    key = key_of[name].get(side)
    choice = world.rng.random()
    if key is None or key not in port.live():
        return ""
    if choice < 0.25:
        port.remove(key)
        return "gone"
    slot = int(name) * 4 + world.rng.randrange(3)
    title = f"{name}-{world.rng.randrange(10_000)}"
    port.put(key, single(slot, title=title))
    return title


def find_keys(world: World, names: list[str]) -> dict[str, dict[Side, str]]:
    keys: dict[str, dict[Side, str]] = {n: {} for n in names}
    for side in Side:
        for key, occ in world.side(side).live().items():
            assert occ.title is not None
            keys[occ.title.split("-")[0]][side] = key
    return keys


@pytest.mark.parametrize("seed", SEEDS)
def test_one_sided_edits_survive_every_fault(seed: int) -> None:
    """Stale reads, lost replies and requests, unreadable items, void cursors, crashes: what
    people did on one side is what both sides show at rest (no lost booking, convergence)."""
    world = World(seed, titles=True)
    names = [str(n) for n in range(4)]
    for name in names:
        side = world.rng.choice(list(Side))
        world.side(side).put(f"{side.value}-{name}", single(int(name) * 4, title=f"{name}-0"))
    world.rest()
    for _ in range(4):
        keys = find_keys(world, names)
        acting = {n: world.rng.choice(list(Side)) for n in names}
        wanted: dict[str, str] = {}
        world.booking.faults = world.calendar.faults = NOISE
        for _ in range(6):
            name = world.rng.choice(names)
            done = act(world, acting[name], keys, name)
            if done:
                wanted[name] = done
            if world.rng.random() < 0.7:
                world.cycle(full=world.rng.random() < 0.1)
            if world.rng.random() < 0.2:
                world.restart()
        world.heal()
        world.rest()
        assert world.shown(Side.BOOKING) == world.shown(Side.CALENDAR)
        titles = {o.title for o in world.shown(Side.BOOKING)}
        for name, title in wanted.items():
            if title == "gone":
                assert not any(t and t.startswith(f"{name}-") for t in titles)
                names = [n for n in names if n != name]
            else:
                assert title in titles
        if not names:
            return


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_edited_still_converges_and_rests(seed: int) -> None:
    """Concurrent edits and deletes under faults: equal at rest, nothing doubled, then quiet."""
    world = World(seed, titles=True)
    names = [str(n) for n in range(3)]
    for name in names:
        side = world.rng.choice(list(Side))
        world.side(side).put(f"{side.value}-{name}", single(int(name) * 4, title=f"{name}-0"))
    world.rest()
    keys = find_keys(world, names)
    world.booking.faults = world.calendar.faults = NOISE
    for _ in range(10):
        act(world, world.rng.choice(list(Side)), keys, world.rng.choice(names))
        if world.rng.random() < 0.5:
            world.cycle()
    world.heal()
    world.rest()
    assert world.shown(Side.BOOKING) == world.shown(Side.CALENDAR)
    names_left = [o.title.split("-")[0] for o in world.shown(Side.BOOKING) if o.title]
    assert len(names_left) == len(set(names_left)), "a booking was doubled"
    writes = world.booking.writes + world.calendar.writes
    commits = world.store.commits
    for _ in range(3):
        world.cycle()
    assert world.booking.writes + world.calendar.writes == writes, "writes while idle"
    assert world.store.commits == commits, "journal rows while idle"


@pytest.mark.parametrize("seed", range(60))
def test_order_within_a_batch_does_not_matter(seed: int) -> None:
    """The same acts, reported in another order, lead to the same end."""
    ends = []
    for shuffle in (1, 2):
        world = World(shuffle, titles=True)
        acts = random.Random(seed)
        for n in range(5):
            side = acts.choice(list(Side))
            world.side(side).put(f"{side.value}{n}", single(n * 4, title=f"{n}-0"))
        world.rest()
        keys = find_keys(world, [str(n) for n in range(5)])
        for n in range(5):
            side = acts.choice(list(Side))
            if acts.random() < 0.3:
                world.side(side).remove(keys[str(n)][side])
            else:
                new = single(n * 4 + acts.randrange(3), title=f"{n}-{acts.randrange(99)}")
                world.side(side).put(keys[str(n)][side], new)
        world.rest()
        ends.append((world.shown(Side.BOOKING), world.shown(Side.CALENDAR)))
    assert ends[0] == ends[1]


def test_resync_from_nothing_writes_nothing() -> None:
    """Our database is lost: equal items on both sides find each other again."""
    world = World(1, titles=True)
    for n in range(6):
        side = Side.BOOKING if n % 2 else Side.CALENDAR
        world.side(side).put(f"k{n}", single(n * 2, title=f"{n}-x"))
    world.rest()
    writes = world.booking.writes + world.calendar.writes
    world.store = type(world.store)([world.pair])
    world.restart()
    world.rest()
    assert world.booking.writes + world.calendar.writes == writes
    assert len(world.store.links("p1")) == 6


def test_an_echo_gives_only_a_rebase() -> None:
    world = World(2)
    world.calendar.put("e", single(1))
    world.rest()
    writes = world.booking.writes
    item = world.calendar.items["e"]
    world.calendar.put("e", item.occupancy)  # a new version of the same content
    report = world.cycle()
    assert (report.observed, report.effects) == (1, 0)
    assert world.booking.writes == writes
    assert world.store.links("p1")[0].event.version == f"v{world.calendar.items['e'].mark}"


def test_absence_from_a_listing_deletes_nothing() -> None:
    """A full listing that lost an item: the item is read, found, and nothing happens."""
    world = World(3)
    for n in range(3):
        world.calendar.put(f"e{n}", single(n * 2))
    world.rest()
    hidden = world.calendar.items.pop("e1")
    original = world.calendar._read
    world.calendar._read = lambda key: (
        world.calendar._seen(hidden) if key == "e1" else original(key)
    )  # type: ignore[method-assign]
    world.cycle(full=True)
    assert len(world.booking.live()) == 3


def test_an_emptied_side_halts_the_room() -> None:
    world = World(4)
    for n in range(3):
        world.calendar.put(f"e{n}", single(n * 2))
    world.rest()
    world.calendar.items.clear()
    world.calendar.feed.clear()
    report = world.cycle(full=True)
    assert report.halt is not None
    assert "calendar" in report.halt.reason
    assert len(world.booking.live()) == 3
    assert world.cycle().effects == 0, "a halted room does nothing until the admin answers"

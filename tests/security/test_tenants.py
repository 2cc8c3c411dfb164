"""Two tenants in one calsync, as alike as two can be: the same ids of events, the same uids, the
same delta tokens. Nothing of one ever reaches the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync import bootstrap
from calsync.engine.calls import run_inline
from calsync.engine.cycle import CycleReport, cycle
from calsync.errors import UsageError
from calsync.model import Interval, Pair, Room
from calsync.sandbox import DEFAULT_CLIENT, DEFAULT_SECRET, DEFAULT_TENANT
from calsync.settings import Settings, parse
from tests.support.company import START, RunningClock, Tenant

ZONE = "W. Europe Standard Time"
ADA = "ada@contoso.example"
OTHER_TENANT = "5a4d0b0c-0000-4000-8000-00000000beef"


@dataclass
class Two:
    """One calsync; tenants ``a`` and ``b``, each with a room of its own and the same people."""

    home: bootstrap.Home
    system: bootstrap.System
    tenants: dict[str, Tenant]
    pairs: dict[str, Pair]

    def cycle(self, name: str, *, full: bool = False) -> CycleReport:
        return run_inline(cycle(self.system.context, self.pairs[name], full=full))

    def rest(self, name: str) -> None:
        for _ in range(6):
            report = self.cycle(name)
            if not (report.error or report.effects or report.unsettled or report.observed):
                return
        raise AssertionError(report)

    def act(self, name: str, kind: str, **raw: Any) -> Any:
        return self.tenants[name].act(kind, **raw)

    def invite(self, name: str, hour: int) -> Any:
        return self.act(
            name,
            "book",
            person=ADA,
            room=self.pairs[name].mailbox,
            subject=f"meeting {hour}",
            start=f"2026-12-01T{hour:02}:00:00",
            end=f"2026-12-01T{hour:02}:30:00",
            zone=ZONE,
        )

    def book(self, name: str, hour: int, minute: int = 30) -> Any:
        doc = {
            "start": f"2026-12-01T{hour:02}:{minute:02}:00",
            "duration": "PT15M",
            "uid": f"u{hour}",
        }
        return self.home.bookings.create(self.pairs[name].room_id, doc)

    def held(self, name: str) -> tuple[Any, ...]:
        """All that is known and kept of a tenant: its calendar, its calls, its rows."""
        tenant, pair = self.tenants[name], self.pairs[name]
        items = sorted(str(one) for one in tenant.items(pair.mailbox))
        with self.home.hub.read() as tx:
            bookings = sorted(map(repr, tx.live_bookings([pair.room_id], _ALWAYS)))
        stories = self.home.db
        with stories.read() as reading:
            audit = reading.exec_driver_sql(
                "SELECT count(*) FROM audit WHERE pair_id = ?", (pair.id,)
            ).scalar()
        return (
            items,
            len(tenant.exchanges),
            sorted(map(repr, self.home.store.links(pair.id))),
            repr(self.home.store.states()[pair.id]),
            repr(self.home.store.open_effects(pair.id)),
            bookings,
            audit,
        )


_ALWAYS = Interval(
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2028, 1, 1, tzinfo=UTC),
)


def _settings(folder: Path, tenants: dict[str, Tenant], **ids: str) -> Settings:
    (folder / "secret").write_text(DEFAULT_SECRET)
    (folder / "secret").chmod(0o600)
    connections = "".join(
        f"""
        [[connections]]
        name = "{name}"
        tenant_id = "{ids.get(name, DEFAULT_TENANT)}"
        client_id = "{DEFAULT_CLIENT}"
        cloud = "custom"
        login_url = "{tenant.url}"
        graph_url = "{tenant.url}"
        client_secret_file = "{folder}/secret"
        """
        for name, tenant in tenants.items()
    )
    return parse(f'[database]\nurl = "sqlite:///{folder}/calsync.db"\n{connections}')


class StillClock(RunningClock):
    """Stands still until it is put forward: ids that hold a time are alike, too."""

    def __call__(self) -> datetime:
        return START + self._shift

    def __init__(self) -> None:
        self._shift = timedelta(0)

    def forward(self, **span: float) -> None:
        self._shift += timedelta(**span)


@contextmanager
def alike() -> Iterator[dict[str, Tenant]]:
    """The same seed and the same acts: whatever one hands out, the other does, too."""
    with ExitStack() as ends, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.company.RunningClock", StillClock)
        made = {}
        for name in "ab":
            made[name] = Tenant()
            ends.callback(made[name].close)
            person = {"address": ADA, "name": "Ada", "zone": ZONE}
            made[name].control("POST", "people", person)
        yield made


@pytest.fixture
def tenants() -> Iterator[dict[str, Tenant]]:
    with alike() as made:
        yield made


_folders = iter(range(10_000))


def two(folder: Path, tenants: dict[str, Tenant], ends: ExitStack) -> Two:
    number = next(_folders)
    folder = folder / str(number)
    folder.mkdir()
    home = bootstrap.open_home(_settings(folder, tenants), tenants["a"].clock)
    ends.callback(home.close)
    system = bootstrap.connect(home)
    ends.callback(system.close)
    pairs = {}
    for name, tenant in tenants.items():
        # One address differs in one letter, since one address is one mailbox.
        address = f"room-{number}-{name}@contoso.example"
        raw = {"address": address, "name": "Room", "zone": ZONE}
        tenant.control("POST", "rooms", raw)
        home.bookings.put_room(Room(id=f"room-{name}", name="Room", zone="Europe/Berlin"))
        pairs[name] = bootstrap.map_room(
            home, room_id=f"room-{name}", mailbox=address, connection=name, titles=True
        )
    return Two(home, system, tenants, pairs)


ACTS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["invite", "book", "cancel", "change", "sync", "full", "fault"]),
        st.integers(7, 16),
    ),
    min_size=4,
    max_size=8,
)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_nothing_crosses(tmp_path: Path, acts: Any) -> None:
    with ExitStack() as ends:
        tenants = ends.enter_context(alike())
        world = two(tmp_path, tenants, ends)
        for hour in (7, 8):
            ids = [world.invite(name, hour) for name in "ab"]
            assert ids[0]["iCalUId"] == ids[1]["iCalUId"], "the tenants are alike"
        for name in "ab":
            world.rest(name)
        keys = [{lk.event.key for lk in world.home.store.links(p.id)} for p in world.pairs.values()]
        assert keys[0] == keys[1], "the same ids of events"
        tokens = [
            world.home.store.states()[pair.id].calendar_cursor or ""
            for pair in world.pairs.values()
        ]
        assert tokens[0].partition("delta")[2] == tokens[1].partition("delta")[2], "and of tokens"
        known: dict[str, list[Any]] = {"a": [], "b": []}
        for name, act, hour in acts:
            for tenant in tenants.values():
                tenant.clock.forward(seconds=5)
            other = "b" if name == "a" else "a"
            before = world.held(other)
            _play(world, known[name], name, act, hour)
            assert world.held(other) == before, (name, act)
        for tenant in tenants.values():
            tenant.control("DELETE", "faults")
        for name in "ab":
            world.rest(name)
            addresses = {one.target for one in tenants[name].exchanges if "/users/" in one.target}
            strangers = world.pairs["b" if name == "a" else "a"].mailbox
            assert not any(strangers in target for target in addresses)
            assert not any(strangers.encode() in one.body for one in tenants[name].exchanges)


def _play(world: Two, known: list[Any], name: str, act: str, hour: int) -> None:
    match act:
        case "invite":
            known.append(world.invite(name, hour))
        case "book":
            try:
                world.book(name, hour)
            except UsageError:
                return  # taken
        case "cancel" if known:
            room = world.pairs[name].mailbox
            world.act(name, "cancel", id=known.pop()["id"], room=room)
        case "change" if known:
            world.act(name, "extend", id=known[-1]["id"], room=world.pairs[name].mailbox, minutes=5)
        case "fault":
            fault = {"kind": "throttled", "path": "events|delta", "count": 1}
            world.tenants[name].control("POST", "faults", {**fault, "params": {"seconds": 0.05}})
        case "full":
            world.cycle(name, full=True)
    world.cycle(name)


def test_what_waits_in_one_tenant_is_not_taken_up_in_the_other(
    tmp_path: Path, tenants: dict[str, Tenant]
) -> None:
    with ExitStack() as ends:
        world = two(tmp_path, tenants, ends)
        for name in "ab":
            world.rest(name)
        refused = {"kind": "permission_removed", "method": "POST", "path": "events", "count": None}
        tenants["b"].control("POST", "faults", refused)
        world.book("b", 9)
        world.cycle("b")
        assert world.home.store.unsettled(world.pairs["b"].id)
        before = world.held("b")
        world.invite("a", 9)
        for full in (False, True, False):
            world.cycle("a", full=full)
        assert world.held("b") == before
        assert len(tenants["a"].items(world.pairs["a"].mailbox)) == 1


def test_a_tenant_that_is_throttled_slows_no_other(
    tmp_path: Path, tenants: dict[str, Tenant], caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as ends, caplog.at_level(logging.DEBUG):
        world = two(tmp_path, tenants, ends)
        for name in "ab":
            world.rest(name)
        huge = {"kind": "throttled", "path": "delta", "count": None, "params": {"form": "huge"}}
        tenants["a"].control("POST", "faults", huge)
        stopped = world.cycle("a")
        assert stopped.wait > 60
        world.book("b", 12)
        world.rest("b")
        assert len(tenants["b"].items(world.pairs["b"].mailbox)) == 1
        counts = {name: link.calls.counts().throttled for name, link in world.system.links.items()}
        assert counts["a"] > 0
        assert counts["b"] == 0


def test_one_address_is_one_mailbox(tmp_path: Path, tenants: dict[str, Tenant]) -> None:
    """Two tenants cannot have the same domain; whoever says so is asked to look again."""
    with ExitStack() as ends:
        world = two(tmp_path, tenants, ends)
        with pytest.raises(UsageError, match="already mapped"):
            bootstrap.map_room(
                world.home,
                room_id="room-b",
                mailbox=world.pairs["a"].mailbox,
                connection="b",
            )


def test_a_room_mapped_through_another_connection_begins_anew(
    tmp_path: Path, tenants: dict[str, Tenant]
) -> None:
    with ExitStack() as ends:
        world = two(tmp_path, tenants, ends)
        pair = world.pairs["a"]
        world.invite("a", 9)
        world.rest("a")
        with pytest.raises(UsageError, match="already mapped"):
            bootstrap.map_room(world.home, room_id="room-a", mailbox=pair.mailbox, connection="b")
        world.home.mappings.remove_pair(pair.id)
        again = bootstrap.map_room(
            world.home, room_id="room-a", mailbox=pair.mailbox, connection="b"
        )
        assert again.id != pair.id
        assert world.home.store.links(again.id) == []
        assert world.home.store.states()[again.id].calendar_cursor is None
        world.home.mappings.remove_pair(again.id)
        back = bootstrap.map_room(
            world.home, room_id="room-a", mailbox=pair.mailbox, connection="a"
        )
        assert back.id == pair.id, "and what was known through the first one serves again"


def test_a_connection_stays_with_its_tenant(tmp_path: Path, tenants: dict[str, Tenant]) -> None:
    with ExitStack() as ends:
        world = two(tmp_path, tenants, ends)
        folder = Path(world.home.db.where).parent
        moved = _settings(folder, tenants, a=OTHER_TENANT)
        home = bootstrap.open_home(moved, tenants["a"].clock)
        ends.callback(home.close)
        with pytest.raises(UsageError, match=f"mapped in tenant {DEFAULT_TENANT}"):
            bootstrap.connect(home)
        pair = world.pairs["a"]
        world.home.mappings.remove_pair(pair.id)
        ends.callback(bootstrap.connect(home).close)
        fresh = bootstrap.map_room(home, room_id="room-a", mailbox=pair.mailbox, connection="a")
        assert fresh.id != pair.id, "the same address in another tenant is another mailbox"


def test_another_name_of_a_tenant_is_no_other_tenant(
    tmp_path: Path, tenants: dict[str, Tenant]
) -> None:
    with ExitStack() as ends:
        world = two(tmp_path, tenants, ends)
        mappings = world.home.mappings
        mappings.bind("a", "contoso.onmicrosoft.com")
        mappings.bind("a", DEFAULT_TENANT.upper())
        with pytest.raises(UsageError):
            mappings.bind("a", OTHER_TENANT)

"""Every request of the EWS side is what Microsoft's schema accepts: those of the whole contract, of
declines, probes and directories, by both kinds of access."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.adapters.ews import probe, requests, rooms
from calsync.adapters.ews.sessions import Service
from calsync.errors import SideError
from calsync.model import Interval
from calsync.sandbox import SandboxServer
from tests.contract.sync_side import SyncSideContract
from tests.fidelity.ews_schema import faults, schema_file
from tests.integration.ews_kit import ROOM, EwsLab, ews_lab
from tests.integration.graph_kit import graph_server

pytestmark = pytest.mark.skipif(schema_file() is None, reason="Microsoft's EWS schema is not here")
SENT: Counter[str] = Counter()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is wrong with the requests sent so far."""
    wrong: list[str] = []
    wrap = Service.wrap

    def watch(self: Service, content: Any, api_version: str | None = None) -> bytes:
        made: bytes = wrap(self, content, api_version=api_version)
        wrong.extend(faults(made))
        SENT[content.tag.rpartition("}")[2]] += 1
        return made

    monkeypatch.setattr(Service, "wrap", watch)
    return wrong


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with graph_server() as server:
        yield server


class TestTheContract(SyncSideContract):
    @pytest.fixture(params=[True, False], ids=["impersonation", "delegate"])
    def lab(
        self, server: SandboxServer, watched: list[str], request: pytest.FixtureRequest
    ) -> Iterator[EwsLab]:
        with ews_lab(server, impersonate=request.param) as lab:
            yield lab
        assert watched == []


def test_what_is_no_part_of_sync(watched: list[str]) -> None:
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    with ews_lab() as lab:
        where = lab.transport.server
        for ask in (
            lambda: probe.sign_in(lab.caller),
            lambda: probe.read_day(lab.caller, where, ROOM, now),
            lambda: probe.write_and_delete(lab.side.box(lab.pair), now),
            lambda: rooms.directory(lab.caller),
            lambda: rooms.open_mailbox(lab.caller, where, ROOM),
            lambda: rooms.busy(lab.caller, [ROOM], Interval(now, now.replace(day=2))),
            lambda: lab.side.elsewhere(lab.pair, ["a@b", "040000008200E00074C5B7101A82E008"]),
            lambda: lab.side.box(lab.pair).decline("AAMk", "DwAA", comment="No\x07", tell=True),
        ):
            with suppress(SideError):
                ask()  # type: ignore[no-untyped-call]
    assert watched == []
    assert {"GetRoomLists", "GetUserAvailabilityRequest", "CreateItem", "GetFolder"} <= set(SENT)


def test_the_schema_does_refuse() -> None:
    """Else all of this proves nothing."""
    place = requests.folder(ROOM, impersonated=True)
    asked = requests.sync_items(place, "", page=513, times=False)
    service = Service.__new__(Service)
    service._mailbox, service._impersonate = "", False
    (fault,) = faults(service.wrap(asked, "Exchange2016"))
    assert "513" in fault
    strange = requests.get_items([requests.item_id("AAMk")])
    strange.append(requests.el("m:Unknown"))
    assert faults(service.wrap(strange, "Exchange2016"))

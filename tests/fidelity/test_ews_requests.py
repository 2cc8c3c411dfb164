"""What the EWS side sends is what Microsoft's schema accepts. The requests of all other tests are
checked on their way (conftest); here are those that none of them makes, by both kinds of access."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.adapters.ews import probe, requests, rooms
from calsync.adapters.ews.sessions import Service
from calsync.errors import SideError
from calsync.model import Interval
from tests.fidelity.ews import envelope_faults, schema_file
from tests.integration.ews_kit import ROOM, ews_lab

pytestmark = pytest.mark.skipif(schema_file() is None, reason="Microsoft's EWS schema is not here")


@pytest.mark.parametrize("impersonate", [True, False])
def test_what_is_no_part_of_sync(monkeypatch: pytest.MonkeyPatch, impersonate: bool) -> None:
    wrong: list[str] = []
    sent: set[str] = set()
    wrap = Service.wrap

    def watch(self: Service, content: Any, api_version: str | None = None) -> bytes:
        made = wrap(self, content, api_version=api_version)
        wrong.extend(envelope_faults(made))
        sent.add(content.tag.rpartition("}")[2])
        return made

    monkeypatch.setattr(Service, "wrap", watch)
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    with ews_lab(impersonate=impersonate) as lab:
        where = lab.transport.server
        probe.sign_in(lab.caller)
        probe.read_day(lab.caller, where, ROOM, now)
        probe.write_and_delete(lab.side.box(lab.pair), now)
        assert lab.live() == [], "the probe leaves nothing behind"
        rooms.directory(lab.caller)
        rooms.open_mailbox(lab.caller, where, ROOM)
        rooms.busy(lab.caller, [ROOM], Interval(now, now.replace(day=2)))
        lab.side.elsewhere(lab.pair, ["a@b", "040000008200E00074C5B7101A82E008"])
        with suppress(SideError):
            lab.side.box(lab.pair).decline("AAMk", "DwAA", comment="No\x07", tell=True)
    assert wrong == []
    assert {"GetRoomLists", "GetUserAvailabilityRequest", "CreateItem", "GetFolder"} <= sent


def test_the_schema_does_refuse() -> None:
    """Else all of this proves nothing."""
    place = requests.folder(ROOM, impersonated=True)
    asked = requests.sync_items(place, "", page=513, times=False)
    service = Service.__new__(Service)
    service._mailbox, service._impersonate = "", False
    (fault,) = envelope_faults(service.wrap(asked, "Exchange2016"))
    assert "513" in fault
    strange = requests.get_items([requests.item_id("AAMk")])
    strange.append(requests.el("m:Unknown"))
    assert envelope_faults(service.wrap(strange, "Exchange2016"))

"""The booking_http side passes the contract of every side, before a real API over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sync_side import SyncSideContract
from tests.integration.api_kit import open_door
from tests.integration.booking_http_kit import HttpLab, http_lab


@pytest.fixture(scope="module")
def door() -> Iterator[Any]:
    with open_door() as opened:
        yield opened


class TestBookingHttp(SyncSideContract):
    @pytest.fixture
    def lab(self, door: Any, tmp_path: Path) -> Iterator[HttpLab]:
        with http_lab(door, tmp_path) as lab:
            yield lab

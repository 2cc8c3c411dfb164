"""The EWS side passes the contract of every side: acting as the mailbox, and, page by page, with
rights of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calsync.sandbox import SandboxServer
from tests.contract.sync_side import SyncSideContract
from tests.integration.ews_kit import EwsLab, ews_lab
from tests.integration.graph_kit import graph_server


@pytest.fixture(scope="class")
def server() -> Iterator[SandboxServer]:
    """One company a class; every test has a room of its own in it."""
    with graph_server() as server:
        yield server


class TestEws(SyncSideContract):
    @pytest.fixture
    def lab(self, server: SandboxServer) -> Iterator[EwsLab]:
        with ews_lab(server) as lab:
            yield lab


class TestEwsDelegate(SyncSideContract):
    """With rights on each calendar instead of impersonation, and pages of two changes."""

    @pytest.fixture
    def lab(self, server: SandboxServer) -> Iterator[EwsLab]:
        with ews_lab(server, impersonate=False, page=2) as lab:
            yield lab

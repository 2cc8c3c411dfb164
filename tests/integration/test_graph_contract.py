"""The Graph side passes the contract of every side: in the global cloud, in a national cloud,
and with the undocumented facts the other way round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calsync.sandbox import SandboxServer
from tests.contract.sync_side import SyncSideContract
from tests.integration.graph_kit import GraphLab, graph_lab, graph_server


@pytest.fixture(scope="class")
def server() -> Iterator[SandboxServer]:
    """One tenant a class; every test has a room of its own in it."""
    with graph_server() as server:
        yield server


class TestGraph(SyncSideContract):
    @pytest.fixture
    def lab(self, server: SandboxServer) -> Iterator[GraphLab]:
        with graph_lab(server) as lab:
            yield lab


class TestGraphOtherWay(SyncSideContract):
    """Every fact no source confirms, turned round: the adapter may rely on none of them."""

    @pytest.fixture
    def lab(self, server: SandboxServer) -> Iterator[GraphLab]:
        with graph_lab(server, page_size=2) as lab:
            lab.switch(
                if_match_patch=False,
                if_match_delete=False,
                stale_status=409,
                duplicate_status=400,
                duplicate_existing_id=False,
                masters_in_delta=False,
                removed_occurrences_of_series=False,
                delta_repeats=True,
                series_change_drops_exceptions=False,
                decline_removes_copy=False,
            )
            yield lab


class TestGraphNationalCloud(SyncSideContract):
    """Clouds that lack cancelledOccurrences and exceptionOccurrences: instances are listed."""

    @pytest.fixture
    def lab(self, server: SandboxServer) -> Iterator[GraphLab]:
        with graph_lab(server, series_parts=False) as lab:
            lab.switch(national_cloud=True)
            yield lab

"""The Graph side passes the contract of every side: in the global cloud, in a national cloud,
and with the undocumented facts the other way round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.sync_side import SyncSideContract
from tests.integration.graph_kit import GraphLab, graph_lab


class TestGraph(SyncSideContract):
    @pytest.fixture
    def lab(self) -> Iterator[GraphLab]:
        with graph_lab() as lab:
            yield lab

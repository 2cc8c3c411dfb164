"""One fresh sandbox for a test."""

from __future__ import annotations

import pytest

from .client import Graph


@pytest.fixture
def graph() -> Graph:
    """Two rooms, three people, Berlin, a clock that stands at 2026-11-20 09:00 UTC."""
    return Graph()

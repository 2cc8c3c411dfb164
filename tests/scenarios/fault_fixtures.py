"""Fixtures shared by the fault suites (imported by name: no conftest of the folder is touched)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from calsync import bootstrap
from calsync.adapters.ews import errors
from calsync.adapters.wrap.retried import Retried
from tests.scenarios.fault_kit import Company, company


@pytest.fixture(scope="session")
def firm() -> Iterator[Company]:
    """One sandbox process for all; every test has rooms of its own."""
    with company() as made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between tries in hundredths of a second; their number stays."""
    monkeypatch.setattr(bootstrap, "Retried", partial(Retried, base=0.01))
    monkeypatch.setattr(errors, "_UNSAID", 0.05)  # 10 s where a server names no time

"""Settings that all tests share.

``make test`` draws the same examples on every machine: a gate must not depend on luck. To look
for new ones: ``HYPOTHESIS_PROFILE=explore make test ARGS=tests/properties``; what that finds
becomes a test with a telling name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import front, tables

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run only what make test leaves out")
    parser.addoption(
        "--exchange",
        choices=front.FRONTS,
        default="graph",
        help="by which front of the sandbox scenarios reach the company",
    )


def pytest_configure(config: pytest.Config) -> None:
    front.choose(config.getoption("--exchange"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.only("graph", reason=...)``: the test is about what only that front has.
    ``@pytest.mark.migrations``: new databases are made by all of the migrations."""
    tables.at_once(item.get_closest_marker("migrations") is None)
    for mark in item.iter_markers("only"):
        if front.chosen() not in mark.args:
            pytest.skip(f"only on {' and '.join(mark.args)}: {mark.kwargs['reason']}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``make long`` runs what is marked so, and nothing else; ``make test`` the rest. A test that
    is named on the command line is run whatever it is."""
    if any("::" in name for name in config.args):
        return
    # What takes long begins first: at the end one process would run it while the other waits.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    wanted = config.getoption("--long")
    left = [item for item in items if (item.get_closest_marker("long") is not None) is not wanted]
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
    if wanted:
        for item in items:
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(autouse=True)
def ews_is_valid(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever goes through the sandbox's EWS front in a test is of Exchange's schema, both ways.
    ``@pytest.mark.not_of_schema``: the test sends on purpose what is not."""
    if "calsync.sandbox.ews.front" not in sys.modules:
        # A test that knows no sandbox pays nothing.
        yield
        return
    from tests.fidelity.ews import Recorder

    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder()
        recorder.install(patch)
        yield
    if request.node.get_closest_marker("not_of_schema") is None:
        assert recorder.faults == []

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

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


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

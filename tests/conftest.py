"""Settings that all tests share.

``make test`` draws the same examples on every machine: a gate must not depend on luck. To look
for new ones: ``HYPOTHESIS_PROFILE=explore make test ARGS=tests/properties``; what that finds
becomes a test with a telling name.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

"""Memory of a process that runs for months: what nobody needs is given back."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from calsync.worker.memory import calm_collector, sweep


@pytest.fixture
def own_collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Knot:
    """Refers to itself: only the collector ends it."""

    def __init__(self) -> None:
        self.myself = self


def test_a_sweep_ends_cycles_that_the_calm_collector_leaves(own_collector: None) -> None:
    calm_collector()
    knot = weakref.ref(Knot())
    assert knot() is not None
    sweep()
    assert knot() is None


_HOLES = """
import sys, threading
from pathlib import Path
from calsync.worker.memory import few_holes, sweep
few_holes()

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) // 1024

kept = []
all_have_theirs = threading.Barrier(8)
def fill():
    made = [bytes(8000) for _ in range(2000)]
    all_have_theirs.wait()
    kept.append(made[::50])

threads = [threading.Thread(target=fill) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
before = anonymous()
sweep()
print(before, anonymous())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is meant")
def test_holes_between_what_is_used_go_back_to_the_system() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True, timeout=30
    )
    before, after = map(int, said.stdout.split())
    # Of 8 x 16 MB, one block in fifty is kept.
    assert after < 20 < before - 20

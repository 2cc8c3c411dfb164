"""How a process that runs for months keeps the memory that it needs, and no more."""

from __future__ import annotations

import ctypes
import gc
import sys

#: Seconds between two sweeps.
SWEEP_EVERY = 60.0
#: mallopt(3): how many arenas glibc's malloc makes.
_M_ARENA_MAX = -8
_ARENAS = 2


def few_arenas() -> None:
    """Before any thread is started: let all threads share two arenas of glibc's malloc.

    By default each of our dozen threads gets its own. What one thread reads another one frees
    (answers of the pool, on the control thread), so that each arena keeps holes which no other
    thread may fill: the resident memory creeps up for hours although what is in use does not.
    Our threads wait for the network nearly all the time: they do not fight for two.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (OSError, AttributeError):
        return  # another C library: it has other habits


def calm_collector() -> None:
    """Look for reference cycles less often. We make few, but pages of events are thousands of
    containers, and looking through them took a seventh of a first import. `sweep` looks, too."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def sweep() -> None:
    """Give back what is not needed: reference cycles (errors and libraries leave some thousand
    objects a minute), and the free memory between what is used, of which malloc by itself returns
    only what lies at its end. Takes less than a millisecond where there is little to do."""
    gc.collect()
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (OSError, AttributeError):
            return

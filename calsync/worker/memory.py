"""How a process that runs for months keeps the memory that it needs, and no more."""

from __future__ import annotations

import ctypes
import gc
import sys

#: Seconds between two sweeps.
SWEEP_EVERY = 60.0
#: mallopt(3): how many arenas glibc's malloc makes; from which size on a block gets pages of its
#: own, which go back to the system with it; how much free memory it keeps at an arena's end.
_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1
_ARENAS, _LARGE, _KEPT = 1, 64 * 1024, 256 * 1024


def few_holes() -> None:
    """Before any thread is started: tell glibc's malloc how to serve a process like this one.

    By default each of our dozen threads gets an arena of its own. What one thread reads another
    one frees (answers of the pool, on the control thread), so that each arena keeps holes which no
    other thread may fill. And once a large block was freed, malloc takes the next ones from the
    arena as well, where a listing of 1 MB leaves another hole. So the resident memory creeps up for
    hours although what is in use does not. Our threads wait for the network nearly all the time,
    and hold Python's own lock while they do not: they do not fight for one arena.
    """
    if sys.platform != "linux":
        return
    try:
        tell = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another C library: it has other habits
    tell(_M_ARENA_MAX, _ARENAS)
    tell(_M_MMAP_THRESHOLD, _LARGE)
    tell(_M_TRIM_THRESHOLD, _KEPT)


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

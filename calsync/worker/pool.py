"""A bounded pool of daemon threads for blocking calls.

The standard executor joins its threads when the interpreter ends; a call that hangs on a dead
peer would then hold up SIGTERM for its whole timeout. Here the process may leave at once:
what a lost call has done is looked up on the next start.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

_Jobs = queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]


class Pool:
    """``size`` threads. Results go to the callback given with the call, on the pool thread. They
    end with ``close``, and also where the pool is merely forgotten: they do not hold it."""

    def __init__(self, size: int, name: str = "calsync-call") -> None:
        self._jobs: _Jobs = queue.SimpleQueue()
        self._size = size
        for n in range(size):
            serve = threading.Thread(
                target=_serve, args=(self._jobs,), name=f"{name}-{n}", daemon=True
            )
            serve.start()
        weakref.finalize(self, _end, self._jobs, size).atexit = False

    def submit(self, run: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Call ``run`` on a thread; ``done`` gets its result, or the exception it raised."""
        self._jobs.put((run, done))

    def close(self) -> None:
        """Let idle threads end; does not wait for those that are in a call."""
        _end(self._jobs, self._size)


def _end(jobs: _Jobs, size: int) -> None:
    for _ in range(size):
        jobs.put(None)


def _serve(jobs: _Jobs) -> None:
    while (job := jobs.get()) is not None:
        _call(*job)
        # While it waits it must hold nothing of a call, which leads back to the pool.
        del job


def _call(run: Callable[[], Any], done: Callable[[Any], None]) -> None:
    try:
        result = run()
    except Exception as error:
        # Handed over as a value: the control thread decides what it means.
        result = error
    done(result)

"""A bounded pool of daemon threads for blocking calls.

The standard executor joins its threads when the interpreter ends; a call that hangs on a dead
peer would then hold up SIGTERM for its whole timeout. Here the process may leave at once:
what a lost call has done is looked up on the next start.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Pool:
    """``size`` threads. Results go to the callback given with the call, on the pool thread."""

    def __init__(self, size: int, name: str = "calsync-call") -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]
        self._jobs = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, run: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Call ``run`` on a thread; ``done`` gets its result, or the exception it raised."""
        self._jobs.put((run, done))

    def close(self) -> None:
        """Let idle threads end; does not wait for those that are in a call."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            run, done = job
            try:
                result = run()
            except Exception as error:
                # Handed over as a value: the control thread decides what it means.
                result = error
            done(result)

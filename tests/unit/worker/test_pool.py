"""The pool of threads for blocking calls."""

from __future__ import annotations

import gc
import threading
from time import monotonic, sleep

from calsync.worker.pool import Pool


def _alive(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def _ends(name: str) -> bool:
    until = monotonic() + 5.0
    while _alive(name) and monotonic() < until:
        sleep(0.01)
    return _alive(name) == 0


def test_the_threads_end_with_close() -> None:
    pool = Pool(3, "closed-pool")
    assert _alive("closed-pool") == 3
    pool.close()
    assert _ends("closed-pool")


class Owner:
    def __init__(self) -> None:
        self.pool = Pool(3, "forgotten-pool")
        self.got: list[object] = []
        self.came = threading.Event()

    def ask(self) -> None:
        self.pool.submit(self.answer, self.take)

    def answer(self) -> int:
        return 7

    def take(self, result: object) -> None:
        self.got.append(result)
        self.came.set()


def test_the_threads_of_a_forgotten_pool_end_though_a_call_led_back_to_it() -> None:
    """A process that makes many of them (the tests do) came to hold hundreds of idle threads."""
    owner = Owner()
    owner.ask()
    assert owner.came.wait(5)
    assert owner.got == [7]
    del owner
    gc.collect()
    assert _ends("forgotten-pool")

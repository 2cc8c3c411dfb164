"""Blocking calls as values, and the plain way to carry them out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may block: what the generator wants done outside any transaction.

    ``local``: it does not leave the process; a driver may run it where it stands.
    """

    name: str
    run: Callable[[], Any]
    local: bool = False


#: A step of work: yields calls, is sent their results (or has their errors thrown in).
Steps = Generator[Call, Any, R]


def run_inline(steps: Steps[R]) -> R:
    """Drive ``steps`` to the end on this thread."""
    try:
        call = next(steps)
        while True:
            try:
                result = call.run()
            except Exception as error:
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as stop:
        value: R = stop.value
        return value

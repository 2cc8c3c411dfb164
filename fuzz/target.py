"""A target: one parser of outside input, what it may raise, and what must be true of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

#: Processor seconds that one small input may cost, far above what any does on a busy machine.
SECONDS = 2.0


class Finding(AssertionError):
    """An input after which the target did not behave. ``data`` replays it."""

    def __init__(self, target: str, data: bytes, what: str) -> None:
        super().__init__(
            f"{target}: {what}\n  replay: python -m fuzz {target} --replay {data.hex()}"
        )
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``run`` takes any bytes, checks its own invariants by assert, and may raise ``allowed``.

    ``seeds``: small inputs to begin from, among them what was found before. ``heavy``: costs
    milliseconds, so the gate draws fewer examples.
    """

    name: str
    run: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...] = ()
    seeds: tuple[bytes, ...] = ()
    seconds: float = SECONDS
    heavy: bool = False

    def check(self, data: bytes) -> None:
        """Run once. Raises Finding for anything but success or an allowed error, in time."""
        began = time.process_time()
        try:
            self.run(data)
        except self.allowed as error:
            # Whoever reads the error must be able to print and store it.
            text = str(error)
            if len(text) > 20_000:
                raise Finding(self.name, data, f"its error has {len(text)} characters") from error
            try:
                text.encode()
            except UnicodeEncodeError:
                raise Finding(self.name, data, "its error cannot be written as UTF-8") from error
        except Exception as error:
            raise Finding(self.name, data, f"{type(error).__name__}: {str(error)[:300]}") from error
        took = time.process_time() - began
        if took > self.seconds:
            raise Finding(self.name, data, f"took {took:.1f} s of processor time")

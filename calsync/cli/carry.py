"""An admin's act that a cycle has to carry out: by calsync serve where it runs, else here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calsync.cli.choke import say
from calsync.cli.options import connected, opened
from calsync.cli.output import print_line
from calsync.errors import AnotherProcess

if TYPE_CHECKING:
    from calsync.bootstrap import System
    from calsync.model import Pair

#: Seconds that a running calsync serve is waited for: it hears of requests every ten.
PATIENCE_S = 25.0
_ROUNDS = 4


def carry_out(settings: Path, pair: Pair, number: int) -> dict[str, Any]:
    """Have request ``number`` carried out. ``by``: who does it; ``state``: open, done or failed;
    ``result`` says what became of it; ``error`` why a cycle of this process was cut short."""
    with opened(settings) as home:
        from calsync.store.lease import holder

        running = holder(home.db, home.clock)
        if running is not None:
            until = time.monotonic() + PATIENCE_S
            while _state(home, number)[0] == "open" and time.monotonic() < until:
                time.sleep(0.25)
            state, result = _state(home, number)
            by = f"calsync serve, process {running.pid} on {running.host}"
            return {"by": by, "state": state, "result": result, "error": ""}
    return _here(settings, pair, number)


def _here(settings: Path, pair: Pair, number: int) -> dict[str, Any]:
    error = ""
    with connected(settings) as system:
        from calsync.bootstrap import count_calls
        from calsync.store.lease import ProcessLease

        lease = ProcessLease(system.home.db, system.home.clock)
        try:
            lease.acquire()
        except AnotherProcess as other:
            return {"by": "", "state": "open", "result": "", "error": str(other)}
        try:
            error = _cycles(system, pair, lease)
        finally:
            system.context.save_idle()
            count_calls(system)
            lease.release()
        state, result = _state(system.home, number)
    return {"by": "this process", "state": state, "result": result, "error": error}


def _cycles(system: System, pair: Pair, lease: Any) -> str:
    """Until the room is at rest; why the last one was cut short."""
    from calsync.engine.calls import run_inline
    from calsync.engine.cycle import cycle

    for _ in range(_ROUNDS):
        lease.renew()
        report = run_inline(cycle(system.context, pair))
        if report.error or not (report.effects or report.unsettled or report.observed):
            return report.error
    return ""


def _state(home: Any, number: int) -> tuple[str, str]:
    found = home.requests.find(number)
    return (found.state, found.result) if found is not None else ("failed", "it is not known")


def tell(outcome: dict[str, Any]) -> bool:
    """Say what became of it; True where it is not done."""
    match outcome["state"]:
        case "done":
            print_line(f"Done by {outcome['by']}: {outcome['result']}.")
            return False
        case "failed":
            say(f"Not done: {outcome['result']}.")
            return True
        case _:
            why = f" ({outcome['error']})" if outcome["error"] else ""
            say(f"Not done yet{why}: it is carried out with the next sync of the room.")
            return bool(outcome["error"])

"""Wrappers, one concern each: paced, retried, logged (round a ``Caller``), dry-run (round a side).

Order, from outside: ``Retried(Paced(Logged(transport)))``: each try waits for the budget, and
every request that leaves is counted.
"""

from calsync.adapters.wrap.dry_run import DryRun, DryRunBooking
from calsync.adapters.wrap.logged import CallCounts, Logged
from calsync.adapters.wrap.paced import Paced
from calsync.adapters.wrap.port import Answer, Call, Caller, NotSent
from calsync.adapters.wrap.retried import Retried

__all__ = [
    "Answer",
    "Call",
    "CallCounts",
    "Caller",
    "DryRun",
    "DryRunBooking",
    "Logged",
    "NotSent",
    "Paced",
    "Retried",
]

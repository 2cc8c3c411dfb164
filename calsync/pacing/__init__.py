"""PURE: budgets, back-off, batches, poll intervals. Time and randomness are arguments."""

from calsync.pacing.backoff import backoff, chunks, next_interval
from calsync.pacing.budget import MAILBOX, WHOLE, Budget, Limit

__all__ = [
    "MAILBOX",
    "WHOLE",
    "Budget",
    "Limit",
    "backoff",
    "chunks",
    "next_interval",
]

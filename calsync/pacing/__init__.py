"""PURE: budgets, back-off, batches, poll intervals. Time and randomness are arguments."""

from calsync.pacing.backoff import backoff, chunks, next_interval
from calsync.pacing.budget import EWS_WHOLE, MAILBOX, WHOLE, Budget, Limit

__all__ = [
    "EWS_WHOLE",
    "MAILBOX",
    "WHOLE",
    "Budget",
    "Limit",
    "backoff",
    "chunks",
    "next_interval",
]

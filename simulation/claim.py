"""A claim that must hold, or the history has failed."""

from __future__ import annotations


class Violation(BaseException):
    """An invariant did not hold. Nothing of calsync may catch it."""


def demand(holds: bool, invariant: str, what: object) -> None:
    if not holds:
        raise Violation(f"invariant {invariant}: {what}")

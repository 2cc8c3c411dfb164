"""When a message that was not taken is sent again: over days, ever less often.

The steps are those of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

from __future__ import annotations

from typing import Final

_MINUTE, _HOUR = 60.0, 3600.0

#: Seconds before each try; the first is at once.
STEPS: Final = (
    0.0,
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
#: A receiver may ask for a longer wait, up to this.
LONGEST: Final = 24 * _HOUR


def next_try(tries: int, *, jitter: float, asked: float = 0.0) -> float | None:
    """Seconds until the next try after ``tries`` in vain; None where that was the last one.

    ``jitter`` in [0, 1] is the caller's randomness: it makes the wait up to a fifth longer, so that
    what failed together does not come back together. ``asked``: the receiver's Retry-After.
    """
    if tries < 1 or not 0.0 <= jitter <= 1.0:
        raise ValueError("tries counts from 1; jitter lies in [0, 1]")
    if tries >= len(STEPS):
        return None
    return max(STEPS[tries] * (1 + jitter / 5), min(asked, LONGEST))

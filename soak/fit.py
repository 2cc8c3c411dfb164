"""Whether a figure grows: least squares over the means of blocks, with its confidence.

Samples a few seconds apart are not independent (memory moves in steps), so the plain formula
would promise far too much. Means of a dozen blocks nearly are; what dependence is left widens the
margin, as if there were fewer of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

BLOCKS = 12
#: Two-sided 95 % quantiles of Student's t by degrees of freedom; 1.96 beyond.
_T95 = (
    12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trend:
    """Units an hour, and the half width of its 95 % confidence. ``points``: blocks used."""

    per_hour: float
    margin: float
    points: int

    @property
    def low(self) -> float:
        return self.per_hour - self.margin

    @property
    def high(self) -> float:
        return self.per_hour + self.margin


def trend(times: Sequence[float], values: Sequence[float], *, blocks: int = BLOCKS) -> Trend | None:
    """The trend of ``values`` at ``times`` (seconds, ascending); None with too few samples."""
    if len(times) < 2 * 3 or times[-1] <= times[0]:
        return None
    points = _means(times, values, min(blocks, len(times) // 2))
    n = len(points)
    if n < 3:
        return None
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    rests = [y - mean_y - slope * (x - mean_x) for x, y in points]
    error = sqrt(sum(rest**2 for rest in rests) / (n - 2) / spread)
    quantile = _T95[n - 3] if n - 3 < len(_T95) else 1.96
    return Trend(slope * 3600, quantile * error * _dependence(rests) * 3600, n)


def _dependence(rests: Sequence[float]) -> float:
    """By how much neighbours that resemble each other widen the margin: the usual correction for
    a first-order process, √((1 + r) / (1 − r)) with their correlation r."""
    whole = sum(rest**2 for rest in rests)
    if whole <= 1e-18:
        return 1.0
    # A line was taken out of few points, which hides some of the correlation.
    r = sum(a * b for a, b in pairwise(rests)) / whole + 2 / len(rests)
    r = min(0.9, max(0.0, r))
    return sqrt((1 + r) / (1 - r))


def _means(
    times: Sequence[float], values: Sequence[float], blocks: int
) -> list[tuple[float, float]]:
    """Mean time and value of each of so many equal spans; empty spans are left out."""
    first, length = times[0], (times[-1] - times[0]) / blocks
    held: list[list[tuple[float, float]]] = [[] for _ in range(blocks)]
    for at, value in zip(times, values, strict=True):
        held[min(blocks - 1, int((at - first) / length))].append((at, value))
    return [
        (sum(at for at, _ in block) / len(block), sum(v for _, v in block) / len(block))
        for block in held
        if block
    ]

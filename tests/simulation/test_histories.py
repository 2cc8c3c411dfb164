"""A few hundred histories of every kind, and every point at which one process can die.

``python -m tests.simulation`` runs as many more as one likes.
"""

from __future__ import annotations

import pytest

from tests.simulation.modes import MODES
from tests.simulation.run import simulate

#: Histories of each mode; their seeds are those that ``python -m tests.simulation 0 N`` runs.
EACH = 30
#: Seeds beyond those whose histories reach rare corners. Each failed once: an item of ours that
#: was first seen unreadable, time that a write in doubt has to leave, a move that only a stale
#: write showed, a refused move whose former time somebody took, an overlap that only a late reading
#: showed, a life restored while a later one was deleted.
SHARP = {
    "noise": [49, 166, 61478, 63677, 82120, 92330, 111907],
    "network": [56, 142, 70058, 102866, 112986],
    "midway": [119, 12175, 40085, 60084, 60189, 60408, 63842, 100941],
    "policies": [60323, 110932, 112137],
    "late": [57, 348, 420, 60071, 60296, 60328, 60400, 60656, 91282, 120343],
    "all": [20134, 40148, 60045, 63115, 64743, 64865, 64962],
}


@pytest.mark.parametrize("mode", MODES)
def test_every_invariant_holds_in_histories_of_a_mode(mode: str) -> None:
    for seed in [*range(EACH), *SHARP.get(mode, [])]:
        result = simulate(seed, mode)
        assert result.error is None, f"--story {seed} --mode {mode}: {result.error}\n{result.story}"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_process_may_die_at_any_point(seed: int) -> None:
    """9 durable progress: before and after each call, each effect and each commit."""
    points = simulate(seed, "quiet", rounds=1).points
    assert points > 20
    for point in range(points):
        result = simulate(seed, "quiet", rounds=1, die_at=point)
        assert result.error is None, f"point {point}: {result.error}\n{result.story}"


def test_a_seed_tells_the_same_story_every_time() -> None:
    assert str(simulate(5, "all").story) == str(simulate(5, "all").story)

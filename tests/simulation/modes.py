"""What may go wrong in a history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """The misfortunes of a history.

    ``network``: calls fail, replies get lost, cursors void, effects put off. ``reading``: a side
    shows old states and unreadable items, and refuses writes as stale. ``crash``: the process
    dies. ``midway``: people act while a cycle is between two calls. ``zombie``: a process stalls
    in a call and wakes up after another took the room. ``late``: a write takes effect when nobody
    waits for it any more, and a stalled process wakes up amid the cycle of another. ``policies``:
    rooms with other policies than the default ones.
    """

    network: bool = False
    reading: bool = False
    crash: bool = False
    midway: bool = False
    zombie: bool = False
    late: bool = False
    policies: bool = False

    @property
    def sees(self) -> bool:
        """True where calsync can know what stood on a side when it last read it."""
        return not self.reading and not self.zombie


MODES = {
    "quiet": Mode(),
    "crash": Mode(crash=True),
    "network": Mode(network=True),
    "noise": Mode(network=True, reading=True),
    "midway": Mode(midway=True),
    "policies": Mode(policies=True, crash=True),
    "zombie": Mode(zombie=True, network=True),
    "late": Mode(zombie=True, late=True, network=True, midway=True),
    "all": Mode(network=True, reading=True, crash=True, midway=True, zombie=True),
}

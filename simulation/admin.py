"""An admin whose rooms ask instead of deciding, and who answers as ``calsync conflicts resolve``
does: keep this, keep that. Rare: a history in sixteen has rooms that ask.

The answer is stored, as the verb stores it, and carried out by the process that works the room.
What was answered may go on by itself meanwhile: then it is found that nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from calsync.model import ClashPolicy, EditPolicy, Pair
from calsync.reconcile.answers import hindrance
from calsync.setup.questions import Question, State, Version, questions
from simulation.company import Company
from simulation.story import Story
from simulation.views import name_in

#: Of so many histories one has rooms that ask.
ONE_IN = 16


@dataclass(slots=True)
class Admin:
    """``asks``: the rooms of this history ask. ``ruled``: links about which an answer was given.
    ``kept``: names of bookings, each with the version of its title that an answer was for."""

    seed: int
    company: Company
    story: Story
    asks: bool = False
    ruled: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    kept: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        rng = Random(f"{self.seed}/admin")
        self.asks = rng.randrange(ONE_IN) == 0

    def settle_in(self) -> None:
        """The rooms ask from now on."""
        if not self.asks:
            return
        rng = Random(f"{self.seed}/admin/rooms")
        for pair in self.company.home.store.pairs():
            edit = rng.choice((EditPolicy.ASK, EditPolicy.ASK, pair.edit_policy))
            clash = rng.choice((ClashPolicy.ASK, ClashPolicy.ASK, pair.clash_policy))
            asking = replace(pair, edit_policy=edit, clash_policy=clash)
            self.company.home.mappings.save_pair(asking)

    def answer(self, rng: Random, *, most: int = 1) -> int:
        """Answer up to ``most`` open questions; how many were."""
        if not self.asks:
            return 0
        given = 0
        with self.company.process.shelter():
            home = self.company.home
            waiting = home.requests.waiting()
            free: list[Pair] = [p for p in home.store.pairs() if p.id not in waiting]
            open_now = [q for q in questions(home, free) if q.state is State.OPEN]
            rng.shuffle(open_now)
            for question in open_now[:most]:
                stays, goes = rng.sample((question.this, question.that), 2)
                detail = self._detail(question, stays, goes)
                if detail is None:
                    continue
                what = "refuse" if question.clash else "keep"
                home.requests.ask(question.pair.id, what, detail)
                self.ruled |= {v.link.id for v in (stays, goes) if v.link is not None}
                if not question.clash and stays.occupancy is not None:
                    named = name_in(stays.occupancy.title)
                    self.kept |= {named} if named is not None else set()
                self.story.tell("admin", f"{what}: keeps {stays.side.value}; {question.reason}")
                given += 1
        return given

    def _detail(self, question: Question, stays: Version, goes: Version) -> dict[str, Any] | None:
        """None where this cannot be answered so."""
        if stays.link is None or goes.link is None:
            return None
        detail: dict[str, Any] = {
            "conflicts": question.records,
            "winner_side": stays.side.value,
        }
        if question.clash:
            return detail | {"winner": stays.link.id, "loser": goes.link.id}
        if hindrance(stays.link, stays.side):
            return None
        return detail | {"link": stays.link.id, "side": stays.side.value}

    def overruled(self, names: Callable[[set[str]], dict[str, str]]) -> set[str]:
        """Names of bookings about which an answer was given: what people did to them since the
        question may have been undone by it, as the admin wanted. ``names`` tells them by link."""
        if self.ruled:
            self.named |= set(names(self.ruled).values())
        return self.named

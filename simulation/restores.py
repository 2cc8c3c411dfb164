"""Backups, and what admins do with them: a room's mailbox, the platform's bookings or calsync's own
database is set back to what it was some time ago, see docs/how-to/after-a-restore.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from calsync.model import Side
from simulation.company import Company, Place
from simulation.judge import Judge
from simulation.story import Story
from simulation.views import Image

#: Tables of the built-in booking platform.
PLATFORM = ("hub_room", "hub_booking", "hub_change", "hub_counter", "hub_answer")
#: The name under which the tenant keeps the backup of a mailbox.
NAME = "nightly"
#: What becomes of ids, and of the links of delta that were handed out.
SAME_IDS_GO_ON = {"ids": "same", "tokens": "kept"}
SAME_IDS, NEW_IDS = {"ids": "same", "tokens": "void"}, {"ids": "new", "tokens": "void"}
#: Seconds that a backup of our database is old at least when it comes back: so old that what waits
#: in it was told to people since (``calsync.store.store.LONGEST_QUEUE``).
OLD_S = 3700.0


@dataclass(slots=True)
class Restores:
    """``kept``: the state of our database at the last backup, and when that was; ``platforms``:
    that of another platform's."""

    company: Company
    judge: Judge
    story: Story
    kept: tuple[float, bytes] | None = None
    platforms: bytes = b""
    mailboxes: set[str] = field(default_factory=set)

    def keep(self) -> None:
        """The backup of the night: everything, as it is in mid-work."""
        company = self.company
        # Otherwise nothing tells what was made before from what was made after it.
        company.time.forward(1.0)
        for place in company.places:
            company.control.backups.take(company.box(place), NAME)
            self.mailboxes.add(place.id)
        self.kept = company.time.elapsed, company.database.save(company.folder, company.name)
        self.judge.backed_up()
        if company.platform is not None:
            self.platforms = company.database.save(company.folder, company.platform_name)

    # -- bringing it back -------------------------------------------------------------------

    def mailbox(self, rng: Random, place: Place) -> bool:
        """Exchange's admin brings a mailbox back while calsync works."""
        if place.id not in self.mailboxes or place.id in self.judge.restored:
            return False
        # Content that is imported comes as new items, of which a feed that goes on would tell; the
        # sandbox's does not.
        how = rng.choice((SAME_IDS_GO_ON, SAME_IDS, NEW_IDS))
        box = self.company.box(place)
        self._setting_back(
            Side.CALENDAR,
            [place],
            f"{how['ids']} ids, tokens {how['tokens']}",
            lambda: self.company.control.backups.restore(box, NAME, **how),
        )
        return True

    def platform(self, rng: Random) -> bool:
        """The platform's own tables alone; what calsync knows stays of today."""
        if self._cannot():
            return False
        places = self.company.places
        self._setting_back(Side.BOOKING, places, "its tables", lambda: self._set_back(rng))
        return True

    def database(self, rng: Random) -> bool:
        """Our database, and with it the bookings of the platform that is built in."""
        if self._cannot() or self._elsewhere():
            return False
        places = self.company.places
        self._setting_back(Side.BOOKING, places, "our database", lambda: self._put_back(rng))
        self.judge.forgotten()
        self.company.process.worker.compare()
        return True

    def _cannot(self) -> bool:
        """Nobody puts back a file on which a process still works that hangs."""
        return self.kept is None or bool(self.company.stalled or self.judge.restored)

    def _elsewhere(self) -> bool:
        """The bookings are another platform's: our backup does not hold them."""
        return self.company.platform is not None

    def _set_back(self, rng: Random) -> None:
        assert self.kept is not None
        company = self.company
        if company.platform is not None:
            # calsync goes on meanwhile, and asks a platform that is another one now.
            name, state = company.platform_name, self.platforms
            company.database.set_back(company.folder, name, state, PLATFORM)
            company.changed()
            return
        self._end(rng)
        company.database.set_back(company.folder, company.name, self.kept[1], PLATFORM)
        company.start()

    def _put_back(self, rng: Random) -> None:
        assert self.kept is not None
        self._end(rng)
        company, (at, state) = self.company, self.kept
        company.time.forward(OLD_S - (company.time.elapsed - at))
        company.control.world.settle()
        company.database.restore(company.folder, company.name, state)
        company.start()

    def _end(self, rng: Random) -> None:
        """``calsync serve`` is stopped, or was not running any more."""
        if rng.random() < 0.5:
            self.company.process.stop()
        else:
            self.company.process.vanish()

    def _setting_back(
        self, side: Side, places: list[Place], what: str, set_back: Callable[[], object]
    ) -> None:
        self.judge.after_step()
        where = ", ".join(place.id for place in places)
        self.story.tell("admin", f"restores the {side.value} side of {where} ({what})")
        before: dict[str, list[Image]] = {p.id: self.judge.shown[side, p.id] for p in places}
        born: dict[str, dict[str, int]] = {}
        if side is Side.CALENDAR:
            items = {place.id: self.company.box(place).items for place in places}
            born = {i: {one.name: items[i][one.key].created for one in before[i]} for i in before}
        set_back()
        for place in places:
            self.judge.set_back(side, place, before[place.id], born.get(place.id))

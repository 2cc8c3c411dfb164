"""``CalendarSide`` over EWS: room mailboxes of Exchange Server 2013 to Subscription Edition."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock

from calsync.adapters.ews import joint
from calsync.adapters.ews.box import Box
from calsync.adapters.ews.late import late_keys
from calsync.adapters.ews.reading import read_changed, read_keys
from calsync.adapters.ews.requests import BATCH, MAX_CHANGES
from calsync.adapters.ews.rooms import directory
from calsync.adapters.ews.sync import read_round
from calsync.adapters.ews.transport import Server
from calsync.adapters.ews.writes import carry_out, create_all
from calsync.adapters.shared.seal import Seal
from calsync.adapters.shared.theirs import (
    find_each,
    is_held,
    may_be_shared,
    organized,
    outcome_of,
    read_each,
)
from calsync.adapters.wrap.port import Caller
from calsync.errors import UsageError
from calsync.mapping.expand import extent
from calsync.model import (
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    Later,
    Observation,
    Outcome,
    Pair,
    Pull,
    ResourceCalendar,
    Seen,
    Side,
    Window,
    their_id,
)
from calsync.pacing import chunks
from calsync.ports import Capabilities, Clock

log = logging.getLogger(__name__)
#: Rounds in which the echo of our own create is waited for.
_ROUNDS = 20


class EwsSide:
    """One connection (one server, one account). Safe for calls on different pairs at once.

    ``caller`` is the server's transport in its wrappers. ``connection`` is the name pairs refer to:
    a pair of another connection is refused. ``tag_key``: the secret of this installation, under
    which tags are sealed. ``subject_fallback``: the subject of events where titles are not carried.
    """

    def __init__(
        self,
        *,
        connection: str,
        server: Server,
        caller: Caller,
        clock: Clock,
        tag_key: bytes,
        subject_fallback: str = "Booked",
        page: int = MAX_CHANGES,
    ) -> None:
        self._connection = connection
        self._server = server
        self._caller = caller
        self._clock = clock
        self._seal = Seal(tag_key)
        self._subject_fallback = subject_fallback
        self._page = page
        self._making = Lock()
        self._unheard: dict[str, dict[str, int]] = {}
        self._heard: dict[str, frozenset[str]] = {}
        self._late: dict[str, set[str]] = {}

    @property
    def side(self) -> Side:
        return Side.CALENDAR

    @property
    def capabilities(self) -> Capabilities:
        # Updates are conditional (NeverOverwrite); deletions and declines compare beforehand.
        return Capabilities(conditional_writes=False, find_by_tag=True, local=False, remakes=True)

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return [listed.calendar for listed in directory(self._caller)]

    def box(self, pair: Pair) -> Box:
        """The single requests on the pair's mailbox, for what is no part of sync."""
        return self._box(pair)

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        box = self._box(pair)
        found = read_round(box, cursor, window, page=self._page)
        if found.strange:
            log.warning("pair %s: %d items without an id were passed over", pair.id, found.strange)
        seen: list[Observation] = []
        missing: list[str] = []
        if found.changed:
            seen, missing = read_changed(box, list(found.changed))
        if found.full:
            # A full round tells of all times; a series of the past says so only once it is read.
            seen = [one for one in seen if _may_meet(one, window, pair.zone)]
        told = {*found.changed, *found.removed}
        self._heard[pair.id] = frozenset(found.changed)
        return Pull(
            observations=tuple(self._with_late(box, seen)),
            hints=tuple(found.removed),
            # Not hints: nobody said that they are gone, and what was made only now may be unknown
            # to the copy of the mailbox that is asked.
            missing=(*missing, *self._silent(pair, told)),
            cursor=found.cursor,
            complete=found.full,
        )

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        return self._marked_late(pair, read_keys(self._box(pair), keys) if keys else [])

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        """Our tag goes along with a copy made in Outlook: of several the one with our uid is ours,
        else (a server might not keep it) the oldest. What somebody else organizes never is. What
        people deleted since lies in Deleted Items, where it is their own and not a delegate's: it
        was made, and is gone."""
        made = _found(self._box(pair), tags)
        for seen in made.values():
            if isinstance(seen, Seen):
                self._unheard.setdefault(pair.id, {})[seen.key] = 0
        return made

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        box = self._box(pair)
        keys = box.of_meetings(uids)
        found = self._with_late(box, read_keys(box, keys) if keys else [])
        heard = self._heard.get(pair.id, frozenset())
        for one in found:
            # What Exchange made anew (Delete + Create) the round has told of, mostly.
            if isinstance(one, Seen) and one.key not in heard:
                self._unheard.setdefault(pair.id, {})[one.key] = 0
        return found

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        def look(mailbox: str, uid: str) -> list[Observation]:
            box = self._box(pair, mailbox)
            keys = box.of_meetings([uid])
            return read_keys(box, keys) if keys else []

        return organized(uids, look)

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        box = self._box(pair)
        keys = box.of_meetings(uids)
        return read_keys(box, keys) if keys else []

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return read_each(keys, lambda mailbox, ids: read_keys(self._box(pair, mailbox), ids))

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        def look(mailbox: str, tag: str) -> Observation | None:
            box = self._box(pair, mailbox)
            seen = _found(box, [tag]).get(tag)
            if seen is None and may_be_shared(uids.get(tag, "")):
                seen = joint.found(box, uids[tag])
            return seen

        return find_each(tags, look)

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        box = self._box(pair)
        outcomes: list[Outcome] = []
        for run in _runs(effects):
            if is_held(run[0], zip(effects, outcomes, strict=False)):
                outcomes += [Later(0.0, "not begun: one before it is open") for _ in run]
            elif run[0].organizer:
                outcomes.append(self._in_their_calendar(pair, run[0]))
            elif run[0].kind is EffectKind.CREATE_EVENT:
                outcomes += create_all(box, run)
            else:
                outcomes.append(carry_out(box, run[0]))
        for effect, outcome in zip(effects, outcomes, strict=True):
            now = outcome.now if isinstance(outcome, Done) else None
            if isinstance(now, Seen) and now.key != effect.key and not effect.organizer:
                self._unheard.setdefault(pair.id, {})[now.key] = 0
        return outcomes

    def _with_late(self, box: Box, seen: Sequence[Observation]) -> list[Observation]:
        """Say of each item whether it came late, which is asked once."""
        pair = box.pair
        late = late_keys(box, seen, {*self._unheard.get(pair.id, ()), *self._late.get(pair.id, ())})
        if late:
            self._late.setdefault(pair.id, set()).update(late)
        return self._marked_late(pair, seen)

    def _marked_late(self, pair: Pair, seen: Sequence[Observation]) -> list[Observation]:
        late = self._late.get(pair.id)
        if not late:
            return list(seen)
        return [
            replace(one, late=True) if isinstance(one, Seen) and one.key in late else one
            for one in seen
        ]

    def _in_their_calendar(self, pair: Pair, effect: Effect) -> Outcome:
        """A write to a meeting in the calendar of a person."""
        key = None if effect.key is None else their_id(effect.key)
        box = self._box(pair, effect.organizer)
        together = effect.kind is EffectKind.CREATE_EVENT and may_be_shared(effect.uid)
        # Two rooms of one meeting are not to make it at the same time.
        with self._making if together else nullcontext():
            return outcome_of(carry_out(box, replace(effect, key=key)), box.at)

    def _silent(self, pair: Pair, told: set[str]) -> list[str]:
        """Items that we made or found, and that no round has told of since: a state that never held
        an item tells nothing of its deletion, either. They are looked at until the feed knows
        them."""
        waiting = self._unheard.pop(pair.id, {})
        left = {key: n + 1 for key, n in waiting.items() if key not in told and n < _ROUNDS}
        if left:
            self._unheard[pair.id] = left
        return list(left)

    def _box(self, pair: Pair, at: str = "") -> Box:
        if pair.connection != self._connection:
            raise UsageError(
                f"pair {pair.id} belongs to connection {pair.connection!r}, not to"
                f" {self._connection!r}",
                todo="This is a defect of calsync: report it. Nothing was sent",
            )
        return Box(
            caller=self._caller,
            server=self._server,
            pair=pair,
            now=self._clock.now(),
            subject_fallback=self._subject_fallback,
            seal=self._seal,
            at=at,
        )


def _may_meet(one: Observation, window: Window, room_zone: str) -> bool:
    """What can be read, and is over before the window or begins after it, is not in it."""
    if not isinstance(one, Seen):
        return True
    start, end = extent(one.occupancy, room_zone)
    over = end is not None and (end < window.start or (end == window.start and start < end))
    return start < window.end and not over


def _runs(effects: Sequence[Effect]) -> Iterable[Sequence[Effect]]:
    """The effects in order, with neighbouring creates together: they do not depend on each other,
    and 20 of them fit into one request. Two creates of one link are told apart by asking first."""
    run: list[Effect] = []
    for effect in effects:
        create = effect.kind is EffectKind.CREATE_EVENT and not effect.organizer
        if create and effect.tag not in {one.tag for one in run}:
            run.append(effect)
            continue
        yield from chunks(run, BATCH)
        run = []
        if create:
            run.append(effect)
        else:
            yield [effect]
    yield from chunks(run, BATCH)


def _found(box: Box, tags: Sequence[str]) -> dict[str, Observation]:
    """What bears these tags; of what was deleted since, that it is gone."""
    listed = box.tagged(list(dict.fromkeys(tags))) if tags else {}
    keys = [key for found in listed.values() for key in found]
    seen = {one.key: one for one in (read_keys(box, keys) if keys else ())}
    made: dict[str, Observation] = {}
    for tag, found in listed.items():
        ours = [one for key in found if isinstance(one := seen[key], Seen) and one.owned]
        if ours:
            best = min(ours, key=lambda one: (one.tag is None, one.created, one.key))
            made[tag] = replace(best, tag=tag)
    return made | _thrown_away(box, [tag for tag in tags if tag not in made])


def _thrown_away(box: Box, tags: Sequence[str]) -> dict[str, Observation]:
    """Of what a create in doubt made: that it was deleted. Only the uid that we gave it is evidence
    enough: a copy that somebody pasted and deleted bears our property, too, and to take that for
    ours would cost the booking. One made anew in another's place is not meant."""
    listed = box.discarded(tags) if tags else {}
    keys = [key for found in listed.values() for key in found]
    seen = {one.key: one for one in (read_keys(box, keys) if keys else ())}
    return {
        tag: Gone(key=key, absence=Absence.DELETED)
        for tag, found in listed.items()
        for key in found
        if isinstance(one := seen.get(key), Seen) and one.tag == tag and not one.replaces
    }

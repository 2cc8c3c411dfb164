"""``CalendarSide`` over Microsoft Graph: Exchange Online room mailboxes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from threading import Lock

from calsync.adapters.graph import joint
from calsync.adapters.graph.batch import SIZE, Part, run_batch
from calsync.adapters.graph.box import Box
from calsync.adapters.graph.clouds import Cloud
from calsync.adapters.graph.delta import PAGE_SIZE, read_round
from calsync.adapters.graph.events import find_tag, keys_of, read_keys, read_raw, read_series
from calsync.adapters.graph.links import AllowedOrigin, user_path
from calsync.adapters.graph.places import resource_calendars
from calsync.adapters.graph.writes import carry_out, create_body, created
from calsync.adapters.shared.outcomes import guarded
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
from calsync.model import (
    Effect,
    EffectKind,
    InDoubt,
    Later,
    Observation,
    Outcome,
    Pair,
    Pull,
    ResourceCalendar,
    Side,
    Window,
    their_id,
)
from calsync.pacing import chunks
from calsync.ports import Capabilities, Clock

log = logging.getLogger(__name__)


class GraphSide:
    """One connection (one tenant, one app). Safe for calls on different pairs at once.

    ``caller`` is the tenant's transport in its wrappers. ``connection`` is the name pairs refer
    to: a pair of another connection is refused, so that no tenant's token serves another.
    ``tag_key``: the secret of this installation, under which tags are sealed.
    ``subject_fallback``: the subject of events where titles are not carried.
    """

    def __init__(
        self,
        *,
        connection: str,
        cloud: Cloud,
        caller: Caller,
        clock: Clock,
        tag_key: bytes,
        subject_fallback: str = "Booked",
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._connection = connection
        self._cloud = cloud
        self._caller = caller
        self._clock = clock
        self._seal = Seal(tag_key)
        self._subject_fallback = subject_fallback
        self._page_size = page_size
        self._making = Lock()
        self._origin = AllowedOrigin(cloud.graph)

    @property
    def side(self) -> Side:
        return Side.CALENDAR

    @property
    def capabilities(self) -> Capabilities:
        # If-Match is sent, but that PATCH honours it is not documented: every write compares.
        return Capabilities(conditional_writes=False, find_by_tag=True, local=False, remakes=True)

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return resource_calendars(self._caller)

    def box(self, pair: Pair) -> Box:
        """The single requests on the pair's mailbox, for what is no part of sync."""
        return self._box(pair)

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        box = self._box(pair)
        found = read_round(
            self._caller,
            box.mailbox,
            cursor,
            window,
            page_size=self._page_size,
            origin=self._origin,
        )
        if found.strange:
            log.warning("pair %s: %d items without an id were passed over", pair.id, found.strange)
        singles = [read_raw(box, raw) for raw in found.singles.values()]
        series: list[Observation] = []
        missing: list[str] = []
        if found.series:
            series, missing = read_series(box, found.series)
        return Pull(
            observations=(*singles, *series),
            hints=tuple(found.removed),
            missing=tuple(missing),
            cursor=found.cursor,
            complete=found.full,
        )

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        return read_keys(self._box(pair), keys) if keys else []

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        box = self._box(pair)
        found = {tag: find_tag(box, tag) for tag in tags}
        return {tag: seen for tag, seen in found.items() if seen is not None}

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        box = self._box(pair)
        keys = keys_of(box, uids)
        return read_keys(box, keys) if keys else []

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        def look(mailbox: str, uid: str) -> list[Observation]:
            box = self._box(pair, mailbox)
            keys = keys_of(box, [uid])
            return read_keys(box, keys) if keys else []

        return organized(uids, look)

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return self.elsewhere(pair, uids)

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return read_each(keys, lambda mailbox, ids: read_keys(self._box(pair, mailbox), ids))

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        def look(mailbox: str, tag: str) -> Observation | None:
            box = self._box(pair, mailbox)
            seen = find_tag(box, tag)
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
            elif len(run) == 1 and run[0].organizer:
                outcomes.append(self._in_their_calendar(pair, run[0]))
            elif len(run) == 1:
                outcomes.append(carry_out(box, run[0]))
            else:
                outcomes += _create_many(box, run)
        return outcomes

    def _in_their_calendar(self, pair: Pair, effect: Effect) -> Outcome:
        """A write to a meeting in the calendar of a person."""
        box = self._box(pair, effect.organizer)
        key = None if effect.key is None else their_id(effect.key)
        together = effect.kind is EffectKind.CREATE_EVENT and may_be_shared(effect.uid)
        # Two rooms of one meeting are not to make it at the same time.
        with self._making if together else nullcontext():
            return outcome_of(carry_out(box, replace(effect, key=key)), box.at)

    def _box(self, pair: Pair, at: str = "") -> Box:
        if pair.connection != self._connection:
            raise UsageError(
                f"pair {pair.id} belongs to connection {pair.connection!r}, not to"
                f" {self._connection!r}",
                todo="This is a defect of calsync: report it. Nothing was sent",
            )
        return Box(
            caller=self._caller,
            cloud=self._cloud,
            pair=pair,
            now=self._clock.now(),
            subject_fallback=self._subject_fallback,
            seal=self._seal,
            at=at,
        )


def _runs(effects: Sequence[Effect]) -> Iterable[Sequence[Effect]]:
    """The effects in order, with neighbouring creates of single events together: they do not
    depend on each other, and 20 of them fit into one batch."""
    run: list[Effect] = []
    for effect in effects:
        if _is_single_create(effect):
            run.append(effect)
            continue
        yield from chunks(run, SIZE)
        run = []
        yield [effect]
    yield from chunks(run, SIZE)


def _is_single_create(effect: Effect) -> bool:
    return (
        effect.kind is EffectKind.CREATE_EVENT
        and not effect.organizer
        and effect.target is not None
        and effect.target.recurrence is None
    )


def _create_many(box: Box, effects: Sequence[Effect]) -> list[Outcome]:
    """Creates in one batch, each with its own outcome: all of it was begun at once."""
    path = f"{user_path(box.mailbox)}/events"
    outcomes: dict[int, Outcome] = {}

    def send() -> Outcome:
        answers = run_batch(
            box.caller,
            [Part(method="POST", path=path, body=create_body(box, effect)) for effect in effects],
            operation="create events",
            mailbox=box.mailbox,
            now=box.now,
            repeatable=False,
        )
        for index, (effect, answer) in enumerate(zip(effects, answers, strict=True)):
            if answer is None:
                outcomes[index] = InDoubt("the batch had no answer for it")
            else:
                outcomes[index] = guarded(partial(created, box, effect, answer))
        return Later(0.0)

    whole = guarded(send)
    return [outcomes.get(index, whole) for index in range(len(effects))]

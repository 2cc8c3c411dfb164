"""A whole room: observations and links in, a plan out. Pure; ``now`` is an argument.

1. every observation is offered to its link under the three rules (``intake``, ``observe``);
2. items never seen before find or get a link (``intake``, ``join``);
3. each link that changed is decided by the table (``decide``); what people booked in the calendar
   is held against the room's rules (``obey``);
4. decisions that fill time are judged against the other bookings of the room (``clash``);
5. what remains becomes effects, in order (``order``). The guard is asked by the caller, which
   knows how many items the room has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from calsync.conflicts.clash import Claim, Verdict, judge
from calsync.conflicts.rules import House, RuleVerdict
from calsync.mapping.expand import busy_intervals, extent
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NO_ORGANIZER,
    EditPolicy,
    Effect,
    EffectKind,
    Interval,
    Link,
    LinkState,
    Observation,
    Occupancy,
    OrganizerFallback,
    Pair,
    Plan,
    Presence,
    Ruling,
    Side,
    Skip,
    Window,
)
from calsync.reconcile.anew import decide_anew
from calsync.reconcile.claims import as_known, as_stored, booked_since, claims_of, has_come_back
from calsync.reconcile.decide import FILLING, Decision, Verb, decide, held
from calsync.reconcile.effects import (
    ROOM_SAID_NO,
    both_stay,
    conflict_of,
    effect_of,
    ends,
    given_back,
    in_flight,
    refused,
    turned_down,
)
from calsync.reconcile.guard import USUAL, Limits, counted, worn_out
from calsync.reconcile.intake import Intake
from calsync.reconcile.join import heir, never_read
from calsync.reconcile.obey import Judged, against_rules, judge_links, passing, warning
from calsync.reconcile.order import in_order
from calsync.reconcile.rebase import bury, rebase, with_half
from calsync.reconcile.redated import with_dates
from calsync.reconcile.route import routed
from calsync.reconcile.sent import sending
from calsync.reconcile.told import whole_booking
from calsync.reconcile.wait import claim_taken, onto, still_needed, too_early

#: Writes of one link that may go by without both sides agreeing, before it is parked.
MAX_ATTEMPTS = 8


def reconcile(
    links: Iterable[Link],
    seen_booking: Mapping[str, Observation],
    seen_calendar: Mapping[str, Observation],
    *,
    pair: Pair,
    window: Window,
    now: datetime,
    importing: bool = False,
    imported_at: datetime | None = None,
    read_at: datetime | None = None,
    limits: Limits = USUAL,
    rejoin: EditPolicy | None = None,
    house: House | None = None,
) -> Plan:
    """The plan for one room.

    ``links``: every link that an observation may belong to (by key, tag or uid), those left
    unsettled before, and the neighbours whose time an observed item may meet. A key that is
    not among the observations stands as its link last saw it. ``importing``: the room's
    first import, when equal items on both sides are joined, and nobody is refused or told anything.
    ``imported_at``: when it was; what was claimed before is not refused later either.
    ``read_at``: when the reading before this one began: what it showed elsewhere was moved since.
    ``limits``: how often one booking is written. ``rejoin``: the admin's word on who is right
    while both sides are joined anew. ``house``: the room's rules, where what Outlook's bookings get
    for breaking them is anything at all; not while a room is imported.
    """
    intake = Intake(pair=pair, now=now, importing=importing)
    intake.observe(links, seen_booking, seen_calendar)
    intake.join(seen_booking, seen_calendar)
    room = _Room(
        intake,
        pair=pair,
        window=window,
        now=now,
        importing=importing,
        imported_at=imported_at,
        read_at=read_at,
        limits=limits,
        rejoin=rejoin,
        house=None if importing else house,
    )
    room.decide()
    room.obey()
    room.judge()
    return room.plan()


#: Verbs that end in a write which cannot repeat itself: what is made, and what is told.
_ONCE = frozenset({Verb.NOTHING, Verb.CREATE_BOOKING, Verb.CREATE_EVENT})
#: Why nothing is declined in a first import: its organizer would get a mail.
_TELLS = "given up on the platform before the room was imported; to decline it mails its organizer"
#: Why an item is let be: nobody needs a room in the past.
OVER = "over before the window that is synced"


class _Room:
    """The working state of one call; nothing of it outlives the call."""

    def __init__(
        self,
        intake: Intake,
        *,
        pair: Pair,
        window: Window,
        now: datetime,
        importing: bool,
        imported_at: datetime | None,
        read_at: datetime | None,
        limits: Limits,
        rejoin: EditPolicy | None,
        house: House | None,
    ) -> None:
        self.pair, self.window, self.now, self.importing = pair, window, now, importing
        self.imported_at, self.read_at = imported_at, read_at
        self.limits, self.rejoin = limits, rejoin
        self.house = house
        self.judged: dict[str, Judged] = {}
        self.leaving: dict[str, Occupancy | None] = {}
        self.all, self.changed, self.tagged = intake.all, intake.changed, intake.tagged
        self.decisions: dict[str, Decision] = {}
        self.claims: list[Claim] = []
        self.unread_uids: dict[Side, set[str]] = {}
        self.parked: set[str] = set()
        self.out = Plan(skips=intake.skips, rulings=intake.rulings)

    # -- 3 ----------------------------------------------------------------------------------

    def decide(self) -> None:
        for link in self.changed.values():
            if link.state is LinkState.BURIED:
                continue
            if link.state is LinkState.PARKED:
                self.out.skips.append(Skip(link.id, f"parked: {link.reason}"))
            elif link.in_flight:
                self.out.skips.append(Skip(link.id, "a write of it is still in doubt"))
            else:
                self.decisions[link.id] = self._decision(link)
        for link_id, decision in list(self.decisions.items()):
            if decision.verb in (Verb.REVIVE_BOOKING, Verb.REVIVE_EVENT):
                self._meet(self.changed[link_id])
            elif decision.verb is Verb.WRITE_BOOKING and self.tagged:
                self._take_dates(self.changed[link_id], decision)

    def _take_dates(self, link: Link, decision: Decision) -> None:
        self.decisions[link.id], apart = with_dates(link, decision, self._new_under)
        for one in apart:
            self.changed[one.id] = one
            del self.decisions[one.id]
            self.out.rulings.append(Ruling(link.id, "join", "a date of it, recognised by our tag"))

    def _new_under(self, tag: str) -> Link | None:
        one = self.changed.get(self.tagged.get((Side.CALENDAR, tag), ""))
        made = self.decisions.get(one.id) if one is not None else None
        return one if made is not None and made.verb is Verb.CREATE_BOOKING else None

    def _meet(self, link: Link) -> None:
        """What is to be made again may have been made already, in a life that a restored database
        does not know: its item bears the name that the new link is about to have."""
        lives = _there(link)
        new = heir(link, lives)
        twin = self.changed.get(self.tagged.get((lives.other, new.id), ""))
        if twin is None or twin.id not in self.decisions:
            return
        item = twin.half(lives.other)
        joined = with_half(new, lives.other, item)
        self.changed[twin.id] = bury(with_half(twin, lives.other, replace(item, key=None)))
        self.changed[link.id] = bury(with_half(link, lives, replace(link.half(lives), key=None)))
        self.changed[joined.id] = joined
        del self.decisions[twin.id], self.decisions[link.id]
        self.decisions[joined.id] = self._decision(joined)
        self.out.rulings.append(Ruling(joined.id, "join", "recognised by our tag"))

    def _decision(self, link: Link) -> Decision:
        if self.rejoin is None or link.event.declined:
            decision = decide(link, self.pair.edit_policy)
        else:
            decision = held(link, decide_anew(link, self.rejoin))
        if decision.verb in (Verb.CREATE_BOOKING, Verb.CREATE_EVENT):
            assert decision.target is not None
            side = Side.BOOKING if decision.verb is Verb.CREATE_BOOKING else Side.CALENDAR
            if link.half(side.other).uid in self._unread_uids(side):
                return Decision(verb=Verb.SKIP, why="what may be its own item cannot be read")
            # What lies beyond the window's end is carried all the same: a booking next year is
            # one, too. Only its changes in the calendar show later (as a hint, or at night).
            end = extent(decision.target, self.pair.zone)[1]
            if end is not None and end <= self.window.start:
                return Decision(verb=Verb.SKIP, why=OVER)
        return decision

    def _unread_uids(self, side: Side) -> set[str]:
        """What is known of items on ``side`` that were gone, show again, and cannot be read yet."""
        if side not in self.unread_uids:
            newest = {link.id: link for link in self.all} | self.changed
            uids = {lk.half(side).uid for lk in newest.values() if never_read(lk) is side}
            self.unread_uids[side] = uids - {""}
        return self.unread_uids[side]

    def obey(self) -> None:
        if self.house is None:
            return
        self.judged = judge_links(
            self.house, self.changed, self.decisions, zone=self.pair.zone, now=self.now
        )
        for link_id, one in self.judged.items():
            if one.verdict is not None and one.declines:
                self._decline(self.changed[link_id], one.verdict)

    def _decline(self, link: Link, verdict: RuleVerdict) -> None:
        """Replace the decision about what the rules do not allow by its decline."""
        overruled = self.decisions.pop(link.id)
        if link.attempts >= MAX_ATTEMPTS:
            self.park(link, f"its decline did not take effect after {link.attempts} tries")
        elif worn := worn_out(link, self.limits, self.now):
            self.park(link, worn)
        else:
            self.leaving[link.id] = verdict.rest
            if overruled.conflict is not None and not verdict.dates:
                self.out.conflicts.append(overruled.conflict)
            self._file(*against_rules(link, verdict))

    def _let_pass(self) -> None:
        """What is carried over now passed the rules, some of it with a warning."""
        for link_id, one in self.judged.items():
            if link_id not in self.decisions:
                continue  # Declined; or it waits, or lost a clash: nothing is said before its turn.
            link = self.changed[link_id] = passing(self.changed[link_id], one.act.occupancy)
            if one.verdict is not None:
                notice, ruling = warning(link, one)
                self.out.rulings.append(ruling)
                self.out.notices += [notice] if notice is not None else []

    # -- 4 ----------------------------------------------------------------------------------

    def judge(self) -> None:
        back = {
            link.id
            for link in self.all
            if link.id in self.decisions and has_come_back(link, self.changed[link.id])
        }
        if back or any(d.verb in FILLING for d in self.decisions.values()):
            neighbours = (link for link in self.all if link.id not in self.changed)
            links = (*neighbours, *self.changed.values())
            claims = claims_of(
                links, self.decisions, self.now, came_back=back, leaving=self.leaving
            )
            stored = as_stored(self.all)
            self.claims = [as_known(one, stored(one), self.read_at) for one in claims]
        for verdict in judge(
            self.claims,
            policy=self.pair.clash_policy,
            window=self.window,
            zone=self.pair.zone,
        ):
            self._refuse(verdict)

    def _refuse(self, verdict: Verdict) -> None:
        """Replace the loser's decision by its refusal; hold what cannot go on yet."""
        if self._stood_before(verdict):
            self.out.conflicts.append(both_stay(verdict))
            return
        link = self.changed.setdefault(verdict.loser.link.id, verdict.loser.link)
        claims = (verdict.loser, *verdict.winners)
        if any(self.changed.get(c.link.id, c.link).event.waits for c in claims):
            # Exchange is about to say who has the time.
            self._hold(verdict)
            return
        if verdict.ask and any(self.changed.get(c.link.id, c.link).in_flight for c in claims):
            # A write is in doubt that may have taken one of them off the time: there may be nothing
            # to ask. (Parked, nothing would look that write up.)
            self._hold(verdict)
            return
        self.out.conflicts.append(conflict_of(verdict, self.pair.clash_policy.value))
        if verdict.ask:
            for claim in claims:
                self.decisions.pop(claim.link.id, None)
                claimant = self.changed.get(claim.link.id, claim.link)
                if claimant.state is not LinkState.PARKED:
                    self.park(claimant, "two bookings claim the room at one time; a person decides")
        elif link.in_flight or link.half(verdict.loser.side).presence is not Presence.PRESENT:
            # Its last write is in doubt, or it cannot be read just now, or it is gone and only the
            # other side cannot be read: what would fill its time waits until that is known.
            self._hold(verdict)
        elif verdict.loser.side is Side.CALENDAR and link.event.owned:
            self.decisions.pop(link.id, None)
            self.park(link, "it clashes with a booking, and nobody could be told of a refusal")
        elif link.attempts >= MAX_ATTEMPTS:
            self._hold(verdict)
            self.park(link, f"its refusal did not take effect after {link.attempts} tries")
        elif worn := worn_out(link, self.limits, self.now):
            self._hold(verdict)
            self.park(link, worn)
        else:
            overruled = self.decisions.pop(link.id, None)
            since = booked_since(verdict, self.claims, self._times)
            for claim in since:
                # It waits until the loser has left the time for good.
                self.decisions.pop(claim.link.id, None)
            link, effect = refused(link, verdict, whole=bool(since))
            if overruled is not None and overruled.conflict is not None and ends(verdict, effect):
                self.out.conflicts.append(overruled.conflict)
            self._file(link, effect)

    def _stood_before(self, verdict: Verdict) -> bool:
        """True where all were claimed before the room was imported. Nobody hears of calsync by
        being refused what they have had: both are carried, and an admin, or a later act, decides.
        After a restore (``rejoin``) they wait for a person instead."""
        if self.importing:
            return self.rejoin is None
        claims = (verdict.loser, *verdict.winners)
        return self.imported_at is not None and all(c.at <= self.imported_at for c in claims)

    def _hold(self, verdict: Verdict) -> None:
        """What would fill the loser's time is decided anew once it is known what became of it."""
        for claim in (verdict.loser, *verdict.winners):
            self.decisions.pop(claim.link.id, None)

    def _file(self, link: Link, effect: Effect) -> None:
        self.changed[link.id] = link if self.importing else counted(link, effect, self.now)
        self.out.effects.append(effect)
        self.out.rulings.append(Ruling(link.id, effect.kind.value, effect.why))

    # -- 5 ----------------------------------------------------------------------------------

    def plan(self) -> Plan:
        self._let_go_first()
        self._let_pass()
        for link_id, decision in self.decisions.items():
            self._carry_out(self.changed[link_id], decision)
        originals = {link.id: link for link in self.all}
        self.out.links = [
            link for link in self.changed.values() if originals.get(link.id) is not link
        ]
        self.out.effects = in_order(
            self.out.effects, self._times, lambda e: whole_booking(self.changed[e.link_id])
        )
        return self.out

    def _times(self, occ: Occupancy) -> list[Interval]:
        return busy_intervals(occ, self.window, self.pair.zone)

    def _let_go_first(self) -> None:
        links = [self.changed.get(link.id, link) for link in self.all]
        # Before what wants its time is held against what leaves it in this plan.
        for link_id in still_needed(links, self.decisions, self._times):
            del self.decisions[link_id]
            self.out.skips.append(Skip(link_id, "whether another item holds its time is in doubt"))
        for link_id in too_early(links, self.decisions, self.out.effects, self._times):
            del self.decisions[link_id]
            self.out.skips.append(Skip(link_id, "its time is about to be left by another"))
        stops = (Verb.PARK, Verb.SET_APART)
        stopped = {i for i, d in self.decisions.items() if d.verb in stops} | self.parked
        held = [self.changed[link_id] for link_id in stopped]
        for link_id in onto(held, self.decisions, self._times):
            del self.decisions[link_id]
            self.out.skips.append(Skip(link_id, "its time is held by one just parked"))

    def _carry_out(self, link: Link, decision: Decision) -> None:
        if decision.conflict is not None:
            self.out.conflicts.append(decision.conflict)
        match decision.verb:
            case Verb.NOTHING:
                self._settled(link)
            case Verb.SKIP:
                self.out.skips.append(Skip(link.id, decision.why))
            case Verb.REBASE:
                assert decision.target is not None
                link = rebase(link, decision.target, fingerprint(decision.target))
                self.out.rulings.append(Ruling(link.id, decision.verb.value, decision.why))
                self._settled(link)
            case Verb.BURY:
                self.changed[link.id] = bury(link)
                self.out.rulings.append(Ruling(link.id, decision.verb.value, decision.why))
            case Verb.PARK:
                self.park(link, decision.why)
            case Verb.SET_APART:
                self.park(self._succeeded(link, _there(link)), decision.why)
            case Verb.REVIVE_BOOKING | Verb.REVIVE_EVENT:
                self._give_new_life(link, decision)
            case Verb.REJECT_BOOKING:
                self._turn_down(link, decision.why, ROOM_SAID_NO)
            case Verb.GIVE_BACK:
                if self._may_be_written(link, decision.why, counts=True):
                    self._file(*given_back(link, decision, ROOM_SAID_NO))
            case _:
                self.send(claim_taken(link, decision), decision)

    def _settled(self, link: Link) -> None:
        """Both sides agree. A booking that still waits is told so; then the link rests."""
        if link.pending and link.booking.presence is Presence.PRESENT:
            confirm = Decision(verb=Verb.NOTHING, why="the calendar has it")
            self.send(replace(link, attempts=0), confirm)
        elif link.attempts:
            self.changed[link.id] = replace(link, attempts=0)
        else:
            self.changed[link.id] = link

    def _give_new_life(self, link: Link, decision: Decision) -> None:
        """One side's item lives on under a new link; the old one becomes the tombstone."""
        lives = Side.CALENDAR if decision.verb is Verb.REVIVE_BOOKING else Side.BOOKING
        verb = Verb.CREATE_BOOKING if lives is Side.CALENDAR else Verb.CREATE_EVENT
        self.send(self._succeeded(link, lives), replace(decision, verb=verb))

    def _succeeded(self, link: Link, lives: Side) -> Link:
        """A new link that takes over the item of the side ``lives``; ``link`` is buried."""
        self.changed[link.id] = bury(with_half(link, lives, replace(link.half(lives), key=None)))
        return heir(link, lives)

    def park(self, link: Link, why: str) -> None:
        """Nothing more happens to the link until a person, or a new change, moves it. A write of it
        that is in doubt is looked up all the same: that goes by the revision."""
        revision = link.revision if link.in_flight else link.revision + 1
        self.changed[link.id] = replace(link, state=LinkState.PARKED, reason=why, revision=revision)
        self.parked.add(link.id)
        self.out.rulings.append(Ruling(link.id, "park", why))

    def _may_be_written(self, link: Link, why: str, *, counts: bool) -> bool:
        """False where it was written too often; it is parked then."""
        if link.attempts >= MAX_ATTEMPTS:
            self.park(
                link,
                f"the two sides still differ after {link.attempts} writes ({why}); "
                "change it on one side to try again",
            )
            return False
        worn = worn_out(link, self.limits, self.now) if counts else ""
        if worn:
            self.park(link, worn)
        return not worn

    def _turn_down(self, link: Link, why: str, reason: str, code: str = "room-declined") -> None:
        """Reject a booking of the platform. A meeting that stood, or that its person moved, is
        left to that person."""
        if not self._may_be_written(link, why, counts=True):
            return
        if link.event.declined:
            # (Moved on the platform since, the room would be asked again instead.)
            left = link.booking.fingerprint != link.event.fingerprint
            link = replace(link, hindrance=why if left or not link.pending else "")
        self._file(*turned_down(link, reason, code, why))

    def send(self, link: Link, decision: Decision) -> None:
        """Turn the decision into the link's one effect in flight."""
        if not self._may_be_written(link, decision.why, counts=decision.verb not in _ONCE):
            return
        if decision.verb is Verb.CREATE_EVENT and not (self.importing or self.rejoin):
            # (What stood before the import is written to the room: a meeting would mail people.)
            link = routed(link, self.pair)
            if link.hindrance and self.pair.organizer_fallback is OrganizerFallback.REFUSE:
                self._turn_down(link, NO_ORGANIZER, link.hindrance, NO_ORGANIZER)
                return
        sent = in_flight(link)
        effect = effect_of(sent, decision)
        if self.importing and effect.kind is EffectKind.DECLINE_EVENT:
            self.park(link, _TELLS)
            return
        link = sent
        self._file(sending(link, effect), effect)


def _there(link: Link) -> Side:
    """The side that has the item, of a link of which only one has it."""
    return Side.BOOKING if link.booking.presence is Presence.PRESENT else Side.CALENDAR


def in_window(occ: Occupancy, window: Window, zone: str) -> bool:
    """True where some of the item may lie in the window (series: by their whole extent)."""
    start, end = extent(occ, zone)
    return start < window.end and (end is None or end > window.start or start >= window.start)

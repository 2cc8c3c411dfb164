"""What the judge of the whole makes of single things it sees."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from random import Random
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest

from calsync.model import Side
from calsync.setup.questions import State
from simulation import admin
from simulation.admin import Admin
from simulation.claim import Violation
from simulation.company import SENDER
from simulation.judge import Judge
from simulation.people import Act, Kind
from simulation.views import Feature, Image, meetings

BEGIN, FINISH = datetime(2026, 11, 26), datetime(2027, 1, 1)


@pytest.mark.parametrize("side", ["booking", "calendar"])
@pytest.mark.parametrize(
    ("days", "empty"),
    [([], True), ([-2], True), ([3], False), ([-2, 3], False), ([60], True)],
    ids=["nothing", "over", "ahead", "a series", "beyond"],
)
def test_a_side_is_empty_that_shows_nothing_of_what_is_synced(
    side: str, days: list[int], empty: bool
) -> None:
    """Seed 202027: nothing was left ahead, and the admin, who was asked about it, found bookings of
    the week before and said no for ever."""
    starts = [BEGIN + timedelta(days=day) for day in days]
    image = SimpleNamespace(taken=[(start, start + timedelta(hours=1)) for start in starts])
    people: Any = SimpleNamespace(
        window=lambda: (BEGIN, FINISH),
        images=lambda seen, _: [image] if seen.value == side else [],
    )
    nobody: Any = None
    judge = Judge(company=nobody, people=people, views=nobody, story=nobody)
    question = f"the {side} side shows no items at all, but 1 were agreed on"
    assert judge.is_empty(nobody, question) is empty


@pytest.mark.parametrize(
    ("cancelled", "told", "holds"),
    [(1, 1, True), (1, 2, False), (2, 2, True), (2, 3, False)],
    ids=["once", "told twice", "given up again", "told once more than given up"],
)
def test_who_gives_up_again_what_a_restore_brought_back_is_told_again(
    cancelled: int, told: int, holds: bool
) -> None:
    """Seed 1011: a series was cancelled on the platform, and its booker told; yesterday's database
    brought it back, its booker changed it, it stood on both sides, and was cancelled again."""
    mail = {"from": SENDER, "to": "n1@platform.example", "subject": "Cancelled: r0", "body": "-"}
    ends = Act(
        step=1, kind=Kind.CANCEL, side=Side.BOOKING, room="r0", name="n1",
        before=frozenset(), after=None,
    )  # fmt: skip
    world = SimpleNamespace(mails=[mail] * told)
    company: Any = SimpleNamespace(control=SimpleNamespace(world=world))
    people: Any = SimpleNamespace(acts=[ends] * cancelled)
    nobody: Any = None
    judge = Judge(company=company, people=people, views=nobody, story=nobody)
    with nullcontext() if holds else pytest.raises(Violation, match="6 notices"):
        judge._mail()
    if holds:
        assert judge.mails == told


@pytest.mark.parametrize(
    ("meanwhile", "holds"),
    [
        ([(Kind.EDIT, Side.BOOKING)], True),
        ([(Kind.EDIT, Side.BOOKING), None], False),
        ([], False),
        ([(Kind.EDIT, Side.CALENDAR)], False),
    ],
    ids=["changed there", "told once more than changed", "nobody did", "changed in Outlook"],
)
def test_who_changes_what_a_restore_brought_back_is_answered(
    meanwhile: list[tuple[Kind, Side] | None], holds: bool
) -> None:
    """Seed 9158: a booking was cancelled in Outlook, and its booker told; yesterday's database
    brought it back, and its booker changed it. The admin, who was asked, let the cancellation
    stand."""
    mail = {"from": SENDER, "to": "n1@platform.example", "subject": "Cancelled: r0", "body": "-"}

    def act(kind: Kind, side: Side) -> Act:
        return Act(
            step=1, kind=kind, side=side, room="r0", name="n1", before=frozenset(),
            after=None if kind is Kind.CANCEL else frozenset(), asks=side is Side.BOOKING,
        )  # fmt: skip

    world = SimpleNamespace(mails=[])
    company: Any = SimpleNamespace(control=SimpleNamespace(world=world))
    # Changed before it was told the first time, it has had its answer.
    people: Any = SimpleNamespace(acts=[act(Kind.EDIT, Side.BOOKING)])
    nobody: Any = None
    judge = Judge(company=company, people=people, views=nobody, story=nobody)
    world.mails.append(mail)
    judge._mail()
    for one in meanwhile:
        if one is None:
            world.mails.append(mail)
            judge._mail()
        else:
            people.acts.append(act(*one))
    world.mails.append(mail)
    with nullcontext() if holds else pytest.raises(Violation, match="6 notices"):
        judge._mail()


class OneRoom(Judge):
    """Where nothing but the acts and what the platform shows in the end is looked at."""

    def recorded(self) -> set[str]:
        return set()

    def _declined_by_room(self) -> set[str]:
        return set()

    _declined_by_us = _taken_in_again = _parted = _declined_in_part = _taken = _declined_by_room

    def _emptied(self, name: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("hour", "strikes", "holds"),
    [(-2, [1], True), (2, [1], False), (-2, [], False), (-2, [0], False)],
    ids=["over when looked for", "not over", "nothing hid it", "hid what was before"],
)
def test_what_a_fault_hid_until_it_was_over_is_not_looked_for(
    hour: int, strikes: list[int], holds: bool
) -> None:
    """Seed 2403: somebody noted in the room's calendar a meeting of the day before; an empty page
    of the feed swallowed it, and the window had rolled past it when all was compared."""
    start = BEGIN + timedelta(hours=hour)
    features: frozenset[Feature] = frozenset(
        {("at", start, start + timedelta(hours=1)), ("title", 0, None)}
    )
    books = Act(
        step=1, kind=Kind.BOOK, side=Side.CALENDAR, room="r0", name="n1",
        before=None, after=features,
    )  # fmt: skip
    people: Any = SimpleNamespace(acts=[], unseen=set(), began=lambda: BEGIN, image=lambda *_: None)
    world = SimpleNamespace(mails=[])
    company: Any = SimpleNamespace(places=[], control=SimpleNamespace(world=world))
    views: Any = SimpleNamespace(declined=lambda *_: frozenset())
    nobody: Any = None
    struck = 0
    judge = OneRoom(company=company, people=people, views=views, story=nobody, hid=lambda: struck)
    for step in range(2):
        people.acts += [books] if step == 1 else []
        struck += strikes.count(step)
        judge.after_step()
    company.places.append(SimpleNamespace(id="r0"))
    company.box = lambda _: None
    with nullcontext() if holds else pytest.raises(Violation, match="2 no act is lost"):
        judge._acts_survive(set())


@pytest.mark.parametrize(
    ("kept", "clash", "holds"),
    [("n1.0", False, True), ("n1.7", False, False), ("n1.0", True, False), (None, False, False)],
    ids=["what was kept", "another version was", "of two bookings", "nothing was asked"],
)
def test_a_version_that_people_left_is_back_where_the_admin_kept_it(
    monkeypatch: pytest.MonkeyPatch, kept: str | None, clash: bool, holds: bool
) -> None:
    """Seed 2928: a booking was retitled while its first title was being written to the calendar,
    and met another one there. When that was gone the admin was shown both titles, and kept the
    calendar's: the platform showed the first one again."""
    stays, goes = (
        SimpleNamespace(side=side, link=SimpleNamespace(id="1"), occupancy=occupancy)
        for side, occupancy in ((Side.CALENDAR, SimpleNamespace(title=kept)), (Side.BOOKING, None))
    )
    question = SimpleNamespace(
        this=stays, that=goes, clash=clash, records=(), reason="two bookings claim one time",
        pair=SimpleNamespace(id="1"), state=State.OPEN,
    )  # fmt: skip
    asked = [question] if kept else []
    monkeypatch.setattr(admin, "questions", lambda *_: asked)
    monkeypatch.setattr(admin, "hindrance", lambda *_: "")
    home = SimpleNamespace(
        requests=SimpleNamespace(waiting=set, ask=lambda *_: 1),
        store=SimpleNamespace(pairs=list),
    )
    nobody: Any = None
    company: Any = SimpleNamespace(home=home, process=SimpleNamespace(shelter=nullcontext))
    story: Any = SimpleNamespace(tell=lambda *_: None)
    one = Admin(seed=1, company=company, story=story)
    one.asks = True
    rng: Any = SimpleNamespace(shuffle=lambda _: None, sample=lambda both, _: both)
    assert one.answer(rng) == len(asked)

    judge = OneRoom(company=company, people=nobody, views=nobody, story=story)
    judge.kept = lambda: one.kept
    judge.left[Side.BOOKING, "n1"] = {0}
    image = shown("n1", (1, 2))
    with nullcontext() if holds else pytest.raises(Violation, match="10 no regression"):
        judge._written(Side.BOOKING, None, image)
    assert judge.kept() == ({(kept[:2], int(kept[3:]))} if kept and not clash else set())


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([[(1, 2)], [(25, 26), (49, 50)]], ["n1", "n1"]),
        ([[(1, 2), (25, 26), (49, 50)]], ["n1"]),
        ([[(1, 2)], [(1, 2), (25, 26), (49, 50)]], ["n1", "n1"]),
        ([[(1, 2), (25, 26)], [(25, 26), (49, 50)]], ["n1", "?1"]),
        ([[(1, 3)]], ["?0"]),
        ([[(4, 5)], [(25, 26)]], ["n2", "n1"]),
        ([[(4, 5)], [(4, 5)]], ["n2", "n2"]),
        ([[(73, 74)]], ["?0"]),
    ],
    ids=[
        "in parts", "as one", "doubled", "a date twice", "another time", "of another booking",
        "another booking, doubled", "of two series",
    ],
)  # fmt: skip
def test_events_without_a_title_are_the_parts_of_the_series_that_lacks_their_dates(
    parts: list[list[tuple[int, int]]], named: list[str]
) -> None:
    """Seed 5766: a private series was moved so that one of its dates had to stand by itself. It was
    made anew for that, and both events without a title counted as invented."""
    booked = [
        replace(shown(name, *spans), private=True)
        for name, spans in (
            ("n1", [(1, 2), (25, 26), (49, 50)]),
            ("n2", [(4, 5)]),
            ("n3", [(73, 74), (97, 98)]),
            ("n4", [(73, 74), (121, 122)]),
        )
    ]
    events = [
        replace(shown(f"?{number}", *spans), version=None) for number, spans in enumerate(parts)
    ]
    sides = {Side.BOOKING: booked, Side.CALENDAR: events}
    people: Any = SimpleNamespace(images=lambda side, _: sides[side])
    found = {one.key: one.name for one in events}
    views: Any = SimpleNamespace(name=lambda _, key, name: found.__setitem__(key, name))
    nobody: Any = None
    company: Any = SimpleNamespace(box=lambda _: None)
    Judge(company=company, people=people, views=views, story=nobody)._name_the_nameless(nobody)
    assert list(found.values()) == named


@pytest.mark.parametrize(
    ("meanwhile", "moved", "holds"),
    [
        ({}, (0, 8), True),
        ({}, None, False),
        ({}, (0, 11), False),
        ({Side.CALENDAR: (7, 8)}, (0, 8), False),
        ({Side.BOOKING: (0, 8)}, (0, 8), False),
    ],
    ids=["changed as it shows", "nobody changed it", "another one", "written anew", "taken over"],
)
def test_what_was_set_back_and_waits_for_a_person_is_theirs_as_it_shows(
    meanwhile: dict[Side, tuple[int, int]], moved: tuple[int, int] | None, holds: bool
) -> None:
    """Seed 3042: the mailbox was restored and the admin trusted the platform, but another booking
    had the time, and both were parked. Weeks later somebody moved the older item in Outlook, which
    had the title of that day. Seeds 3489 and 3698: what was back had been deleted."""

    def seen(version: int, hour: int) -> Image:
        return replace(shown("n1", (hour, hour + 1)), version=version, title=f"n1.{version}")

    stands = {Side.CALENDAR: [seen(7, 8)], Side.BOOKING: [seen(7, 8)]}
    acts: list[Act] = []
    people: Any = SimpleNamespace(
        acts=acts, unseen=set(), images=lambda side, _: list(stands[side])
    )
    place: Any = SimpleNamespace(id="r0")
    world = SimpleNamespace(mails=[], log=[])
    company: Any = SimpleNamespace(places=[place], control=SimpleNamespace(world=world))
    story: Any = SimpleNamespace(step=1)
    nobody: Any = None
    judge = OneRoom(company=company, people=people, views=nobody, story=story)
    judge.after_step()
    before, stands[Side.CALENDAR] = stands[Side.CALENDAR], [seen(0, 8)]
    judge.set_back(Side.CALENDAR, place, before, None)
    judge.begin_round()
    judge.after_step()
    for side, (version, hour) in meanwhile.items():
        stands[side] = [seen(version, hour)]
        judge.after_step()
    stands[Side.BOOKING] = [seen(7, 8)]
    judge.after_step()
    judge.left[Side.BOOKING, "n1"] = {0}
    stands[Side.BOOKING] = [seen(0, 9)]
    if moved is not None:
        stands[Side.CALENDAR] = [seen(0, 9)]
        acts.append(
            Act(
                step=2, kind=Kind.EDIT, side=Side.CALENDAR, room="r0", name="n1",
                before=seen(*moved).features(), after=seen(0, 9).features(),
            )
        )  # fmt: skip
    with nullcontext() if holds else pytest.raises(Violation, match="10 no regression"):
        judge.after_step()
    assert not holds or not judge.aged


@pytest.mark.parametrize(
    ("side", "name", "theirs"),
    [
        (Side.CALENDAR, "x900000", True),
        (Side.CALENDAR, "x905000", True),
        (Side.BOOKING, "x905000", False),
        (Side.CALENDAR, "x9", False),
        (Side.CALENDAR, "x900", False),
    ],
    ids=["the first", "of thousands", "carried by calsync", "a copy", "the nine hundredth copy"],
)
def test_what_people_have_a_room_full_of_they_booked_in_sight_of_what_was_there(
    side: Side, name: str, theirs: bool
) -> None:
    """Seed 6968: of 5,000 items the first thousand counted as booked by people."""
    stands: dict[Side, list[Image]] = {one: [shown("n1", (1, 3))] for one in Side}
    place: Any = SimpleNamespace(id="r0")
    people: Any = SimpleNamespace(acts=[], images=lambda of, _: list(stands[of]))
    nobody: Any = None
    judge = Judge(company=nobody, people=people, views=nobody, story=nobody)
    for one in Side:
        judge._watch(one, place, [])
    stands[side].append(shown(name, (2, 4)))
    for one in Side:
        judge._watch(one, place, [])
    assert (frozenset(("n1", name)) in judge.own) is theirs


@pytest.mark.parametrize(
    ("backup", "restore", "ends", "holds"),
    [
        ((0, 8), (7, 8), (7, 9), True),
        ((0, 8), (0, 8), (7, 9), True),
        ((0, 8), (7, 8), None, False),
        ((0, 8), (7, 11), (7, 9), False),
        ((0, 8), (3, 8), (7, 9), False),
        ((7, 9), (7, 8), (7, 9), False),
        (None, (7, 8), (7, 9), False),
    ],
    ids=[
        "moved back", "all changed back", "gone", "moved on", "moved back, another title",
        "carried before the backup", "no backup",
    ],
)  # fmt: skip
@pytest.mark.parametrize("again", [False, True], ids=["", "moved back before the backup"])
def test_what_a_backup_has_still_to_carry_is_carried_though_it_was_changed_back(
    backup: tuple[int, int] | None,
    restore: tuple[int, int],
    ends: tuple[int, int] | None,
    holds: bool,
    again: bool,
) -> None:
    """Seed 7649: a booking was moved and retitled on the platform, all was backed up, the change
    was carried, and somebody moved it back in the calendar. In the database of yesterday the move
    was still to be carried, and the calendar showed the time from before it."""

    def seen(version: int, hour: int) -> Image:
        return replace(shown("n1", (hour, hour + 1)), version=version, title=f"n1.{version}")

    def edits(side: Side, before: Image, after: Image) -> Act:
        return Act(
            step=1, kind=Kind.EDIT, side=side, room="r0", name="n1",
            before=before.features(), after=after.features(),
        )  # fmt: skip

    old, new = seen(0, 8), seen(7, 9)
    acts = [edits(Side.BOOKING, old, new)]
    stands = {Side.BOOKING: [new]}
    people: Any = SimpleNamespace(
        acts=acts,
        unseen=set(),
        images=lambda side, _: stands[side],
        image=lambda side, *_: next(iter(stands[side]), None),
        began=lambda: BEGIN,
    )
    place: Any = SimpleNamespace(id="r0")
    box = SimpleNamespace(tombs={})
    company: Any = SimpleNamespace(places=[place], box=lambda _: box)
    views: Any = SimpleNamespace(declined=lambda *_: frozenset())
    story: Any = SimpleNamespace(step=1)
    judge = OneRoom(company=company, people=people, views=views, story=story)
    if backup is not None:
        stands[Side.CALENDAR] = [seen(*backup)]
        if again:
            acts.append(edits(Side.CALENDAR, new, old))
        judge.backed_up()
    acts.append(edits(Side.CALENDAR, new, seen(*restore)))
    judge.round_acts = len(acts)
    stands[Side.BOOKING] = stands[Side.CALENDAR] = [seen(*restore)]
    before, stands[Side.BOOKING] = stands[Side.BOOKING], [new]
    judge.set_back(Side.BOOKING, place, before, None)
    judge.forgotten()
    stands[Side.BOOKING] = [seen(*ends)] if ends is not None else []
    excused = holds and not again
    with nullcontext() if excused else pytest.raises(Violation, match="2 no act is lost"):
        judge._acts_survive(set())


def shown(key: str, *spans: tuple[int, int], busy: bool = True) -> Image:
    taken = frozenset((BEGIN + timedelta(hours=a), BEGIN + timedelta(hours=b)) for a, b in spans)
    return Image(
        key=key, name=key, version=0, title=key, private=False, busy=busy, times=taken, taken=taken,
        all_day=False, series=len(spans) > 1, own=True, changed=0, count=len(spans),
    )  # fmt: skip


class AllAnswered(Judge):
    """Where nobody on the platform waits for an answer."""

    def _waiting(self) -> set[str]:
        return set()


@pytest.mark.parametrize(
    ("shows", "made_new", "deleted"),
    [(0, {"n1"}, True), (0, set(), False), (0, {"n2"}, False), (4, {"n1"}, False)],
    ids=["made new", "as restored", "another one is made new", "made new when it was mended"],
)
def test_what_exchange_made_new_after_a_restore_is_no_sign_of_it(
    shows: int, made_new: set[str], deleted: bool
) -> None:
    """Seed 2704: a backup brought back a booking's former title, and lacked one other booking. Then
    the mailbox moved to another server, and the former title was the newest state of that item."""
    n1, n2, n3 = (shown(name, (hour, hour + 1)) for hour, name in enumerate(("n1", "n2", "n3"), 2))
    edited = replace(n1, version=4)
    stores = {Side.BOOKING: [edited, n2, n3], Side.CALENDAR: [n1, n2]}
    people: Any = SimpleNamespace(acts=[], images=lambda side, _: stores[side], began=lambda: BEGIN)
    box = SimpleNamespace(items={name: SimpleNamespace(uid=name) for name in ("n1", "n2", "n3")})
    company: Any = SimpleNamespace(box=lambda _: box)
    story: Any = SimpleNamespace(step=1)
    place: Any = SimpleNamespace(id="r0")
    nobody: Any = None
    judge = AllAnswered(company=company, people=people, views=nobody, story=story)
    judge.set_back(Side.CALENDAR, place, [edited, n2, n3], {"n1": 1, "n2": 2, "n3": 3})
    stores[Side.CALENDAR] = [replace(n1, version=shows), n2]
    judge.renewed(place, made_new)
    assert judge._taken() == ({"n3"} if deleted else set())
    assert (judge.stood["n1"].act is None) is deleted
    assert judge.stood["n2"].act is not None


class SetBack(OneRoom, AllAnswered):
    """Where neither a record nor a question excuses anything."""


@pytest.mark.parametrize(
    ("made_new", "shows", "retitled", "holds"),
    [
        ({"n1"}, 0, None, True),
        (set(), 0, None, False),
        ({"n2"}, 0, None, False),
        ({"n1"}, 2, None, False),
        ({"n1"}, 0, (4, 5), True),
        ({"n1"}, 0, (0, 5), False),
    ],
    ids=[
        "made new", "as restored", "another one is made new", "an older title",
        "retitled since", "left again since",
    ],
)  # fmt: skip
def test_what_exchange_made_new_after_a_restore_may_show_on_the_platform_again(
    made_new: set[str], shows: int, retitled: tuple[int, int] | None, holds: bool
) -> None:
    """Seeds 7855 and 8051: a booking was retitled on the platform, and a backup brought its former
    title back in the calendar. Then the mailbox moved to another server, before calsync had looked:
    the former title was the newest state of that item, and was carried over."""
    n1, n2 = shown("n1", (1, 2)), shown("n2", (3, 4))
    edited = replace(n1, version=4)
    stores = {Side.BOOKING: [edited, n2], Side.CALENDAR: [n1, n2]}
    people: Any = SimpleNamespace(acts=[], images=lambda side, _: stores[side], began=lambda: BEGIN)
    box = SimpleNamespace(items={name: SimpleNamespace(uid=name) for name in ("n1", "n2")})
    company: Any = SimpleNamespace(box=lambda _: box)
    story: Any = SimpleNamespace(step=1)
    place: Any = SimpleNamespace(id="r0")
    nobody: Any = None
    judge = SetBack(company=company, people=people, views=nobody, story=story)
    judge.left[Side.BOOKING, "n1"] = {0, 2}
    judge.set_back(Side.CALENDAR, place, [edited, n2], {"n1": 1, "n2": 2})
    if retitled is not None:
        before, after = (replace(n1, version=version).features() for version in retitled)
        act = Act(
            step=2, kind=Kind.EDIT, side=Side.BOOKING, room="r0", name="n1",
            before=before, after=after,
        )  # fmt: skip
        people.acts.append(act)
        judge._left(act)
    judge.renewed(place, made_new)
    with nullcontext() if holds else pytest.raises(Violation, match="10 no regression"):
        judge._written(Side.BOOKING, edited, replace(n1, version=shows))


class WellKept(OneRoom):
    """Where nothing is missed."""

    def _given_up(self, image: Image) -> bool:
        return True


@pytest.mark.parametrize(
    ("restored", "events", "bookings", "holds"),
    [
        (True, ["e1", "e2"], ["b2", "b1"], True),
        (False, ["e1", "e2"], ["b2", "b1"], False),
        (True, ["e1"], ["b2", "b1"], False),
        (True, ["e1", "e2"], ["b1"], False),
        (True, ["e1", "e2"], ["b2 as it was"], False),
    ],
    ids=["beside it", "nobody restored it", "one event", "in its place", "its title is back"],
)
def test_who_restores_an_event_while_another_is_made_has_two(
    restored: bool, events: list[str], bookings: list[str], holds: bool
) -> None:
    """Seed 5709: a booking that had been cancelled was back since a restore of the platform. Its
    event was taken out of Deleted Items; the feed was to tell of that five seconds later. Meanwhile
    the booking was changed, and an event made for what it was now. So there were two of each, and
    the former title stood on the platform beside the new one."""
    former = shown("n1", (1, 2))
    changed = replace(former, version=4, times=shown("n1", (5, 6)).times)
    images = {
        "e1": replace(former, key="e1"),
        "e2": replace(changed, key="e2"),
        "b1": replace(former, key="b1"),
        "b2": replace(changed, key="b2"),
        "b2 as it was": replace(changed, key="b2", version=0),
    }
    stores = {
        Side.BOOKING: [images[name] for name in bookings],
        Side.CALENDAR: [images[name] for name in events],
    }
    back = Act(
        step=1, kind=Kind.RESTORE, side=Side.CALENDAR, room="r0", name="n1",
        before=None, after=former.features(),
    )  # fmt: skip
    people: Any = SimpleNamespace(
        acts=[back] if restored else [], images=lambda side, _: stores[side]
    )
    nobody: Any = None
    place: Any = SimpleNamespace(id="r0")
    judge = WellKept(company=nobody, people=people, views=nobody, story=nobody)
    judge.shown[Side.BOOKING, "r0"] = [images["b2"]]
    judge.left[Side.BOOKING, "n1"] = {0}
    with nullcontext() if holds else pytest.raises(Violation, match="10 no regression"):
        judge._watch(Side.BOOKING, place, [])


@pytest.mark.parametrize(
    ("tombs", "now", "gone"),
    [(["n1"], [], True), ([], [], False), (["n1"], ["n1"], False), (["n2"], [], False)],
    ids=["came and went", "was never there", "is back", "another one went"],
)
def test_what_came_and_went_within_a_step_was_in_the_calendar(
    tombs: list[str], now: list[str], gone: bool
) -> None:
    """Seed 3730: within one rest a booking was carried to the calendar, lost there against another
    one, and was refused. Yesterday's database knew it as asked for; Exchange knew that its event
    had been made once, and is no more."""
    box = SimpleNamespace(tombs={name: shown(name, (1, 2)) for name in tombs})
    company: Any = SimpleNamespace(places=[SimpleNamespace(id="r0")], box=lambda _: box)
    people: Any = SimpleNamespace(acts=[], images=lambda *_: [shown(name, (3, 4)) for name in now])
    views: Any = SimpleNamespace(item=lambda _, item: item)
    nobody: Any = None
    judge = Judge(company=company, people=people, views=views, story=nobody)
    judge.forgotten()
    assert ("n1" in judge._taken()) is gone


def meet(one: Image, other: Image, began: datetime) -> bool:
    """Each span against each, which nobody can do for a room with thousands of items."""
    return (
        one.busy
        and other.busy
        and any(
            max(a, c) < min(b, d) and min(b, d) > began
            for a, b in one.taken
            for c, d in other.taken
        )
    )


@pytest.mark.parametrize("seed", range(60))
def test_who_takes_the_time_of_whom(seed: int) -> None:
    rng = Random(seed)
    images = []
    for number in range(rng.randrange(2, 9)):
        starts = [rng.randrange(-20, 20) for _ in range(rng.choice((1, 1, 3)))]
        spans = [(start, start + rng.choice((0, 1, 1, 2, 6))) for start in starts]
        images.append(shown(f"n{number}", *spans, busy=rng.random() < 0.8))
    began = BEGIN + timedelta(hours=rng.randrange(-25, 15))
    wanted = [(a, b) for a, b in combinations(images, 2) if meet(a, b, began)]
    assert meetings(images, began) == wanted


def test_a_room_with_thousands_of_items_is_looked_through_in_no_time() -> None:
    """7113 with an Exchange Server: each was compared with each, after every step."""
    images = [shown(f"n{number}", (number, number + 1)) for number in range(20_000)]
    began = perf_counter()
    assert meetings(images) == []
    assert perf_counter() - began < 5.0

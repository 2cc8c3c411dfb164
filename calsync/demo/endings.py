"""How each booking may end, by what people did, and how it ended: lost, invented, different.

Admissible ends of a booking:

* all acts in sight of one another: exactly the state after the last one;
* acts of both sides of which one did not see the other, or where calsync could not know that it
  did (it died, or heard nothing, over its own write there): the state of either side, or both edits
  merged field by field (times, title, single dates); a deletion against an edit: either. It is
  over once somebody acts in sight of what came of it with the other side's part in it;
* the recorded loser of a real clash (``clashes``): gone, or without the dates it lost, or, for a
  move that lost, the state before it, or the one that the calendar still held. The record is a
  decline by the app in the sandbox's log, or the refusal that the platform shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calsync.demo.clashes import Claim, Clash, overlap
from calsync.demo.records import Image, Records, Room, picture
from calsync.demo.story import Act, Story, refused_slots
from calsync.sandbox.wishes import Side, State, apply


@dataclass(frozen=True, slots=True)
class Course:
    """What the acts of a booking come to. ``fought``: edited on both sides out of sight."""

    ends: tuple[State, ...]
    fought: bool


@dataclass(slots=True)
class Endings:
    """The verdicts. ``rest``: what each side shows at rest, by booking. Lists are in words."""

    rest: dict[Side, dict[str, State]]
    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    fights_settled: int = 0
    fights_open: int = 0


def course(story: Story) -> Course:
    """Every admissible end by the acts alone."""
    base: State = {}
    line: list[Act] = []  # acts since `base`, all on one side, or a fight
    fights = fought = False
    for act in story.acts:
        if fights and (came := _came_of(story, base, line, act)) is not None:
            base, line, fights = came, [], False
        now = _replay(base, line)
        if line and act.side != line[-1].side and not fights:
            in_sight = act.saw is None or story.show(act.saw) == story.show(now)
            if in_sight and not story.doubtful(act):
                base, line = now, []
            else:
                fights = fought = True
        line.append(act)
    if not fights:
        return Course((_replay(base, line),), fought)
    ends = _ends(base, line)
    if any("clear" in act.op for act in line):
        ends.append({})
    return Course(tuple(ends), True)


def _ends(base: State, fight: Sequence[Act]) -> list[State]:
    """Those of a fight: of each side alone, and of both."""
    mine = [act for act in fight if act.side == "outlook"]
    theirs = [act for act in fight if act.side == "platform"]
    return [_replay(base, one) for one in (mine, theirs, mine + theirs, theirs + mine)]


def _came_of(story: Story, base: State, fight: Sequence[Act], act: Act) -> State | None:
    """The end of a fight that this act was made in sight of. None where what was seen may be no
    more than what had been done on the act's own side."""
    if act.saw is None or story.doubtful(act):
        return None
    own = _replay(base, [one for one in fight if one.side == act.side])
    saw = story.show(act.saw)
    if saw == story.show(own):
        return None
    return next((end for end in _ends(base, fight) if story.show(end) == saw), None)


def _replay(state: State, acts: Sequence[Act]) -> State:
    for act in acts:
        state = apply(act.op, state)
    return state


# --- which item is which booking -------------------------------------------------------------


def judge_endings(found: Mapping[str, Story], records: Records, races: Sequence[Clash]) -> Endings:
    """Match every live item of both stores to a booking, and judge each booking."""
    courses = {key: course(story) for key, story in found.items()}
    strays: dict[Side, list[Image]] = {"outlook": [], "platform": []}
    rest: dict[Side, dict[str, State]] = {
        "outlook": _match(found, courses, records.calendar, "outlook", strays["outlook"]),
        "platform": _match(found, courses, records.platform, "platform", strays["platform"]),
    }
    made = Endings(rest)
    for side, images in strays.items():
        made.invented += [
            f"invented on the {side} side in {image.room}: {image.key} at {_times(image.state)}"
            for image in images
        ]
    for key, story in found.items():
        _judge_one(story, courses[key], made, _rivals(story, races))
    for room in records.rooms:
        made.differences += _differences(room, records)
    return made


def _match(
    found: Mapping[str, Story],
    courses: Mapping[str, Course],
    images: Sequence[Image],
    side: Side,
    strays: list[Image],
) -> dict[str, State]:
    """Items to bookings: by identity where the side is that of birth (or carries it), else by
    content. What remains over is explained by no act."""
    by_name = {
        name: story
        for story in found.values()
        for name in (story.uids if side == "outlook" else story.uids | story.ids)
    }
    shown: dict[str, State] = {}
    rest: list[Image] = []
    for image in images:
        story = by_name.get(image.key) or (by_name.get(image.uid) if image.uid else None)
        if story is not None and story.room.id == image.room and story.key not in shown:
            shown[story.key] = image.state
        else:
            rest.append(image)
    for image in rest:
        owner = _by_content(found, courses, image, shown)
        if owner is None:
            strays.append(image)
        else:
            shown[owner.key] = image.state
    return shown


def _by_content(
    found: Mapping[str, Story],
    courses: Mapping[str, Course],
    image: Image,
    shown: Mapping[str, State],
) -> Story | None:
    for story in found.values():
        if story.key in shown or story.room.id != image.room:
            continue
        wanted = [story.show(end) for end in courses[story.key].ends if end]
        if story.show(image.state) in wanted:
            return story
    return None


# --- one booking -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loss:
    """What the records say a booking lost: all of it, some dates, or its last move."""

    whole: bool = False
    slots: frozenset[str] = frozenset()
    move: bool = False


def _loss(story: Story) -> _Loss:
    last = max(act.at for act in story.acts)
    cancelled = any("clear" in act.op or "drop" in act.op for act in story.acts)
    slots: set[str] = set()
    whole = move = False
    for write in story.writes:
        if write.kind == "reject":
            whole = True
        elif write.kind == "decline" and not (cancelled and write.at >= last):
            whole = whole or not write.slot
            slots |= {write.slot} if write.slot else set()
    slots |= refused_slots(story)
    for row in story.rows:
        if row.refusal is not None and row.status != "rejected":
            move = move or not row.refusal.get("dates")
    return _Loss(whole, frozenset(slots), move)


def _judge_one(story: Story, acts: Course, made: Endings, rivals: int) -> None:
    ends = [story.show(end) for end in _with_losses(story, acts, rivals)]
    shown = {side: story.show(states.get(story.key, {})) for side, states in made.rest.items()}
    good = all(one in ends for one in shown.values())
    if acts.fought:
        settled = good and shown["outlook"] == shown["platform"]
        made.fights_settled += settled
        made.fights_open += not settled
    if good:
        return
    for side, state in shown.items():
        if state in ends:
            continue
        if state and () in ends and len(ends) == 1:
            made.invented.append(f"came back on the {side} side: {story.name}: {_brief(state)}")
            return
    wrong = {side: _brief(state) for side, state in shown.items()}
    allowed = " or ".join(_brief(end) for end in dict.fromkeys(ends))
    why = "" if rivals or not _loss(story).whole else " (refused, but nobody else got its time)"
    made.lost.append(f"lost or reverted: {story.name}{why}: shows {wrong}, may show {allowed}")


def _with_losses(story: Story, acts: Course, rivals: int) -> list[State]:
    """The admissible ends once what it lost, and rightly, is taken into account."""
    loss = _loss(story)
    if not rivals:
        return list(acts.ends)
    if loss.whole:
        return [{}]
    ends = list(acts.ends)
    if loss.slots:
        ends = [{slot: one for slot, one in end.items() if slot not in loss.slots} for end in ends]
    if loss.move:
        ends.append(_replay({}, story.acts[:-1]))
        moves = [at for at, act in enumerate(story.acts) if "time" in act.op or "put" in act.op]
        if moves:
            kept = [act for at, act in enumerate(story.acts) if at != moves[-1]]
            ends.append(_replay({}, kept))
        ends += _held(story)
    return ends


def _held(story: Story) -> list[State]:
    """What the calendar held when a move was refused: its state after the last change there, by
    people or by calsync.

    Several quick acts on the platform reach the calendar as one; if that one is refused, the
    booking goes back to the time that it still holds, before all of them. The act right before
    calsync's write may have come after calsync had read.
    """
    there = [act.at for act in story.acts if act.side == "outlook"]
    there += [w.at for w in story.writes if w.side == "outlook" and w.kind == "write"]
    if not there:
        return []
    before = [act for act in story.acts if act.at <= max(there)]
    # Never nothing at all: a refused move does not take the booking away.
    return [_replay({}, acts) for acts in (before, before[:-1]) if acts]


def _rivals(story: Story, races: Sequence[Clash]) -> int:
    """How many others raced it for some time, and did not themselves lose that time."""
    count = 0
    for race in races:
        for mine, theirs in ((race.early, race.late), (race.late, race.early)):
            count += mine.story is story and not _gave_up(theirs, mine)
    return count


def _gave_up(claim: Claim, rival: Claim) -> bool:
    """calsync refused what this claim and its rival both wanted."""
    loss = _loss(claim.story)
    if loss.whole:
        return True
    if loss.move and claim.act is claim.story.acts[-1]:
        return True
    contested = [one for one in claim.instances if overlap([one], rival.instances)]
    return all(one["slot"] in loss.slots for one in contested)


# --- the stores against each other -----------------------------------------------------------


def _differences(room: Room, records: Records) -> list[str]:
    """Instances that one side shows and the other does not, as multisets."""
    counts = {
        side: Counter(
            one
            for image in images
            if image.room == room.id
            for one in picture(image.state, titles=room.titles)
        )
        for side, images in (("outlook", records.calendar), ("platform", records.platform))
    }
    found = []
    for side, across in (("outlook", "platform"), ("platform", "outlook")):
        for one, many in (counts[side] - counts[across]).items():
            found += [f"only on the {side} side in {room.id}: {_word(one)}"] * many
    return found


def _times(state: State) -> str:
    return ", ".join(f"{one['start']}/{one['end']}" for one in list(state.values())[:3])


def _word(one: tuple[str, str, bool, str, str]) -> str:
    start, end, all_day, show, title = one
    return f"{start}/{end}{' all day' if all_day else ''} {show} {title!r}".strip()


def _brief(state: Sequence[tuple[str, str, bool, str, str]]) -> str:
    if not state:
        return "nothing"
    more = f" and {len(state) - 3} more" if len(state) > 3 else ""
    return "; ".join(_word(one) for one in state[:3]) + more

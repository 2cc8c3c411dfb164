"""What travels between mailboxes: requests, updates, cancellations and answers.

The organizer's copy is the meeting; every other copy follows it and is joined by iCalUId.
Invitations always go out and cannot be switched off (Graph docs, user-post-events).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from . import attendant
from .answers import ANSWERS, set_status, title
from .attendant import Processing, Verdict
from .items import Attendee, Item, Override, instance
from .mailbox import Mailbox

if TYPE_CHECKING:
    from .world import World

CANCELLED = "Canceled: "


def announce(world: World, box: Mailbox, before: Item | None, after: Item) -> None:
    """Tell attendees of a new or changed meeting and bring their copies up to date."""
    old = {one.person.address.casefold() for one in before.attendees} if before else set()
    new = {one.person.address.casefold(): one for one in after.attendees}
    for one in before.attendees if before else ():
        if one.person.address.casefold() not in new:
            withdraw(world, box, before or after, one.person.address)
    for address, one in new.items():
        if before is None or address not in old:
            _post(world, after, "request", one.person.address, [None])
            _deliver(world, box, after, one, None)
        elif _content(before) == _content(after):
            # A PATCH of attendees alone mails only those who changed (Graph docs, event-update).
            continue
        elif _frame(before) != _frame(after):
            _post(world, after, "update", one.person.address, [None])
            _deliver(world, box, after, one, None)
        else:
            days = changed_days(before, after)
            # A changed master mails once for the series plus once per changed instance
            # (event-update).
            mailed: list[date | None] = [*sorted(days)]
            if before.props != after.props:
                mailed = [None, *sorted(after.overrides)]
            _post(world, after, "update", one.person.address, mailed)
            _deliver(world, box, after, one, days)


def _frame(item: Item) -> tuple[Any, ...]:
    return (item.when, item.rule)


def _content(item: Item) -> tuple[Any, ...]:
    shown = {name: value for name, value in item.props.items() if name not in _PRIVATE}
    slots = {
        day: (one.when, dict(one.props), one.is_cancelled) for day, one in item.overrides.items()
    }
    return (_frame(item), shown, slots, item.cancelled)


_PRIVATE = frozenset({"categories", "isReminderOn", "reminderMinutesBeforeStart"})


def changed_days(before: Item, after: Item) -> frozenset[date]:
    """Dates whose instance differs between two versions of one series."""
    days = before.cancelled ^ after.cancelled
    for day in before.overrides.keys() | after.overrides.keys():
        old, new = before.overrides.get(day), after.overrides.get(day)
        if (old and (old.when, old.props, old.is_cancelled)) != (
            new and (new.when, new.props, new.is_cancelled)
        ):
            days |= {day}
    return days


def _post(world: World, item: Item, kind: str, to: str, days: list[date | None]) -> None:
    for day in days:
        detail = {"iCalUId": item.uid} | ({"date": day.isoformat()} if day else {})
        world.mail(kind, item.organizer.address, to, title(item, day), **detail)


def _deliver(
    world: World, sender: Mailbox, item: Item, to: Attendee, days: frozenset[date] | None
) -> None:
    target = world.box(to.person.address)
    if target is None or target.external or target is sender:
        return
    if target.place is None:
        _follow(world, target, item)
        return
    rules = target.processing or Processing()
    mode = rules.AutomateProcessing.casefold()
    if mode == "none" and not world.switches.none_mode_shows_request:
        return
    if mode != "autoaccept":
        _follow(world, target, item)
        return
    delay = world.switches.attendant_delay_s if rules.delay_s is None else rules.delay_s
    old = target.find_uid(item.uid)
    if old is not None and _stands_elsewhere(old, item):
        days = None  # To this room it is a request for another time.
    if delay > 0 and rules.AddNewRequestsTentatively and days is None:
        _follow(world, target, item)
    world.later(delay, lambda: _process(world, target, sender, item.uid, days))


def _follow(world: World, target: Mailbox, item: Item) -> None:
    """An ordinary attendee's copy: tentative until answered, kept as answered after an update."""
    old = target.find_uid(item.uid)
    moved = old is None or _frame(old) != _frame(item)
    response = ("notResponded", 0) if moved or old is None else old.response
    shown = "tentative" if response[0] in ("notResponded", "tentativelyAccepted") else None
    world.put(target, copy_of(world, target, item, old, response=response, shown=shown))


def copy_of(
    world: World,
    target: Mailbox,
    item: Item,
    old: Item | None,
    *,
    response: tuple[str, int],
    shown: str | None = None,
    verdict: Verdict | None = None,
) -> Item:
    """An attendee's copy of the organizer's item.

    With a verdict it is the attendant's rewritten one.
    """
    props = {name: value for name, value in item.props.items() if name not in _PRIVATE}
    if verdict is not None:
        props = attendant.rewrite(target, item)
    if shown is not None and props.get("showAs", "busy") != "free":
        props["showAs"] = shown
    declined = verdict.refused if verdict else (old.declined if old else frozenset())
    overrides, cancelled = {}, set(declined)
    for day, one in item.overrides.items():
        if day not in declined and one.when is not None:
            changed = attendant.rewrite_changed(target, one.props) if verdict else dict(one.props)
            overrides[day] = Override(one.when, changed, is_cancelled=one.is_cancelled)
    for day in item.cancelled:
        gone = old.overrides.get(day) if old else None
        if gone is not None and gone.is_cancelled:
            overrides[day] = gone
        else:
            cancelled.add(day)
    rule = item.rule
    if rule is not None and verdict is not None and verdict.cut is not None:
        rule = replace(rule, kind="endDate", end=verdict.cut, number=0)
    tags = item.tags if world.switches.tag_reaches_room_copy else {}
    return Item(
        key=old.key if old else world.new_key(),
        uid=item.uid,
        when=item.when,
        organizer=item.organizer,
        own=False,
        rule=rule,
        props=props,
        attendees=item.attendees,
        response=response,
        tags=dict(old.tags) | dict(tags) if old else tags,
        extensions=old.extensions if old else {},
        overrides=overrides,
        cancelled=frozenset(cancelled),
        declined=frozenset(declined),
        created=old.created if old else 0,
        folder=old.folder if old else 1,
    )


def _process(
    world: World, room: Mailbox, sender: Mailbox, uid: str, days: frozenset[date] | None
) -> None:
    """The booking attendant at work on a request or an update."""
    item = sender.find_uid(uid)
    if item is None or not any(
        one.person.address.casefold() == room.address.casefold() for one in item.attendees
    ):
        return  # cancelled, or the room was taken off again, before the attendant came to it
    old = room.find_uid(uid)
    if days is None or old is None or not old.live or _stands_elsewhere(old, item):
        _settle_whole(world, room, sender, item, old)
        return
    days |= _days_elsewhere(old, item)
    refused = set(old.declined)
    newly = {}
    for day in sorted(days):
        shown = instance(item, day)
        if shown is None or not shown.live:
            refused.discard(day)
            continue
        single = replace(item, rule=None, when=shown.when, overrides={}, cancelled=frozenset())
        verdict = attendant.judge(world, room, single)
        newly[day] = verdict
        refused = refused | {day} if verdict.answer == "declined" else refused - {day}
    merged = Verdict(old.response[0], refused=frozenset(refused), cut=_cut(old, item))
    shown_as = "tentative" if old.response[0] == "tentativelyAccepted" else None
    copy = copy_of(world, room, item, old, response=old.response, shown=shown_as, verdict=merged)
    # What somebody declined by hand stays so: the update was about other dates.
    held = {
        day: one
        for day, one in old.overrides.items()
        if day not in days and one.response is not None and one.response[0] == "declined"
    }
    world.put(room, replace(copy, overrides={**copy.overrides, **held}))
    for day, verdict in newly.items():
        if (day in refused) != (day in old.declined) or verdict.answer == "declined":
            _reply(world, room, sender, item, verdict, day)


def _stands_elsewhere(old: Item, item: Item) -> bool:
    """True where an update brings the copy to another time, whatever its cause: the copy was set
    back by a restore, so it has not answered for that time. To an attendee who has not answered
    any update is a full one (Outlook docs, informational and full updates)."""
    rule = item.rule
    if rule is not None and old.rule is not None and old.rule.kind == "endDate":
        # The attendant may have cut it.
        rule = replace(rule, kind="endDate", end=old.rule.end, number=0)
    return old.when != item.when or old.rule not in (item.rule, rule)


def _days_elsewhere(old: Item, item: Item) -> frozenset[date]:
    """The same of single dates: each changed one is mailed with the series (MS-OXOCAL
    3.1.4.7.3.5), and answered by itself."""
    both = {
        day: (instance(old, day), instance(item, day))
        for day in (old.overrides.keys() | item.overrides.keys()) - old.declined
    }
    return frozenset(
        day for day, (here, there) in both.items() if here and there and here.when != there.when
    )


def _cut(old: Item, item: Item) -> date | None:
    return old.rule.end if old.rule and item.rule and old.rule != item.rule else None


def _settle_whole(
    world: World, room: Mailbox, sender: Mailbox, item: Item, old: Item | None
) -> None:
    verdict = attendant.judge(world, room, item)
    if verdict.answer == "declined":
        if old is not None:
            world.drop(room, old.key)
    elif verdict.answer == "pending":
        rules = room.processing or Processing()
        shown = "tentative" if rules.TentativePendingApproval else "free"
        response = ("tentativelyAccepted", world.tick())
        world.put(
            room, copy_of(world, room, item, old, response=response, shown=shown, verdict=verdict)
        )
        for delegate in rules.ResourceDelegates if rules.ForwardRequestsToDelegates else ():
            world.mail("forward", room.address, delegate, title(item), iCalUId=item.uid)
    else:
        response = ("accepted", world.tick())
        if old is not None and world.switches.accept_recreates_copy:
            world.drop(room, old.key)
            old = None
        world.put(room, copy_of(world, room, item, old, response=response, verdict=verdict))
    _reply(world, room, sender, item, verdict, None)


def _reply(
    world: World, room: Mailbox, sender: Mailbox, item: Item, verdict: Verdict, day: date | None
) -> None:
    rules = room.processing or Processing()
    answer = "tentativelyAccepted" if verdict.answer == "pending" else verdict.answer
    text = verdict.reason if rules.EnableResponseDetails else ""
    if rules.AddAdditionalResponse:
        text = f"{text} {rules.AdditionalResponse}".strip()
    detail: dict[str, Any] = {"iCalUId": item.uid, "response": answer, "comment": text}
    if day is not None:
        detail["date"] = day.isoformat()
    if verdict.refused and day is None:
        detail["declinedDates"] = [one.isoformat() for one in sorted(verdict.refused)]
    world.mail(
        "response", room.address, sender.address, ANSWERS[answer] + title(item, day), **detail
    )
    world.note(
        "attendant",
        answer,
        mailbox=room.address,
        iCalUId=item.uid,
        reason=text,
        date=detail.get("date"),
    )
    set_status(world, sender, item.uid, room.address, answer, day=day, refused=verdict.refused)


def withdraw(
    world: World,
    box: Mailbox,
    item: Item,
    address: str,
    *,
    day: date | None = None,
    comment: str = "",
) -> None:
    """Send one attendee a cancellation, of the meeting or of one date."""
    detail: dict[str, Any] = {"iCalUId": item.uid, "comment": comment}
    if day is not None:
        detail["date"] = day.isoformat()
    world.mail("cancel", box.address, address, CANCELLED + title(item, day), **detail)
    target = world.box(address)
    copy = target.find_uid(item.uid) if target is not None and target is not box else None
    if target is None or copy is None:
        return
    rules = target.processing
    if rules is not None and rules.AutomateProcessing.casefold() == "none":
        return
    remove = rules is not None and rules.RemoveCanceledMeetings
    gone = {"subject": CANCELLED + title(copy, day), "showAs": "free"}
    if day is None:
        if remove:
            world.drop(target, copy.key)
        else:
            world.put(target, replace(copy, is_cancelled=True, props={**copy.props, **gone}))
        return
    shown = instance(copy, day)
    if shown is None:
        return
    if remove:
        rest = {known: one for known, one in copy.overrides.items() if known != day}
        world.put(target, replace(copy, cancelled=copy.cancelled | {day}, overrides=rest))
    else:
        old = copy.overrides.get(day) or Override(shown.when)
        one = replace(old, is_cancelled=True, props={**old.props, **gone})
        world.put(target, replace(copy, overrides={**copy.overrides, day: one}))

"""The bugs. Each is a piece of the code and what stands in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bug:
    """``old`` stands exactly once in ``path`` (relative to the root of the repository).
    ``calendar``: the front through which rooms are reached in the histories that must catch it."""

    name: str
    path: str
    old: str
    new: str
    calendar: str = "graph"

    def plant(self, root: Path) -> None:
        """Raises ValueError where the code has changed and the bug does not fit any more."""
        file = root / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.path} holds its place {text.count(self.old)} times"
            )
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


_WRITES = "calsync/adapters/graph/writes.py"
_OUTCOMES = "calsync/adapters/shared/outcomes.py"
_EWS = "calsync/adapters/ews"
_DELTA = "calsync/adapters/graph/delta.py"
_BOX = "calsync/adapters/graph/box.py"
_MIRROR = "calsync/adapters/hub/mirror.py"
_HUB = "calsync/adapters/hub/side.py"
_CYCLE = "calsync/engine/cycle.py"
_PULL = "calsync/engine/pull.py"
_PUSH = "calsync/engine/push.py"
_DOUBTS = "calsync/engine/doubts.py"
_NOTIFY = "calsync/engine/notify.py"
_OBSERVE = "calsync/reconcile/observe.py"
_DECIDE = "calsync/reconcile/decide.py"
_SETTLE = "calsync/reconcile/settle.py"
_CLASH = "calsync/conflicts/clash.py"
_MERGE = "calsync/conflicts/merge.py"
_STORE = "calsync/store/store.py"
_LEDGER = "calsync/store/ledger.py"
_RETRIED = "calsync/adapters/wrap/retried.py"
_MAIL = "calsync/adapters/notify/graph_mail.py"

BUGS: tuple[Bug, ...] = (
    # -- preconditions
    Bug(
        "an event is written over, whatever became of it since",
        _WRITES,
        "            if effect.version and now.version != effect.version:\n                return Stale(now)\n",
        "",
    ),
    Bug(
        "a booking is written over, whatever became of it since",
        _MIRROR,
        "        if effect.version and effect.version != now.version:\n            return Stale(now)\n",
        "",
    ),
    Bug(
        "a change that met a newer version counts as done",
        _SETTLE,
        "    if isinstance(found, Seen) and found.version == version:\n        return Later(0.0, NEVER_ARRIVED)\n    return Stale(found, tried=kind in _CHANGES and isinstance(found, Seen))",
        "    return Done(found)",
    ),
    # -- cursors and commits
    Bug(
        "the calendar's cursor is stored before what was read under it",
        _CYCLE,
        "    report.observed = len(found.booking) + len(found.calendar)\n",
        "    report.observed = len(found.booking) + len(found.calendar)\n"
        "    ctx.store.save_states([replace(ctx.state(pair), window=window,"
        " calendar_cursor=found.calendar_cursor, booking_cursor=found.booking_cursor)], ctx.fences)\n",
    ),
    Bug(
        "the outbox is not written before the call",
        _CYCLE,
        "            links=plan.links,\n            effects=plan.effects,\n",
        "            links=plan.links,\n            effects=[],\n",
    ),
    Bug(
        "a settled effect stays settled without its link",
        _PUSH,
        "            links=list(changed.values()),\n            settled=settled,\n",
        "            links=[],\n            settled=settled,\n",
    ),
    # That a room's fence is not looked at is no bug that histories can show: what a worker that was
    # superseded commits late is read anew, and met by preconditions on both sides. Its test is
    # tests/unit/store/test_store_commit.py::test_a_commit_under_an_older_fence_changes_nothing.
    # -- absence
    Bug(
        "what a full listing lacks counts as deleted",
        _PULL,
        "    yield from _confirm(ctx, pair, found, side, [*hints, *former], links)\n",
        "    for key in hints:\n"
        "        if key not in seen:\n"
        "            seen[key] = Gone(key=key, absence=Absence.READ)\n"
        "    yield from _confirm(ctx, pair, found, side, list(former), links)\n",
    ),
    # That "not found" counts although the mailbox does not answer shows in no history of this size:
    # one reading alone confirms no deletion, and with a closed mailbox the next round reads nothing.
    # Its test is tests/integration/test_graph_faults.py::test_a_lost_permission_is_never_a_deletion.
    Bug(
        "removed from the feed counts as deleted",
        _PULL,
        "    doubtful = [\n        k for k in hints if",
        "    for key in hints:\n"
        "        if key in linked and key not in seen:\n"
        "            seen[key] = Gone(key=key, absence=Absence.READ)\n"
        "    doubtful = [\n        k for k in () if",
    ),
    # -- creates in doubt
    Bug(
        "a create whose reply was lost is sent again",
        _RETRIED,
        "            return isinstance(error, NotSent)",
        "            return isinstance(error, Unavailable | BadAnswer)",
    ),
    Bug(
        "a create in doubt is not looked up",
        _DOUBTS,
        "            found.update({o.id: by_tag.get(o.link_id) for o in creates})",
        "            found.update({o.id: None for o in creates})",
    ),
    Bug(
        "a create has no transaction id",
        _WRITES,
        '    body["transactionId"] = transaction_id(box, effect.tag, effect.key)\n',
        "",
    ),
    # An event without its tag is found by the transactionId it was created with, by its uid and by
    # its time. The tag's own tests are in tests/integration/test_theirs.py.
    # A lost reply that counts as never sent only means a second try, and that one finds what the
    # first made: by its precondition, or its transactionId. Told apart by
    # tests/integration/test_graph_doubt.py::test_a_create_in_doubt_is_found_or_adopted_never_repeated.
    Bug(
        "a lost reply to a write counts as done",
        _SETTLE,
        '            return Settled(link=link, open=True, what=f"in doubt: {outcome.reason}")',
        "            base, mark = effect.target or link.base, effect.fingerprint or link.base_fingerprint\n"
        "            link = replace(link, in_flight=False, base=base, base_fingerprint=mark)\n"
        '            return Settled(link=link, what="hoped for")',
    ),
    # -- observation rules
    # Neither an older state that is taken for a newer one nor a tombstone that forgets its mark shows
    # in a history of this size: what shows an older state is read once more before it is believed
    # (``setback``). Both are told by
    # tests/unit/core/test_observe.py::test_what_is_older_than_its_mark_is_dropped.
    # Nor does it show that of two states told at once the last one counts: a delta of Exchange holds
    # an item once. Its test is tests/unit/worker/test_take.py.
    Bug(
        "what could not be read counts as gone",
        _OBSERVE,
        "                    presence=Presence.UNKNOWN,\n                    key=half.key or obs.key,",
        "                    presence=Presence.GONE,\n                    key=half.key or obs.key,",
    ),
    # -- decisions
    Bug(
        "a deletion is carried over an edit of the other side, unrecorded",
        _DECIDE,
        "        verb = Verb.DELETE_EVENT if deleted_on is Side.BOOKING else Verb.DELETE_BOOKING\n        return Decision(verb=verb, why=conflict.reason, conflict=conflict)",
        "        verb = Verb.DELETE_EVENT if deleted_on is Side.BOOKING else Verb.DELETE_BOOKING\n        return Decision(verb=verb, why=conflict.reason)",
    ),
    Bug(
        "edits of both sides: the calendar's wins, unrecorded",
        _DECIDE,
        "    winner = edit_winner(policy, link.origin)\n    merged =",
        '    return Decision(verb=Verb.WRITE_BOOKING, why="theirs", target=theirs)\n'
        "    winner = edit_winner(policy, link.origin)\n    merged =",
    ),
    Bug(
        "a change on the platform is not carried over",
        _DECIDE,
        "            return _write_event(link, mine, theirs)\n        case (Change.UNCHANGED, Change.DELETED)",
        '            return Decision(verb=Verb.REBASE, why="", target=mine)\n        case (Change.UNCHANGED, Change.DELETED)',
    ),
    Bug(
        "a deletion in the calendar is not carried over",
        _DECIDE,
        '            return Decision(\n                verb=Verb.DELETE_BOOKING, why=f"gone from the calendar: {link.event.reason}"\n            )',
        '            return Decision(verb=Verb.NOTHING, why="")',
    ),
    # That the adapter changes no organiser's meeting is the second lock on a door that the core
    # keeps shut: its test is
    # tests/integration/test_graph_work.py::test_a_meeting_of_somebody_else_is_not_changed.
    Bug(
        "a merge forgets who changed the title",
        _MERGE,
        '        title=pick("title", base.title, booking.title, event.title),\n',
        "        title=booking.title,\n",
    ),
    Bug(
        "a merge takes the calendar's times",
        _MERGE,
        '        chosen = pick("schedule", _schedule(base), _schedule(booking), _schedule(event))\n',
        "        chosen = _schedule(event)\n",
    ),
    Bug(
        "a merge loses the cancelled dates of one side",
        _MERGE,
        "            value = pick(name, w, m, t)\n",
        "            value = m\n",
    ),
    # -- clashes
    Bug(
        "nobody loses a clash",
        _CLASH,
        "    if one_side or not any(c.new for c in claims):\n        return []\n",
        "    return []\n",
    ),
    Bug(
        "both lose a clash",
        _CLASH,
        "        if not strong.lost:\n            weak.lost = True\n            losses.setdefault(weak.claim, []).append((weak, strong))\n",
        "        losses.setdefault(weak.claim, []).append((weak, strong))\n        losses.setdefault(strong.claim, []).append((strong, weak))\n",
    ),
    Bug(
        "touching bookings clash",
        _CLASH,
        "        active = [a for a in active if a.end > slot.start]",
        "        active = [a for a in active if a.end >= slot.start]",
    ),
    # Whether a series loses all of its dates with one is not judged after a history, for the others
    # may be taken by a third. Its test is
    # tests/unit/core/test_clash.py::test_a_series_loses_only_the_dates_that_are_taken.
    # -- times
    Bug(
        "local times are compared in place of instants",
        "calsync/mapping/booking.py",
        "        start, end = _in_utc(start, length, zone)\n",
        "        end = start + length.wall\n",
    ),
    # -- notices
    Bug(
        "a notice of which nobody knows whether it left is sent again",
        _NOTIFY,
        "        case Delivery.IN_DOUBT:\n            return NoticeState.DOUBTFUL",
        "        case Delivery.IN_DOUBT:\n            return NoticeState.QUEUED",
    ),
    Bug(
        "what was being sent when the process died is sent again",
        _LEDGER,
        "SET state = 'doubtful', changed_at = ?,\"\n            \" reason = 'calsync ended",
        "SET state = 'queued', changed_at = ?,\"\n            \" reason = 'calsync ended",
    ),
    Bug(
        "a notice is kept as queued while it is sent",
        _MAIL,
        "        except SideError as error:\n            return DeliveryReport(delivery=Delivery.IN_DOUBT, reason=error.what)",
        "        except SideError as error:\n            return _not_sent(error.what, 1.0)",
    ),
    # -- feeds
    # Where pages after the first are not read at once, the next cycle goes on from there: late, and
    # nothing is lost. That a round is read to its end is told by tests/unit/graph/test_graph_delta.py.
    Bug(
        "a series told by one of its dates is not read",
        _DELTA,
        "            if is_id(master):\n                found.series[master] = None\n            else:",
        "            if is_id(master):\n                pass\n            else:",
    ),
    Bug(
        "removals in the calendar's feed are passed over",
        _DELTA,
        "            found.removed[key] = None\n            continue\n",
        "            continue\n",
    ),
    Bug(
        "the platform's change feed is not read",
        _HUB,
        "            if not entries:\n",
        "            if entries is not None:\n",
    ),
    Bug(
        "sync's own writes come back as news of people",
        _MIRROR,
        "        self._feed.append(desk.feed_entry(stored, number, self._now, by_sync=known))",
        "        self._feed.append(desk.feed_entry(stored, number, self._now, by_sync=False))",
    ),
    Bug(
        "people's changes are taken for sync's own writes",
        "calsync/adapters/hub/desk.py",
        "tx.record([feed_entry(stored, number, now, by_sync=by_sync)])",
        "tx.record([feed_entry(stored, number, now, by_sync=True)])",
    ),
    # -- settling
    Bug(
        "a change put off counts as made",
        _SETTLE,
        '            return Settled(link=link, what=f"put off: {outcome.reason}")',
        "            return Settled(link=replace(link, booking=replace(link.booking, seen=None),"
        ' event=replace(link.event, seen=None)), what="put off")',
    ),
    Bug(
        "what is in doubt never comes to be looked at again",
        _CYCLE,
        "    if pair.id not in ctx.resting:\n        yield from clear_doubts(",
        "    if False:\n        yield from clear_doubts(",
    ),
    Bug(
        "a room with unsettled links rests",
        _CYCLE,
        "    report.unsettled = any(lk.id not in waiting for lk in ctx.store.unsettled(pair.id))",
        "    report.unsettled = False",
    ),
    Bug(
        "private titles leave Exchange",
        "calsync/mapping/canon.py",
        "    title = None if occ.private else clean_title(occ.title)\n",
        "    title = clean_title(occ.title)\n",
    ),
    Bug(
        "declining a date declines the whole series",
        _WRITES,
        "    if not dates or now.occupancy.recurrence is None:",
        "    if True:",
    ),
    Bug(
        "a throttled call is tried again at once, for ever",
        "calsync/adapters/wrap/paced.py",
        "                budget.block(self._monotonic() + seconds)",
        "                pass",
    ),
    Bug(
        "the guard lets everything pass",
        "calsync/reconcile/guard.py",
        "    if emptied:\n        return Halt(",
        "    if emptied and not limits:\n        return Halt(",
    ),
    Bug(
        "a webhook that nobody took counts as delivered",
        "calsync/adapters/webhooks/post.py",
        "        if reply.taken:\n",
        "        if reply.taken or reply.status == 0:\n",
    ),
    Bug(
        "a thin webhook tells the booking",
        "calsync/adapters/webhooks/post.py",
        '        if not booking_id or not endpoint.scopes & {"bookings:read", "details:read"}:',
        "        if not booking_id:",
    ),
    # -- what only EWS does
    Bug(
        "EWS: a change overwrites whatever came before it (AlwaysOverwrite)",
        f"{_EWS}/requests.py",
        '*updates))\n        ),\n        ConflictResolution="NeverOverwrite",',
        '*updates))\n        ),\n        ConflictResolution="AlwaysOverwrite",',
        "ews",
    ),
    Bug(
        "EWS: nobody looks for what an earlier try made",
        f"{_EWS}/box.py",
        "        found: dict[str, list[str]] = {}\n        for piece in chunks(tags, BATCH):\n",
        "        found: dict[str, list[str]] = {}\n        for piece in chunks(tags[:0], BATCH):\n",
        "ews",
    ),
    Bug(
        "EWS: a state is kept though what it told of could not be read",
        f"{_EWS}/side.py",
        "            seen, missing = read_changed(box, list(found.changed))\n",
        "            try:\n"
        "                seen, missing = read_changed(box, list(found.changed))\n"
        "            except Exception:\n"
        "                pass\n",
        "ews",
    ),
    Bug(
        "EWS: a Delete of a round counts as a cancellation",
        f"{_EWS}/side.py",
        "        told = {*found.changed, *found.removed}\n",
        "        told = {*found.changed, *found.removed}\n"
        "        seen += [Gone(key=key, absence=Absence.DELETED) for key in found.removed]\n"
        "        found.removed.clear()\n",
        "ews",
    ),
    # As with Graph: that ErrorItemNotFound counts although the calendar does not open shows in no
    # history of this size. Its test is
    # tests/integration/test_ews_work.py::test_a_right_that_was_taken_away_deletes_nothing.
    Bug(
        "EWS: an item is known by its ItemId alone",
        f"{_EWS}/reading.py",
        "    return _marked(box, seen) if isinstance(seen, Seen) else seen\n",
        '    return replace(_marked(box, seen), uid="") if isinstance(seen, Seen) else seen\n',
        "ews",
    ),
    Bug(
        "EWS: the changed dates of a master are not read",
        f"{_EWS}/reading.py",
        "            wanted |= dict.fromkeys(exception_ids(one.item), one)\n",
        "            wanted |= dict.fromkeys(exception_ids(one.item)[:0], one)\n",
        "ews",
    ),
    Bug(
        "EWS: the removed dates of a master are not read",
        "calsync/mapping/ews_item.py",
        '            *_removed(item.get("DeletedOccurrences")),\n',
        "",
        "ews",
    ),
    Bug(
        "EWS: BackOffMilliseconds are passed over",
        f"{_EWS}/transport.py",
        "            seconds = wait_of(verdict)\n",
        "            seconds = 0.01\n",
        "ews",
    ),
    Bug(
        "EWS: a cancelled meeting that stays in the calendar holds the room",
        "calsync/mapping/ews_item.py",
        '        "isCancelled": _flag(item.get("IsCancelled")) is True or bool(state & _CANCELLED),\n',
        '        "isCancelled": False,\n',
        "ews",
    ),
)

"""The history of a booking as sentences: every step and step's name has words of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from calsync.cli.timeline import _DONE, _PLANS, _TRIED, told
from calsync.cli.timeline import timeline as sentences
from calsync.model import (
    Conflict,
    ConflictKind,
    EffectKind,
    Notice,
    NoticeKind,
    Occupancy,
    Person,
    Side,
)
from calsync.ports import AuditEntry, AuditStep, NoticeState
from calsync.reconcile.decide import Verb
from calsync.store.reports import ConflictRecord, NoticeRecord, Story

AT = datetime(2026, 11, 20, 22, 59, 58, tzinfo=UTC)
HOUR = Occupancy(
    start=datetime(2026, 11, 21, 9), end=datetime(2026, 11, 21, 10), zone="UTC", title="Board"
)


def entry(step: AuditStep, what: str, seconds: int = 0, **detail: str) -> AuditEntry:
    at = AT + timedelta(seconds=seconds)
    return AuditEntry(at=at, pair_id="p", link_id="l", step=step, what=what, detail=detail)


def story(*entries: AuditEntry, **more: object) -> Story:
    parts: dict[str, object] = {"conflicts": [], "notices": [], "open_effects": []}
    return Story(link_id="l", link=None, entries=list(entries), **{**parts, **more})  # type: ignore[arg-type]


def test_every_effect_and_every_verb_has_words() -> None:
    kinds = {kind.value for kind in EffectKind}
    assert kinds == set(_TRIED) == set(_DONE)
    silent = {Verb.NOTHING, Verb.SKIP}
    assert {verb.value for verb in Verb if verb not in silent} | kinds <= set(_PLANS)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            entry(AuditStep.ACT, "created on the booking side"),
            "somebody booked it on the platform",
        ),
        (
            entry(AuditStep.ACT, "changed on the calendar side"),
            "somebody changed it in Outlook",
        ),
        (
            entry(AuditStep.OBSERVATION, "present on the calendar side"),
            "calsync saw it in Outlook",
        ),
        (
            entry(AuditStep.OBSERVATION, "gone on the booking side", reason="it was rejected"),
            "calsync saw that it is gone on the platform: it was rejected",
        ),
        (
            entry(AuditStep.OBSERVATION, "unknown on the calendar side", reason="a fault"),
            "calsync could not tell whether it is in Outlook: a fault",
        ),
        (
            entry(AuditStep.DECISION, "create event: new on the booking side"),
            "calsync decided to put it into the room's calendar: new on the booking side",
        ),
        (entry(AuditStep.DECISION, "unheard of"), "calsync decided: unheard of"),
        (entry(AuditStep.CALL, "decline event"), "calsync had the room decline the meeting"),
        (
            entry(AuditStep.CONFIRMATION, "create event: confirmed"),
            "the room's calendar has it",
        ),
        (
            entry(AuditStep.CONFIRMATION, "create event: confirmed in part"),
            "the room's calendar has it (not all of it yet)",
        ),
        (
            entry(AuditStep.CONFIRMATION, "change event: refused: too late"),
            "that did not work out (change event): refused: too late",
        ),
    ],
)
def test_each_step_is_a_sentence(one: AuditEntry, said: str) -> None:
    assert [s.text for s in sentences(story(one))] == [said]


def test_all_that_is_known_stands_in_one_line_of_time_by_the_rooms_clock() -> None:
    conflict = ConflictRecord(
        id=1,
        at=AT + timedelta(seconds=1),
        pair_id="p",
        conflict=Conflict(
            kind=ConflictKind.CLASH,
            link_id="l",
            other_link_id="m",
            policy="first",
            winner=Side.CALENDAR,
            reason="the room was claimed there, too",
        ),
    )
    notice = NoticeRecord(
        id=1,
        pair_id="p",
        notice=Notice(
            kind=NoticeKind.REJECTED,
            link_id="l",
            booking_key="b",
            revision="1",
            person=Person("Eve", "eve@x.test"),
            occupancy=HOUR,
        ),
        state=NoticeState.DOUBTFUL,
        tries=1,
        reason="the reply was lost",
        queued_at=AT + timedelta(seconds=3),
        changed_at=AT + timedelta(seconds=4),
    )
    whole = story(
        entry(AuditStep.CALL, "reject booking", 2),
        entry(AuditStep.CALL, "reject booking", 2),
        entry(AuditStep.ACT, "created on the booking side"),
        conflicts=[conflict],
        notices=[notice],
    )
    assert list(told(sentences(whole), "Europe/Berlin")) == [
        "2026-11-20  23:59:58  somebody booked it on the platform",
        "            23:59:59  clash: the calendar side kept it (the room was claimed there, too;"
        " policy first)",
        "2026-11-21  00:00:00  calsync rejected it on the platform",
        "            00:00:01  a message “rejected” to eve@x.test was made ready",
        "            00:00:02  whether the message “rejected” reached eve@x.test is not known; it"
        " is not sent again: the reply was lost",
    ]

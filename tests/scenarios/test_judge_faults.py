"""The judge catches planted faults, one test each; a clean run gives zeros."""

from __future__ import annotations

import pytest

from calsync.demo.judge import judge
from calsync.demo.records import Idle
from tests.scenarios.judged import Run, clean, one

ZEROS = ("differences_at_rest", "writes_while_idle", "lost", "invented", "double_booked_by_calsync")


def test_a_clean_run_gives_zeros() -> None:
    report = judge(clean().end())
    assert report["ok"], report["details"]
    assert [report[name] for name in ZEROS] == [0] * 5
    assert report["acts"] == {"outlook": 2, "platform": 1}
    assert report["carried"] == 3
    assert report["notices"] == {"sent": 1, "duplicated": 0, "missing": 0}
    assert report["clashes"]["happened"] == report["edit_conflicts"]["happened"] == 0
    speed = report["latency_ms"]
    assert speed["platform_to_outlook"]["p50"] == 200.0
    assert speed["outlook_to_platform"] == {"p50": 1100.0, "p95": 1100.0, "p99": 1100.0}


def test_a_booking_lost_on_both_sides_is_lost() -> None:
    run = clean()
    run.shown["outlook"]["uid-o1"] = run.shown["platform"]["id-o1"] = {}
    report = judge(run.end())
    assert (report["lost"], report["differences_at_rest"]) == (1, 0)
    assert not report["ok"]


def test_a_booking_missing_on_one_side_is_lost_and_a_difference() -> None:
    run = clean()
    run.shown["platform"]["id-o1"] = {}
    report = judge(run.end())
    assert (report["lost"], report["differences_at_rest"]) == (1, 1)


def test_a_decline_without_a_rival_does_not_excuse_a_loss() -> None:
    run = clean()
    run.to_calendar(6, "o1", {}, kind="decline")
    run.to_platform(6.1, "o1", {})
    report = judge(run.end())
    assert report["lost"] == 1
    assert "nobody else got its time" in report["details"][0]


def test_a_second_image_of_one_booking_is_invented() -> None:
    run = clean()
    run.shown["outlook"]["uid-again"] = {"": one(14)}
    run.shown["platform"]["id-again"] = {"": one(14)}
    report = judge(run.end())
    assert report["invented"] == 2
    assert report["lost"] == report["differences_at_rest"] == 0


def test_an_item_no_act_explains_is_invented() -> None:
    run = clean()
    run.shown["platform"]["id-x"] = {"": one(17)}
    report = judge(run.end())
    assert (report["invented"], report["differences_at_rest"]) == (1, 1)


def test_a_cancelled_booking_that_comes_back_is_invented() -> None:
    run = clean()
    run.act(6, "outlook", "o1", {"clear": True}, saw={"": one(11)})
    run.shown["outlook"]["uid-o1"] = {"": one(11)}
    report = judge(run.end())
    assert report["invented"] >= 1
    assert report["lost"] == 0


def test_a_one_sided_edit_that_was_reverted_is_lost() -> None:
    run = clean()
    run.shown["outlook"]["uid-p1"] = run.shown["platform"]["id-p1"] = {"": one(9)}
    report = judge(run.end())
    assert (report["lost"], report["differences_at_rest"]) == (1, 0)


def test_an_edit_in_sight_of_the_other_sides_edit_must_prevail() -> None:
    run = clean()
    run.act(6, "platform", "p1", {"time": one(15)}, saw={"": one(14)})
    run.answer(6.2, "p1")
    report = judge(run.end())  # the calendar still shows 14 o'clock
    assert report["lost"] == 1
    assert report["edit_conflicts"]["happened"] == 0


def test_both_ends_of_an_edit_out_of_sight_are_admitted_and_nothing_else() -> None:
    for hour, lost in ((15, 0), (16, 0), (14, 1), (9, 1)):
        run = clean()
        run.act(6, "platform", "p1", {"time": one(15)}, saw={"": one(14)})
        run.act(6.1, "outlook", "p1", {"time": one(16)}, saw={"": one(14)})
        run.answer(6.3, "p1")
        run.shown["outlook"]["uid-p1"] = run.shown["platform"]["id-p1"] = {"": one(hour)}
        report = judge(run.end())
        assert report["lost"] == lost, hour
        assert report["edit_conflicts"] == {
            "happened": 1,
            "resolved": 1 - lost,
            "parked": lost,
        }


def test_edits_of_different_fields_may_be_merged() -> None:
    run = clean()
    run.act(6, "platform", "p1", {"title": "New"}, saw={"": one(14)})
    run.act(6.1, "outlook", "p1", {"time": one(16)}, saw={"": one(14)})
    run.answer(6.3, "p1")
    merged = {"": one(16, title="New")}
    run.shown["outlook"]["uid-p1"] = run.shown["platform"]["id-p1"] = merged
    report = judge(run.end())
    assert report["ok"], report["details"]
    assert report["edit_conflicts"]["resolved"] == 1


def _clash() -> Run:
    """Both sides grab ten o'clock; the platform's booking was the earlier one."""
    run = clean()
    run.act(6.0, "platform", "p2", {"set": [one(10)]})
    run.act(6.05, "outlook", "o2", {"set": [one(10)]})
    run.read(6.1)
    return run


def test_the_loser_of_a_real_clash_is_not_lost() -> None:
    run = _clash()
    run.to_calendar(6.2, "o2", {}, kind="decline")
    run.to_calendar(6.3, "p2", {"": one(10)})
    run.answer(6.4, "p2")
    report = judge(run.end())
    assert report["ok"], report["details"]
    assert report["clashes"] == {"happened": 1, "resolved": 1, "parked": 0}
    assert report["declines_sent"] == 1


def test_a_rejected_booking_of_the_platform_is_not_lost_either() -> None:
    run = _clash()
    run.answer(6.2, "p2", rejected=True)
    run.to_platform(6.3, "o2", {"": one(10)})
    report = judge(run.end())
    assert report["ok"], report["details"]
    assert report["clashes"]["resolved"] == 1


def test_losing_both_bookings_of_a_clash_is_seen() -> None:
    run = _clash()
    run.to_calendar(6.2, "o2", {}, kind="decline")
    run.shown["platform"]["id-p2"] = {}
    run.answer(6.4, "p2", rejected=True)
    report = judge(run.end())
    assert report["lost"] >= 1
    assert not report["ok"]


def test_a_write_onto_time_read_as_taken_is_a_double_booking() -> None:
    run = clean()
    run.act(6, "outlook", "o2", {"set": [one(10)]})
    run.act(6.2, "platform", "p2", {"set": [one(10)]})
    run.read(7)
    run.to_calendar(7.1, "p2", {"": one(10)})
    run.answer(7.2, "p2")
    run.to_calendar(8, "p2", {}, kind="delete")  # even where it is taken back later
    run.answer(8.1, "p2", rejected=True)
    run.to_platform(8.2, "o2", {"": one(10)})
    report = judge(run.end())
    assert report["double_booked_by_calsync"] == 1


def test_what_came_while_a_read_was_throttled_had_not_been_read() -> None:
    for status, doubled in ((429, 0), (200, 1)):
        run = clean()
        run.act(6, "outlook", "o2", {"set": [one(10)]})
        run.read(6.1)
        if status == 429:
            run.records.calls[-1] |= {"status": 429, "mailbox": "", "operation": "fault"}
        run.act(6.2, "platform", "p2", {"set": [one(10)]})
        run.read(7.1)
        run.to_platform(7.2, "o2", {"": one(10)})
        run.answer(7.3, "p2", rejected=True)
        assert judge(run.end())["double_booked_by_calsync"] == doubled


def test_an_overlap_at_rest_that_people_did_not_make_is_a_double_booking() -> None:
    run = _clash()
    run.to_calendar(6.2, "p2", {"": one(10)})
    run.answer(6.3, "p2")
    run.to_platform(6.4, "o2", {"": one(10)})
    report = judge(run.end())
    assert report["double_booked_by_calsync"] == 1
    assert report["clashes"]["parked"] == 1


def test_an_overlap_made_in_sight_is_the_peoples_own() -> None:
    run = clean()
    run.act(6, "outlook", "o2", {"set": [one(14)]})  # onto p1, which the calendar shows
    run.read(7)
    run.to_platform(7.1, "o2", {"": one(14)})
    report = judge(run.end())
    assert report["ok"], report["details"]
    assert report["clashes"]["happened"] == 0


def test_a_missing_and_a_duplicate_notice_are_counted() -> None:
    run = clean()
    run.records.mails.clear()
    assert judge(run.end())["notices"] == {"sent": 0, "duplicated": 0, "missing": 1}
    run = clean()
    run.records.mails *= 2
    report = judge(run.end())
    assert report["notices"] == {"sent": 2, "duplicated": 1, "missing": 0}
    assert not report["ok"]


def test_a_mail_to_somebody_who_asked_nothing_is_a_duplicate() -> None:
    run = clean()
    run.records.mails.append({"kind": "mail", "to": "stranger@contoso.example"})
    assert judge(run.end())["notices"]["duplicated"] == 1


def test_two_changes_answered_at_once_get_one_notice() -> None:
    run = clean()
    run.act(6, "platform", "p2", {"set": [one(16)]})
    run.act(6.01, "platform", "p2", {"time": one(17)}, saw={"": one(16)})
    run.read(6.1)
    run.to_calendar(6.2, "p2", {"": one(17)})
    run.answer(6.3, "p2")
    report = judge(run.end())
    assert report["ok"], report["details"]


def test_writes_while_idle_are_counted() -> None:
    run = clean()
    run.records.idle = Idle(seconds=6.5, app_writes=2, feed_lines=1)
    report = judge(run.end())
    assert report["writes_while_idle"] == 3
    assert not report["ok"]


def test_a_run_that_did_not_come_to_rest_is_not_ok() -> None:
    run = clean()
    run.records.rested = False
    assert not judge(run.end())["ok"]


def _series() -> list[dict[str, object]]:
    return [{**one(10), "slot": one(10)["start"]}, {**one(12), "slot": one(12)["start"]}]


def test_a_series_may_lose_the_dates_it_lost_a_clash_for_and_no_others() -> None:
    for kept, lost in ((one(12)["start"], 0), (one(10)["start"], 1)):
        run = clean()
        run.act(6.0, "outlook", "o2", {"set": [one(10)]})
        run.act(6.05, "platform", "p2", {"set": _series()})
        run.read(6.1)
        state = {i["slot"]: i for i in _series() if i["slot"] == kept}
        run.refuse_in_part(6.2, "p2", state, ["2026-12-01T11:00:00"])  # 10:00 UTC in Berlin
        run.to_calendar(6.3, "p2", state)
        run.answer(6.4, "p2")
        run.to_platform(6.5, "o2", {"": one(10)})
        report = judge(run.end())
        assert report["lost"] == lost, report["details"]
        assert report["clashes"]["happened"] == 1
        if not lost:
            assert report["ok"], report["details"]


def test_a_move_that_lost_a_clash_leaves_the_booking_where_it_was() -> None:
    run = clean()
    run.act(6.0, "outlook", "o2", {"set": [one(16)]})
    run.act(6.05, "platform", "p1", {"time": one(16)}, saw={"": one(14)})
    run.read(6.1)
    run.refuse_in_part(6.2, "p1", {"": one(14)}, [])
    run.answer(6.3, "p1")
    run.to_platform(6.4, "o2", {"": one(16)})
    report = judge(run.end())
    assert report["ok"], report["details"]
    assert report["clashes"] == {"happened": 1, "resolved": 1, "parked": 0}


@pytest.mark.parametrize(("hour", "lost"), [(14, 0), (15, 0), (12, 1)])
def test_of_two_quick_moves_the_refused_one_may_take_the_other_along(hour: int, lost: int) -> None:
    """The calendar still holds 14:00: back to that, or to 15:00 just before, but nowhere else."""
    run = clean()
    run.act(6.0, "outlook", "o2", {"set": [one(16)]})
    run.act(6.02, "platform", "p1", {"time": one(15)})
    run.act(6.05, "platform", "p1", {"time": one(16)}, saw={"": one(14)})
    run.read(6.1)
    run.refuse_in_part(6.2, "p1", {"": one(hour)}, [])
    if hour != 14:
        run.to_calendar(6.25, "p1", {"": one(hour)}, kind="change")
    run.answer(6.3, "p1")
    run.to_platform(6.4, "o2", {"": one(16)})
    report = judge(run.end())
    assert report["lost"] == lost, report["details"]


def test_an_api_that_fails_is_not_in_order() -> None:
    run = clean()
    run.act(6, "platform", "p9", {"set": [one(8)]}, accepted=False)
    run.records.log[-1]["answer"] = {"status": 500}
    report = judge(run.end())
    assert not report["ok"]
    assert report["refused_by_the_side"] == 1

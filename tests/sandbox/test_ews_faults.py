"""Faults through EWS: the same ones as Graph's, in the shape that Exchange gives them."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from .client import ROOM, ROOM2
from .soap import Answer, Ews, put, tag, tag_is

ANSWERED = {"Content-Type": "text/xml"}


@pytest.fixture
def ews() -> Ews:
    return Ews()


def raw(ews: Ews, **more: str) -> Any:
    from .soap import appointment, place

    return ews.raw(
        ews.envelope(
            '<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>'
            f"{place('calendar')}</m:SavedItemFolderId><m:Items><t:CalendarItem>"
            f"{appointment(**more)}</t:CalendarItem></m:Items></m:CreateItem>"
        )
    )


def live(ews: Ews) -> int:
    return len(ews.graph.live())


def test_a_lost_request_and_a_lost_reply(ews: Ews) -> None:
    ews.graph.fault("lost_request", method="CreateItem", count=1)
    assert raw(ews).fate == "drop"
    assert live(ews) == 0
    ews.graph.fault("reply_lost", method="CreateItem", count=1)
    assert raw(ews, middle=tag("k")).fate == "drop"
    assert live(ews) == 1
    assert len(ews.find(tag_is("k")).ok().ids) == 1, (
        "so it can be looked up before it is sent again"
    )


def test_errors_before_and_after_the_work(ews: Ews) -> None:
    ews.graph.fault("error_before", count=1, params={"status": 503})
    assert raw(ews).status == 503
    assert live(ews) == 0
    ews.graph.fault("error_after", count=1, params={"status": 503})
    assert raw(ews).status == 503
    assert live(ews) == 1


def test_spoiled_answers(ews: Ews) -> None:
    for kind in ("truncated_json", "garbage_json"):
        ews.graph.fault(kind, count=1)
        answer = raw(ews)
        assert answer.status == 200
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(answer.body)
    ews.graph.fault("html_after", count=1)
    assert raw(ews).headers["Content-Type"].startswith("text/html")
    ews.graph.fault("reset_mid_body", count=1)
    assert raw(ews).fate == "reset"
    assert live(ews) == 4


@pytest.mark.parametrize(
    ("params", "status", "code", "wait"),
    [
        ({}, 500, "ErrorServerBusy", "5000"),
        ({"seconds": 7.5}, 500, "ErrorServerBusy", "7500"),
        ({"form": "absent"}, 500, "ErrorServerBusy", None),
        ({"form": "wrapped", "seconds": 3}, 500, "ErrorInternalServerError", "3000"),
        ({"form": "message", "seconds": 3}, 200, "ErrorServerBusy", "3000"),
        ({"form": "http", "seconds": 9}, 503, None, None),
    ],
)
def test_throttling(
    ews: Ews, params: dict[str, Any], status: int, code: str | None, wait: str | None
) -> None:
    ews.graph.fault("throttled", count=1, params=params)
    answer = raw(ews)
    assert answer.status == status
    assert live(ews) == 0
    if code is None:
        assert answer.headers["Retry-After"] == "9"
        return
    told = Answer(answer)
    assert told.codes == [code]
    assert [one.text for one in told.all("//t:Value[@Name='BackOffMilliseconds']")] == (
        [wait] if wait else []
    )


def test_a_lost_right_looks_like_a_missing_item(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    ews.graph.fault("permission_removed", params={"status": 404})
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    assert ews.sync().codes == ["ErrorItemNotFound"]
    ews.graph.control("DELETE", "faults")
    ews.graph.fault("permission_removed")
    assert ews.get(made).codes == ["ErrorAccessDenied"]
    ews.graph.control("DELETE", "faults")
    assert ews.get(made).ok()


def test_a_batch_that_stops(ews: Ews) -> None:
    ids = [ews.create().ok().ids[0][0] for _ in range(4)]
    ews.graph.fault("batch_stopped", count=1, after=1)
    answer = ews.get(*ids)
    assert answer.codes == ["NoError", "NoError", "ErrorServerBusy", "ErrorBatchProcessingStopped"]
    assert answer.all("//*[@ResponseClass='Warning']")
    ews.graph.fault("batch_part_throttled", count=1, after=2)
    assert ews.get(*ids).codes == ["NoError", "NoError", "ErrorServerBusy", "NoError"]


def test_states_that_are_void(ews: Ews) -> None:
    state = ews.sync().text("//m:SyncState")
    ews.graph.fault("gone", method="SyncFolderItems", count=1)
    assert ews.sync(state).codes == ["ErrorInvalidSyncStateData"]
    assert ews.sync(state).ok()


def test_listings_that_lie(ews: Ews) -> None:
    ids = {ews.create().ok().ids[0][0] for _ in range(12)}
    state = ews.sync().text("//m:SyncState")

    def once(kind: str, said: str = "") -> Answer:
        ews.graph.fault(kind, count=1)
        return ews.sync(said).ok()

    assert len(once("lossy_list").ids) == 2
    assert once("empty_list").ids == []
    short = once("short_page")
    assert len(short.ids) == 6
    assert short.text("//m:IncludesLastItemInRange") == "false"
    assert len(ews.sync(short.text("//m:SyncState")).ok().ids) == 6
    ews.graph.fault("short_page", count=1, method="FindItem")
    view = '<m:IndexedPageItemView MaxEntriesReturned="50" Offset="0" BasePoint="Beginning"/>'
    found = ews.find(view=view).ok()
    assert (len(found.ids), found.text("//m:RootFolder/@IncludesLastItemInRange")) == (6, "false")
    false = once("false_removed", state)
    assert len(false.all("//t:Delete")) == 10
    assert len(once("delta_replay", state).ids) == 10
    assert once("same_cursor", state).text("//m:SyncState") == state
    shuffled = once("out_of_order")
    assert {one for one, _ in shuffled.ids} == ids


def test_a_replay_still_tells_of_what_went(ews: Ews) -> None:
    """What the client's state knows and is deleted now did not "come and go between two calls",
    although the server goes back further. Seed 1088 of the simulation."""
    made = ews.create(subject="One").ok().ids[0][0]
    state = ews.sync().ok().text("//m:SyncState")
    ews.delete(made).ok()
    ews.graph.fault("delta_replay", count=1, method="SyncFolderItems")
    told = ews.sync(state).ok()
    assert [one.get("Id") for one in told.all("//t:Delete/t:ItemId")] == [made]


def test_stale_reads(ews: Ews) -> None:
    made = ews.create(subject="One").ok().ids[0]
    ews.update(made, put("item:Subject", "<t:Subject>Two</t:Subject>")).ok()
    ews.graph.fault("stale_read", params={"seconds": 30}, method="GetItem")
    assert ews.get(made[0]).text("//t:Subject") == "One"
    ews.graph.clock.forward(31)
    assert ews.get(made[0]).text("//t:Subject") == "Two"


def test_created_without_its_tag(ews: Ews) -> None:
    ews.graph.fault("without_tag", count=1, method="CreateItem")
    assert raw(ews, middle=tag("k")).status == 503
    assert live(ews) == 1
    assert ews.find(tag_is("k")).ok().ids == []


def test_updates_that_make_another_item(ews: Ews) -> None:
    for kind in ("recreate", "id_change"):
        made = ews.create().ok().ids[0]
        ews.graph.fault(kind, count=1, method="UpdateItem")
        after = ews.update(made, put("item:Subject", "<t:Subject>x</t:Subject>")).ok().ids[0]
        assert after[0] != made[0]
        assert ews.get(made[0]).codes == ["ErrorItemNotFound"]
        assert ews.get(after[0]).ok()


def test_faults_meet_a_mailbox_or_an_operation(ews: Ews) -> None:
    ews.graph.fault("not_found", path=ROOM2)
    assert ews.find().ok()
    ews.act_as = ROOM2
    assert ews.find().codes == ["ErrorItemNotFound"]
    ews.act_as = None
    from .soap import place

    body = (
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"</m:ItemShape><m:ParentFolderIds>{place(f'calendar@{ROOM2}')}</m:ParentFolderIds>"
        "</m:FindItem>"
    )
    assert ews.call(body).codes == ["ErrorItemNotFound"]


def test_the_rest_of_the_faults(ews: Ews) -> None:
    ews.graph.fault("html_login", count=1)
    assert b"Sign in" in raw(ews).body
    ews.graph.fault("redirect", count=1)
    assert raw(ews).status == 302
    ews.graph.fault("token_expired", count=1)
    assert raw(ews).status == 401
    ews.graph.fault("mailbox_moved", count=1)
    assert Answer(raw(ews)).codes == ["ErrorMailboxMoveInProgress"]
    ews.graph.fault("slow", count=1, params={"seconds": 2})
    assert raw(ews).delay_s == 2
    assert live(ews) == 1


def test_calls_are_counted_with_graphs(ews: Ews) -> None:
    ews.create().ok()
    ews.sync().ok()
    rows = ews.graph.control("GET", "calls")["calls"]
    counted = {(row["operation"], row["mailbox"]): row["count"] for row in rows}
    assert counted[("EWS CreateItem", ROOM)] == 1
    assert counted[("EWS SyncFolderItems", ROOM)] == 1
    (line,) = [one for one in ews.graph.control("GET", "log")["log"] if one["who"] == "app"]
    assert (line["kind"], line["mailbox"], line["app"]) == ("create", ROOM, "svc-calsync")

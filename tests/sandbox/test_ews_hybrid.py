"""Mailboxes in the cloud, on premises, and on the way."""

from __future__ import annotations

from .client import ROOM, ROOM2, TAG, event
from .soap import CLEAN, KEY, Ews, tag


def test_each_front_serves_its_own_mailboxes() -> None:
    ews = Ews()
    graph = ews.graph
    graph.control("PATCH", f"rooms/{ROOM}", {"home": "onprem"})
    graph.control("PATCH", f"rooms/{ROOM2}", {"home": "cloud"})
    assert ews.find().ok()
    assert graph.refused("GET", f"{ROOM}/events") == (404, "MailboxNotEnabledForRESTAPI")
    ews.act_as = ROOM2
    assert ews.find().codes == ["ErrorNonExistentMailbox"]
    ews.act_as = None
    assert ews.find(folder=f"calendar@{ROOM2}").codes == ["ErrorNonExistentMailbox"]
    ews.user = ROOM2
    assert ews.find().codes == ["ErrorMissingEmailAddress"]
    assert graph.ok("GET", f"{ROOM2}/events")["value"] == []
    made = graph.book(room=ROOM)
    assert made["verdict"] == "accepted", "the attendant works wherever the room is"


def test_a_mailbox_moves_to_the_cloud() -> None:
    ews = Ews()
    graph = ews.graph
    graph.control("PATCH", f"rooms/{ROOM}", {"home": "onprem"})
    made = ews.create(middle=tag("k")).ok().ids[0][0]
    graph.book("2026-12-02T10:00", "2026-12-02T11:00")
    uids = {one["iCalUId"] for one in graph.live()}
    mails = len(graph.mails())
    state = ews.sync().text("//m:SyncState")
    folder = ews.folder_id()
    graph.control("POST", f"rooms/{ROOM}/migrate", {"to": "cloud"})
    assert ews.get(made).codes == ["ErrorNonExistentMailbox"]
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{TAG}')"
    rows = graph.ok("GET", f"{ROOM}/events?{expand}")["value"]
    assert {one["iCalUId"] for one in rows} == uids
    assert made not in {one["id"] for one in rows}
    assert sum("singleValueExtendedProperties" in one for one in rows) == 1
    assert len(graph.mails()) == mails
    graph.control("POST", f"rooms/{ROOM}/migrate", {"to": "onprem"})
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    assert ews.find(folder=folder).codes == ["ErrorItemNotFound"]
    assert ews.sync(state).codes == ["ErrorInvalidSyncStateData"]
    found = ews.find(extra=KEY + CLEAN).ok()
    assert len(found.all("//t:CalendarItem")) == 2
    late = graph.refused("POST", f"{ROOM}/events", event())
    assert late[1] == "MailboxNotEnabledForRESTAPI"


def test_delta_links_are_void_after_a_move() -> None:
    ews = Ews()
    _, link = ews.graph.first_delta()
    ews.graph.control("POST", f"rooms/{ROOM}/migrate", {"to": "both"})
    assert ews.graph.refused("GET", link)[0] == 410

"""SyncFolderItems and SyncFolderHierarchy: rounds, pages, and states that are no more."""

from __future__ import annotations

import pytest

from .client import ANN, BOB, ROOM, ROOM2, event
from .soap import Answer, Ews, place, put, weekly, zones


@pytest.fixture
def ews() -> Ews:
    return Ews()


def changes(answer: Answer) -> list[tuple[str, str]]:
    rows = answer.ok().one("//m:Changes")
    return [
        (one.tag.rpartition("}")[2], next(iter(one.iter("{*}ItemId"))).get("Id")) for one in rows
    ]


def state(answer: Answer) -> str:
    return answer.text("//m:SyncState")


def test_the_first_call_tells_all_newest_first(ews: Ews) -> None:
    ids = [ews.create(subject=str(n)).ok().ids[0][0] for n in range(3)]
    answer = ews.sync()
    assert changes(answer) == [("Create", one) for one in reversed(ids)]
    assert answer.text("//m:IncludesLastItemInRange") == "true"
    assert changes(ews.sync(state(answer))) == []


def test_what_changed_since(ews: Ews) -> None:
    kept, gone = (ews.create().ok().ids[0] for _ in range(2))
    before = state(ews.sync())
    ews.update(kept, put("item:Subject", "<t:Subject>x</t:Subject>")).ok()
    ews.delete(gone[0]).ok()
    new = ews.create().ok().ids[0]
    short = ews.create().ok().ids[0]
    ews.delete(short[0]).ok()
    after = ews.sync(before)
    assert changes(after) == [("Update", kept[0]), ("Delete", gone[0]), ("Create", new[0])]
    assert changes(ews.sync(before)) == changes(after), "a state can be used twice"
    assert changes(ews.sync(state(after))) == []


def test_pages(ews: Ews) -> None:
    ids = {ews.create().ok().ids[0][0] for _ in range(5)}
    seen: list[str] = []
    answer = ews.sync(most=2)
    while True:
        seen += [one for _, one in changes(answer)]
        if answer.text("//m:IncludesLastItemInRange") == "true":
            break
        if len(seen) == 2:
            late = ews.create().ok().ids[0][0]
        answer = ews.sync(state(answer), most=2)
    assert set(seen) == ids
    assert len(seen) == 5
    assert changes(ews.sync(state(answer))) == [("Create", late)]


def test_series_show_as_masters_and_their_instances_as_updates(ews: Ews) -> None:
    master = ews.create(after=weekly("Tuesday", "2026-12-01", 5) + zones()).ok().ids[0][0]
    answer = ews.sync()
    assert changes(answer) == [("Create", master)]
    one = f'<t:OccurrenceItemId RecurringMasterId="{master}" InstanceIndex="2"/>'
    ews.delete(one).ok()
    assert changes(ews.sync(state(answer))) == [("Update", master)]


def test_a_move_out_and_back_gives_another_id(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    before = state(ews.sync())
    ews.graph.box.act(kind="move_folder", room=ROOM, id=made, copy=True)
    (gone, new) = changes(ews.sync(before))
    assert gone == ("Delete", made)
    assert new[0] == "Create"
    assert new[1] != made
    assert ews.get(made).codes == ["ErrorItemNotFound"]


def test_acceptance_may_be_delete_and_create(ews: Ews) -> None:
    ews.graph.switch(accept_recreates_copy=True)
    uid = ews.graph.book()["iCalUId"]
    before = state(ews.sync())
    ews.graph.box.act(kind="move", room=ROOM, iCalUId=uid, start="2026-12-01T14:00")
    assert sorted(kind for kind, _ in changes(ews.sync(before))) == ["Create", "Delete"]


def test_states_that_are_refused(ews: Ews) -> None:
    good = state(ews.sync())
    for bad in ("nonsense", good[:-6], good[::-1]):
        assert ews.sync(bad).codes == ["ErrorInvalidSyncStateData"], bad
    ews.act_as = ROOM2
    assert ews.sync(good).codes == ["ErrorInvalidSyncStateData"]
    ews.act_as = ROOM
    assert ews.sync(good, folder="inbox").codes == ["ErrorInvalidSyncStateData"]
    assert ews.sync(good).ok()


def test_a_restore_voids_states(ews: Ews) -> None:
    ews.create().ok()
    good = state(ews.sync())
    ews.graph.control("POST", f"rooms/{ROOM}/backup", {})
    ews.graph.control("POST", f"rooms/{ROOM}/restore", {"tokens": "void"})
    assert ews.sync(good).codes == ["ErrorInvalidSyncStateData"]
    assert len(changes(ews.sync())) == 1


def test_a_mailbox_made_anew_knows_no_old_ids(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    good, folder = state(ews.sync()), ews.folder_id()
    ews.graph.control("POST", f"rooms/{ROOM}/remake", {})
    assert ews.sync(good).codes == ["ErrorInvalidSyncStateData"]
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    assert ews.find(folder=folder).codes == ["ErrorItemNotFound"]
    assert changes(ews.sync()) == []


@pytest.mark.not_of_schema
@pytest.mark.parametrize("most", [0, 513])
def test_pages_have_limits(ews: Ews, most: int) -> None:
    assert ews.sync(most=most).codes == ["ErrorSchemaValidation"]


def test_ignored_items_do_not_come(ews: Ews) -> None:
    ids = [ews.create().ok().ids[0][0] for _ in range(2)]
    answer = ews.call(
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        f"<m:SyncFolderId>{place('calendar')}</m:SyncFolderId><m:Ignore>"
        f'<t:ItemId Id="{ids[0]}"/></m:Ignore><m:MaxChangesReturned>10</m:MaxChangesReturned>'
        "</m:SyncFolderItems>"
    )
    assert changes(answer) == [("Create", ids[1])]


def test_both_fronts_tell_of_each_others_writes(ews: Ews) -> None:
    _, link = ews.graph.first_delta()
    before = state(ews.sync())
    mine = ews.create().ok().ids[0][0]
    theirs = ews.graph.ok("POST", f"{ROOM}/events", event("2026-12-02"))["id"]
    assert changes(ews.sync(before)) == [("Create", mine), ("Create", theirs)]
    rows, _ = ews.graph.round(link)
    assert [one["id"] for one in rows] == [mine, theirs]


# -- folders --------------------------------------------------------------------------------


def hierarchy(ews: Ews, said: str = "") -> Answer:
    known = f"<m:SyncState>{said}</m:SyncState>" if said else ""
    return ews.call(
        "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape>"
        f"</m:FolderShape><m:SyncFolderId>{place('msgfolderroot')}</m:SyncFolderId>{known}"
        "</m:SyncFolderHierarchy>"
    ).ok()


def make(ews: Ews, name: str, parent: str = "msgfolderroot", kind: str = "Folder") -> Answer:
    return ews.call(
        f"<m:CreateFolder><m:ParentFolderId>{place(parent)}</m:ParentFolderId><m:Folders>"
        f"<t:{kind}><t:DisplayName>{name}</t:DisplayName></t:{kind}></m:Folders></m:CreateFolder>"
    )


def remove(ews: Ews, folder: str) -> Answer:
    return ews.call(
        f'<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds>{place(folder)}</m:FolderIds>'
        "</m:DeleteFolder>"
    )


def test_folders_come_go_and_are_told_of(ews: Ews) -> None:
    first = hierarchy(ews)
    shown = {one.text for one in first.all("//m:Changes/t:Create//t:DisplayName")}
    assert {"Calendar", "Inbox", "Sent Items", "Deleted Items"} <= shown
    assert not hierarchy(ews, state(first)).all("//m:Changes/*")
    made = make(ews, "Mine", kind="CalendarFolder").ok().one("//t:FolderId").get("Id")
    inner = make(ews, "Inner", parent=made).ok().one("//t:FolderId").get("Id")
    second = hierarchy(ews, state(first))
    assert [one.text for one in second.all("//t:Create//t:DisplayName")] == ["Mine", "Inner"]
    assert second.all("//t:Create/t:CalendarFolder")
    ews.call(
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{place(inner)}<t:Updates>"
        '<t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>New'
        "</t:DisplayName></t:Folder></t:SetFolderField></t:Updates></t:FolderChange>"
        "</m:FolderChanges></m:UpdateFolder>"
    ).ok()
    third = hierarchy(ews, state(second))
    assert third.text("//t:Update//t:DisplayName") == "New"
    remove(ews, made).ok()
    fourth = hierarchy(ews, state(third))
    assert {one.get("Id") for one in fourth.all("//t:Delete/t:FolderId")} == {made, inner}
    assert ews.find(folder=made).codes == ["ErrorFolderNotFound"]


def test_folders_that_cannot_be_made_or_deleted(ews: Ews) -> None:
    make(ews, "Twice").ok()
    assert make(ews, "twice").codes == ["ErrorFolderExists"]
    assert remove(ews, "calendar").codes == ["ErrorDeleteDistinguishedFolder"]
    assert ews.call(
        f'<m:EmptyFolder DeleteType="HardDelete" DeleteSubFolders="false"><m:FolderIds>'
        f"{place('calendar')}</m:FolderIds></m:EmptyFolder>"
    ).codes == ["ErrorCannotEmptyFolder"]


def find_folders(ews: Ews, parent: str, how: str, inner: str = "", test: str = "") -> Answer:
    return ews.call(
        f'<m:FindFolder Traversal="{how}"><m:FolderShape><t:BaseShape>Default</t:BaseShape>'
        f"</m:FolderShape>{inner}{test}<m:ParentFolderIds>{place(parent)}</m:ParentFolderIds>"
        "</m:FindFolder>"
    ).ok()


def test_finding_folders(ews: Ews) -> None:
    make(ews, "Inner", parent="inbox").ok()
    shallow = find_folders(ews, "msgfolderroot", "Shallow")
    deep = find_folders(ews, "msgfolderroot", "Deep")
    names = [one.text for one in shallow.all("//t:DisplayName")]
    assert "Inner" not in names
    assert {one.text for one in deep.all("//t:DisplayName")} - set(names) == {"Inner"}
    pages, offset = [], 0
    while True:
        view = (
            f'<m:IndexedPageFolderView MaxEntriesReturned="5" Offset="{offset}" '
            'BasePoint="Beginning"/>'
        )
        page = find_folders(ews, "msgfolderroot", "Shallow", view)
        pages += [one.text for one in page.all("//t:DisplayName")]
        root = page.one("//m:RootFolder")
        offset = int(root.get("IndexedPagingOffset"))
        if root.get("IncludesLastItemInRange") == "true":
            break
    assert pages == names
    test = (
        '<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="folder:FolderClass"/>'
        '<t:FieldURIOrConstant><t:Constant Value="IPF.Appointment"/></t:FieldURIOrConstant>'
        "</t:IsEqualTo></m:Restriction>"
    )
    assert find_folders(ews, "root", "Deep", test=test).text("//t:DisplayName") == "Calendar"


def test_reading_a_mail_changes_its_flag_only(ews: Ews) -> None:
    ews.graph.box.act(kind="book", person=BOB, room=ROOM, attendees=[ANN], start="2026-12-01T10:00")
    ews.user, ews.act_as = ANN, None
    before = state(ews.sync(folder="inbox"))
    ews.call(
        "<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true"
        f"</m:SuppressReadReceipts><m:FolderIds>{place('inbox')}</m:FolderIds>"
        "</m:MarkAllItemsAsRead>"
    ).ok()
    after = ews.sync(before, folder="inbox")
    assert [kind for kind, _ in changes(after)] == ["ReadFlagChange"]
    assert after.text("//t:ReadFlagChange/t:IsRead") == "true"

"""Files on items."""

from __future__ import annotations

from base64 import b64encode

from .client import ANN, ROOM
from .soap import Answer, Ews, invite

HELLO = b64encode(b"hello").decode()


def attach(ews: Ews, item: str, content: str = HELLO) -> Answer:
    return ews.call(
        f'<m:CreateAttachment><m:ParentItemId Id="{item}"/><m:Attachments><t:FileAttachment>'
        f"<t:Name>a.txt</t:Name><t:ContentType>text/plain</t:ContentType><t:Content>{content}"
        "</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
    )


def ask(ews: Ews, operation: str, ident: str) -> Answer:
    return ews.call(
        f'<m:{operation}><m:AttachmentIds><t:AttachmentId Id="{ident}"/></m:AttachmentIds>'
        f"</m:{operation}>"
    )


def test_a_file_is_put_read_and_taken_off() -> None:
    ews = Ews()
    item = ews.create().ok().ids[0]
    made = attach(ews, item[0]).ok().one("//t:AttachmentId")
    assert made.get("RootItemId") == item[0]
    assert made.get("RootItemChangeKey") != item[1]
    shown = ews.get(item[0])
    assert shown.text("//t:HasAttachments") == "true"
    assert shown.text("//t:Attachments/t:FileAttachment/t:Name") == "a.txt"
    assert not shown.all("//t:Content")
    assert ask(ews, "GetAttachment", made.get("Id")).ok().text("//t:Content") == HELLO
    ask(ews, "DeleteAttachment", made.get("Id")).ok()
    assert ask(ews, "GetAttachment", made.get("Id")).codes == ["ErrorItemNotFound"]
    assert ask(ews, "GetAttachment", item[0]).codes == ["ErrorInvalidAttachmentId"]
    assert ews.get(item[0]).text("//t:HasAttachments") == "false"


def test_the_attendant_takes_files_off_the_rooms_copy() -> None:
    room = Ews()
    ann = Ews(room.graph)
    ann.user, ann.act_as = ANN, None
    made = ann.create(after=invite(resource=ROOM)).ok().ids[0]
    attach(ann, made[0]).ok()
    from .soap import put

    now = ann.get(made[0]).ids[0]
    ann.update(now, put("item:Subject", "<t:Subject>x</t:Subject>"), send="SendToAllAndSaveCopy")
    copy = room.get(room.find().ids[0][0])
    assert copy.text("//t:HasAttachments") == "false"
    assert not copy.all("//t:Attachments")

"""The judge of EWS traffic works, and Exchange's own schema agrees with what the sandbox knows."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from calsync.sandbox.ews import order
from calsync.sandbox.ews.front import EwsFront
from calsync.sandbox.ews.operations import OPERATIONS
from tests.fidelity import ews as judge
from tests.sandbox.soap import Ews, put

pytestmark = pytest.mark.skipif(judge.schema_file() is None, reason="EWS schema not found")
XSD = "{http://www.w3.org/2001/XMLSchema}"


def members(kind: str) -> list[str]:
    root: Any = etree.parse(str(judge.schema_file().parent / "types.xsd")).getroot()  # type: ignore[union-attr]  # skipped without
    found = root.find(f"{XSD}complexType[@name='{kind}']")
    rows = found.findall(f".//{XSD}element")
    # Members of members stand in types of their own, but for one anonymous list.
    return [one.get("name") for one in rows if one.get("name") not in (None, "MailboxGuid")]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("ItemType", order.ITEM),
        ("CalendarItemType", order.CALENDAR),
        ("MessageType", order.MESSAGE),
        ("MeetingMessageType", order.MEETING),
        ("MeetingRequestMessageType", order.REQUEST),
        ("MeetingResponseMessageType", order.ANSWER),
        ("MeetingCancellationMessageType", order.CANCELLATION),
        ("BaseFolderType", order.FOLDER),
    ],
)
def test_the_order_of_members_is_that_of_the_schema(kind: str, known: list[str]) -> None:
    assert known == members(kind)


def test_every_operation_is_one_of_the_service() -> None:
    root: Any = etree.parse(str(judge.schema_file())).getroot()
    elements = {one.get("name") for one in root.findall(f"{XSD}element")}
    assert set(OPERATIONS) <= elements


@pytest.mark.not_of_schema
def test_the_judge_refuses_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    ews = Ews()
    seen = judge.Recorder()
    seen.install(monkeypatch)
    assert ews.create().ok()
    assert ews.sync().ok()
    assert (seen.checked, seen.faults) == (2, [])
    # Refused by the sandbox, as by the schema: no fault of the exchange.
    assert ews.sync(most=513).codes == ["ErrorSchemaValidation"]
    assert seen.faults == []
    envelope = ews.envelope(
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        '<m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>'
        "<m:MaxChangesReturned>513</m:MaxChangesReturned></m:SyncFolderItems>"
    )
    assert judge.envelope_faults(envelope.encode())
    strange = ews.envelope("<m:DeleteItem><m:Strange/></m:DeleteItem>")
    assert judge.envelope_faults(strange.encode())


@pytest.mark.not_of_schema
def test_the_judge_sees_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ews = Ews()
    made = ews.create().ok().ids[0]
    seen = judge.Recorder()
    real = EwsFront.handle

    def spoil(*arguments: Any) -> Any:
        response = real(*arguments)
        response.body = response.body.replace(b"<t:Count>0</t:Count>", b"<t:Count>none</t:Count>")
        return response

    seen._real = spoil
    seen.install(monkeypatch)
    ews.update(made, put("item:Subject", "<t:Subject>x</t:Subject>"))
    assert [fault.partition(":")[0] for fault in seen.faults] == ["answer, UpdateItemResponse"]

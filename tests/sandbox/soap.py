"""A plain EWS client over the sandbox's callable: envelopes written from Microsoft's documents."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from calsync.sandbox import Response
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER

from .client import ANN, ROOM, Graph

S = "http://schemas.xmlsoap.org/soap/envelope/"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
NS = {"s": S, "t": T, "m": M, "e": "http://schemas.microsoft.com/exchange/services/2006/errors"}
SERVICE = f"{DEFAULT_USER}@contoso.example"
URL = "/EWS/Exchange.asmx"
GUID = "11111111-2222-3333-4444-555555555555"
KEY = f'<t:ExtendedFieldURI PropertySetId="{GUID}" PropertyName="calsync" PropertyType="String"/>'
CLEAN = (
    '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" '
    'PropertyType="Binary"/>'
)
GOID = CLEAN.replace('"35"', '"3"')


class Answer:
    """An answer, to be looked into by XPath."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.root: Any = etree.fromstring(response.body)

    def all(self, path: str) -> list[Any]:
        found: list[Any] = self.root.xpath(path, namespaces=NS)
        return found

    def one(self, path: str) -> Any:
        found = self.all(path)
        assert len(found) == 1, (path, len(found), self.response.body[:3000])
        return found[0]

    def text(self, path: str) -> str:
        node = self.one(path)
        return str(node.text or "") if hasattr(node, "text") else str(node)

    @property
    def codes(self) -> list[str]:
        """Every ResponseCode, that of a fault too."""
        return [one.text for one in self.all("//m:ResponseCode | //e:ResponseCode")]

    def ok(self) -> Answer:
        assert set(self.codes) <= {"NoError"}, self.response.body[:2000]
        return self

    @property
    def ids(self) -> list[tuple[str, str]]:
        """Every ItemId with its ChangeKey."""
        return [(one.get("Id"), one.get("ChangeKey")) for one in self.all("//t:ItemId")]


class Ews:
    """Calls as the service account impersonating a mailbox, or as somebody else."""

    def __init__(self, graph: Graph | None = None, *, act_as: str | None = ROOM) -> None:
        self.graph = graph or Graph()
        self.user, self.password = SERVICE, DEFAULT_PASSWORD
        self.act_as = act_as
        self.version: str | None = "Exchange2016"
        self.zone: str | None = None

    def raw(self, body: str | bytes, **headers: str) -> Response:
        payload = body.encode() if isinstance(body, str) else body
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        sent = {"Authorization": f"Basic {login}", "Content-Type": "text/xml; charset=utf-8"}
        return self.graph.box.handle("POST", URL, sent | headers, payload)

    def envelope(self, body: str) -> str:
        head = ""
        if self.version:
            head += f'<t:RequestServerVersion Version="{self.version}"/>'
        if self.act_as:
            head += (
                "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>"
                f"{self.act_as}</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
            )
        if self.zone:
            head += (
                f'<t:TimeZoneContext><t:TimeZoneDefinition Id="{self.zone}"/></t:TimeZoneContext>'
            )
        return (
            f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{S}" xmlns:t="{T}" '
            f'xmlns:m="{M}"><s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
        )

    def call(self, body: str, **headers: str) -> Answer:
        return Answer(self.raw(self.envelope(body), **headers))

    # -- what tests do again and again ------------------------------------------------------

    def create(
        self, inner: str = "", *, send: str = "SendToNone", folder: str = "calendar", **more: str
    ) -> Answer:
        """A CalendarItem; members of `more` by name, `inner` as it stands."""
        item = inner or appointment(**more)
        return self.call(
            f'<m:CreateItem SendMeetingInvitations="{send}"><m:SavedItemFolderId>{place(folder)}'
            f"</m:SavedItemFolderId><m:Items><t:CalendarItem>{item}</t:CalendarItem></m:Items>"
            "</m:CreateItem>"
        )

    def get(
        self, *ids: str, shape: str = "AllProperties", extra: str = "", more: str = ""
    ) -> Answer:
        wanted = "".join(one if one.startswith("<") else f'<t:ItemId Id="{one}"/>' for one in ids)
        named = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        return self.call(
            f"<m:GetItem><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>{more}{named}</m:ItemShape>"
            f"<m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
        )

    def update(
        self,
        item: tuple[str, str] | str,
        *changes: str,
        resolution: str = "NeverOverwrite",
        send: str = "SendToNone",
    ) -> Answer:
        named = (
            item if isinstance(item, str) else f'<t:ItemId Id="{item[0]}" ChangeKey="{item[1]}"/>'
        )
        return self.call(
            f'<m:UpdateItem ConflictResolution="{resolution}" '
            f'SendMeetingInvitationsOrCancellations="{send}"><m:ItemChanges><t:ItemChange>{named}'
            f"<t:Updates>{''.join(changes)}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    def delete(self, *ids: str, how: str = "HardDelete", send: str = "SendToNone") -> Answer:
        wanted = "".join(one if one.startswith("<") else f'<t:ItemId Id="{one}"/>' for one in ids)
        return self.call(
            f'<m:DeleteItem DeleteType="{how}" SendMeetingCancellations="{send}"><m:ItemIds>'
            f"{wanted}</m:ItemIds></m:DeleteItem>"
        )

    def folder_id(self, name: str = "calendar") -> str:
        found = self.call(
            "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
            f"<m:FolderIds>{place(name)}</m:FolderIds></m:GetFolder>"
        )
        return str(found.one("//t:FolderId").get("Id"))

    def find(
        self,
        restriction: str = "",
        *,
        view: str = "",
        extra: str = "",
        order: str = "",
        folder: str = "calendar",
        shape: str = "AllProperties",
        group: str = "",
    ) -> Answer:
        named = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
        test = f"<m:Restriction>{restriction}</m:Restriction>" if restriction else ""
        sorting = f"<m:SortOrder>{order}</m:SortOrder>" if order else ""
        return self.call(
            f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>'
            f"{named}</m:ItemShape>{view}{group}{test}{sorting}<m:ParentFolderIds>{place(folder)}"
            "</m:ParentFolderIds></m:FindItem>"
        )

    def view(self, start: str, end: str, *, extra: str = "", most: str = "") -> Answer:
        limit = f'MaxEntriesReturned="{most}" ' if most else ""
        return self.find(
            view=f'<m:CalendarView {limit}StartDate="{start}" EndDate="{end}"/>', extra=extra
        )

    def sync(self, state: str = "", *, most: int = 100, folder: str = "calendar") -> Answer:
        said = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        return self.call(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
            f"<m:SyncFolderId>{place(folder)}</m:SyncFolderId>{said}"
            f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
        )

    def respond(
        self,
        name: str,
        item: tuple[str, str],
        inner: str = "",
        disposition: str = "SendAndSaveCopy",
    ) -> Answer:
        return self.call(
            f'<m:CreateItem MessageDisposition="{disposition}"><m:Items><t:{name}>'
            + ("" if name == "CancelCalendarItem" else inner)
            + f'<t:ReferenceItemId Id="{item[0]}" ChangeKey="{item[1]}"/>'
            + (inner if name == "CancelCalendarItem" else "")
            + f"</t:{name}></m:Items></m:CreateItem>"
        )


def place(folder: str) -> str:
    """A folder id: a distinguished name, one with an address behind @, or an id."""
    if folder.startswith("AAMk"):
        return f'<t:FolderId Id="{folder}"/>'
    name, _, address = folder.partition("@")
    if not address:
        return f'<t:DistinguishedFolderId Id="{name}"/>'
    return (
        f'<t:DistinguishedFolderId Id="{name}"><t:Mailbox><t:EmailAddress>{address}'
        "</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
    )


def appointment(
    subject: str = "Plan",
    start: str = "2026-12-01T09:00:00Z",
    end: str = "2026-12-01T10:00:00Z",
    *,
    before: str = "",
    middle: str = "",
    after: str = "",
) -> str:
    """Members of a CalendarItem in the order of the schema; `middle` stands before Start."""
    return (
        f"<t:Subject>{escape(subject)}</t:Subject>{before}{middle}<t:Start>{start}</t:Start>"
        f"<t:End>{end}</t:End>{after}"
    )


def tag(value: str) -> str:
    return f"<t:ExtendedProperty>{KEY}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def tag_is(value: str, path: str = KEY) -> str:
    return (
        f'<t:IsEqualTo>{path}<t:FieldURIOrConstant><t:Constant Value="{value}"/>'
        "</t:FieldURIOrConstant></t:IsEqualTo>"
    )


def compare(name: str, uri: str, value: str) -> str:
    return (
        f'<t:{name}><t:FieldURI FieldURI="{uri}"/><t:FieldURIOrConstant>'
        f'<t:Constant Value="{value}"/></t:FieldURIOrConstant></t:{name}>'
    )


def put(uri: str, element: str) -> str:
    """A SetItemField."""
    return (
        f'<t:SetItemField><t:FieldURI FieldURI="{uri}"/><t:CalendarItem>{element}'
        "</t:CalendarItem></t:SetItemField>"
    )


def weekly(days: str, start: str, number: int) -> str:
    return (
        "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval>"
        f"<t:DaysOfWeek>{days}</t:DaysOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence>"
        f"<t:StartDate>{start}</t:StartDate><t:NumberOfOccurrences>{number}"
        "</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
    )


def zones(name: str = "W. Europe Standard Time") -> str:
    return f'<t:StartTimeZone Id="{name}"/><t:EndTimeZone Id="{name}"/>'


def invite(*people: str, resource: str = "") -> str:
    """Attendee lists."""

    def rows(name: str, addresses: tuple[str, ...]) -> str:
        inner = "".join(
            f"<t:Attendee><t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox></t:Attendee>"
            for one in addresses
        )
        return f"<t:{name}>{inner}</t:{name}>" if addresses else ""

    return rows("RequiredAttendees", people) + rows("Resources", (resource,) if resource else ())


__all__ = ["ANN", "ROOM", "Answer", "Ews"]

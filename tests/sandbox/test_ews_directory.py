"""Names, lists, rooms, zones, ids, free/busy, and the options of a mailbox."""

from __future__ import annotations

from base64 import b64decode

import pytest

from .client import ANN, ROOM, ROOM2
from .soap import Answer, Ews, place


@pytest.fixture
def ews() -> Ews:
    return Ews()


def resolve(ews: Ews, entry: str, full: str = "true") -> Answer:
    return ews.call(
        f'<m:ResolveNames ReturnFullContactData="{full}"><m:UnresolvedEntry>{entry}'
        "</m:UnresolvedEntry></m:ResolveNames>"
    )


def test_names(ews: Ews) -> None:
    one = resolve(ews, "Person 0001").ok()
    assert one.text("//t:Resolution/t:Mailbox/t:EmailAddress") == ANN
    assert one.text("//t:Contact/t:EmailAddresses/t:Entry") == f"SMTP:{ANN}"
    assert resolve(ews, f"smtp:{ANN}", "false").ok().text("//t:EmailAddress") == ANN
    many = resolve(ews, "person")
    assert many.codes == ["ErrorNameResolutionMultipleResults"]
    assert len(many.all("//t:Resolution")) == 3
    assert resolve(ews, "nobody at all").codes == ["ErrorNameResolutionNoResults"]


def test_rooms_and_their_lists(ews: Ews) -> None:
    lists = ews.call("<m:GetRoomLists/>").ok()
    address = lists.text("//t:Address/t:EmailAddress")
    assert lists.text("//t:Address/t:Name") == "Building A"
    wanted = f"<m:RoomList><t:EmailAddress>{address}</t:EmailAddress></m:RoomList>"
    rooms = ews.call(f"<m:GetRooms>{wanted}</m:GetRooms>").ok()
    assert [one.text for one in rooms.all("//t:Room/t:Id/t:EmailAddress")] == [ROOM, ROOM2]
    unknown = ews.call(f"<m:GetRooms>{wanted.replace(address, 'x@y.example')}</m:GetRooms>")
    assert unknown.codes == ["ErrorNameResolutionNoResults"]
    mailbox = f"<m:Mailbox><t:EmailAddress>{address}</t:EmailAddress></m:Mailbox>"
    members = ews.call(f"<m:ExpandDL>{mailbox}</m:ExpandDL>").ok()
    assert len(members.all("//m:DLExpansion/t:Mailbox")) == 2


def test_zones_a_server_knows(ews: Ews) -> None:
    some = ews.call(
        '<m:GetServerTimeZones ReturnFullTimeZoneData="true"><m:Ids><t:Id>W. Europe Standard Time'
        "</t:Id><t:Id>UTC</t:Id><t:Id>Mars</t:Id></m:Ids></m:GetServerTimeZones>"
    ).ok()
    assert [one.get("Id") for one in some.all("//t:TimeZoneDefinition")] == [
        "W. Europe Standard Time", "UTC",
    ]  # fmt: skip
    berlin = some.all("//t:TimeZoneDefinition")[0]
    said = [
        (one.findtext("{*}Month"), one.findtext("{*}DayOfWeek"), one.findtext("{*}Occurrence"))
        for one in berlin.iter("{*}RecurringDayTransition")
    ]
    assert said == [("3", "Sunday", "-1"), ("10", "Sunday", "-1")]
    assert [one.get("Bias") for one in berlin.iter("{*}Period")] == ["-PT1H", "-PT2H"]
    every = ews.call('<m:GetServerTimeZones ReturnFullTimeZoneData="true"/>').ok()
    assert len(every.all("//t:TimeZoneDefinition")) > 130
    names = ews.call('<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>').ok()
    assert not names.all("//t:Period")


@pytest.mark.parametrize("form", ["EntryId", "HexEntryId", "StoreId", "OwaId", "EwsLegacyId"])
def test_ids_in_other_forms_and_back(ews: Ews, form: str) -> None:
    made = ews.create().ok().ids[0][0]

    def convert(source: str, text: str, target: str) -> Answer:
        return ews.call(
            f'<m:ConvertId DestinationFormat="{target}"><m:SourceIds><t:AlternateId '
            f'Format="{source}" Id="{text}" Mailbox="{ROOM}"/></m:SourceIds></m:ConvertId>'
        )

    there = convert("EwsId", made, form).ok().one("//m:AlternateId").get("Id")
    back = convert(form, there, "EwsId").ok().one("//m:AlternateId").get("Id")
    assert back == made
    assert convert("EwsId", "nonsense", form).codes == ["ErrorInvalidIdMalformed"]


BERLIN = (
    "<t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time>"
    "<t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
    "</t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time>"
    "<t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
    "</t:DaylightTime></t:TimeZone>"
)


def availability(
    ews: Ews,
    *addresses: str,
    start: str = "2026-12-01T00:00:00",
    end: str = "2026-12-02T00:00:00",
    view: str = "DetailedMerged",
) -> Answer:
    rows = "".join(
        f"<t:MailboxData><t:Email><t:Address>{one}</t:Address></t:Email><t:AttendeeType>Required"
        "</t:AttendeeType></t:MailboxData>"
        for one in addresses
    )
    return ews.call(
        f"<m:GetUserAvailabilityRequest>{BERLIN}<m:MailboxDataArray>{rows}</m:MailboxDataArray>"
        f"<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime><t:EndTime>{end}"
        "</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>60"
        f"</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>{view}</t:RequestedView>"
        "</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
    )


def test_free_and_busy(ews: Ews) -> None:
    ews.create(subject="Secret", after="<t:Location>L</t:Location>").ok()
    ews.create(
        start="2026-12-01T12:00:00Z",
        end="2026-12-01T13:30:00Z",
        after="<t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus>",
    ).ok()
    answer = availability(ews, ROOM, ANN).ok()
    assert answer.all("//t:MergedFreeBusy")[0].text == "000000000020011000000000"
    event = answer.all("//t:CalendarEvent")[0]
    # Wall times of the zone that was described.
    assert event.findtext("{*}StartTime") == "2026-12-01T10:00:00"
    assert event.findtext("{*}CalendarEventDetails/{*}Subject") == "Secret"
    assert answer.all("//t:WorkingHours/t:TimeZone/t:Bias")[0].text == "-60"
    summer = availability(ews, ROOM, start="2026-07-01T00:00:00", end="2026-07-02T00:00:00")
    assert summer.ok().text("//t:MergedFreeBusy") == "0" * 24


def test_who_may_not_read_sees_free_and_busy_only(ews: Ews) -> None:
    ews.create(subject="Secret").ok()
    ews.user, ews.act_as = ANN, None
    answer = availability(ews, ROOM).ok()
    assert answer.text("//t:FreeBusyViewType") == "FreeBusyMerged"
    assert not answer.all("//t:CalendarEventDetails")
    assert answer.text("//t:BusyType") == "Busy"


def test_free_and_busy_that_is_refused(ews: Ews) -> None:
    one = availability(ews, "none@contoso.example", ROOM)
    assert one.codes == ["ErrorMailRecipientNotFound", "NoError"]
    long = availability(ews, ROOM, end="2027-03-01T00:00:00")
    assert long.codes == ["ErrorTimeIntervalTooBig"]
    assert availability(ews, *[ROOM] * 101).codes == ["ErrorMailboxDataArrayTooBig"]
    assert availability(ews, ROOM, end="2026-11-01T00:00:00").codes == ["ErrorInvalidTimeInterval"]


def test_options_of_a_mailbox(ews: Ews) -> None:
    def ask(name: str) -> Answer:
        return ews.call(
            f'<m:GetUserConfiguration><m:UserConfigurationName Name="{name}">{place("calendar")}'
            "</m:UserConfigurationName><m:UserConfigurationProperties>All"
            "</m:UserConfigurationProperties></m:GetUserConfiguration>"
        )

    options = ask("OWA.UserOptions").ok()
    assert (
        options.text("//t:DictionaryEntry[1]/t:DictionaryValue/t:Value")
        == "W. Europe Standard Time"
    )
    assert b"W. Europe" in b64decode(ask("WorkHours").ok().text("//t:XmlData"))
    assert ask("CategoryList").ok()
    assert ask("Other").codes == ["ErrorItemNotFound"]


def test_what_clients_ask_besides(ews: Ews) -> None:
    box = f"<t:Mailbox><t:Address>{ROOM}</t:Address></t:Mailbox>"
    out = ews.call(f"<m:GetUserOofSettingsRequest>{box}</m:GetUserOofSettingsRequest>").ok()
    assert out.text("//t:OofState") == "Disabled"
    denied = ews.call(
        f"<m:GetUserOofSettingsRequest>{box.replace(ROOM, ANN)}</m:GetUserOofSettingsRequest>"
    )
    assert denied.codes == ["ErrorAccessDenied"]
    person = "<t:EmailAddress>{}</t:EmailAddress>"
    tips = ews.call(
        f"<m:GetMailTips><m:SendingAs>{person.format(ROOM)}</m:SendingAs><m:Recipients><t:Mailbox>"
        f"{person.format('nobody@contoso.example')}</t:Mailbox></m:Recipients>"
        "<m:MailTipsRequested>InvalidRecipient</m:MailTipsRequested></m:GetMailTips>"
    ).ok()
    assert tips.text("//t:InvalidRecipient") == "true"
    mailbox = f"<m:Mailbox>{person.format(ROOM)}</m:Mailbox>"
    assert ews.call(f'<m:GetDelegate IncludePermissions="true">{mailbox}</m:GetDelegate>').ok()
    assert ews.call("<m:GetInboxRules/>").ok()
    assert ews.call(
        f"<m:GetPasswordExpirationDate><m:MailboxSmtpAddress>{ROOM}</m:MailboxSmtpAddress>"
        "</m:GetPasswordExpirationDate>"
    ).ok()

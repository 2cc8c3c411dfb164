"""Besides its items: options, out of office, mail tips, delegates, rules of a mailbox."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

from ..problems import Refusal
from ..zones import windows_name
from . import resolve
from .call import Call, attr, code_of, need, refused, response, success
from .fields import read_mailbox
from .props import mailbox
from .xml import Markup, escape, m, t
from .zones import shown


def get(call: Call) -> Markup:
    """GetUserConfiguration: the options of Outlook on the web, working hours, categories."""
    named = need(call.body, "UserConfigurationName")
    name = attr(named, "Name")
    try:
        if not named.kids:
            raise Refusal(400, "ErrorFolderNotFound", "Say in which folder.")
        store, folder = resolve.folder(call, named.kids[0])
        zone = windows_name(store.box.zone.label)
        parts = _known(name, zone)
    except Refusal as refusal:
        return response("GetUserConfiguration", [refused("GetUserConfiguration", refusal)])
    place = t("FolderId", Id=store.folder_id(folder), ChangeKey=store.folder_key(folder))
    shape = t("UserConfigurationName", place, Name=name)
    made = m("UserConfiguration", shape, *parts)
    return response("GetUserConfiguration", [success("GetUserConfiguration", made)])


def _known(name: str, zone: str) -> list[Markup]:
    if name == "OWA.UserOptions":
        return [t("Dictionary", _entry("timezone", zone), _entry("dateformat", "yyyy-MM-dd"))]
    if name == "WorkHours":
        text = (
            '<?xml version="1.0"?><Root xmlns="WorkingHours.xsd"><WorkHoursVersion1>'
            f"<TimeZone><Name>{escape(zone)}</Name></TimeZone>"
            "<TimeSlot><Start>08:00:00</Start><End>17:00:00</End></TimeSlot>"
            "<WorkDays>Monday Tuesday Wednesday Thursday Friday</WorkDays>"
            "</WorkHoursVersion1></Root>"
        )
        return [t("XmlData", b64encode(text.encode()).decode())]
    if name == "CategoryList":
        text = '<?xml version="1.0"?><categories default="" xmlns="CategoryList.xsd"/>'
        return [t("XmlData", b64encode(text.encode()).decode())]
    raise Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def _entry(key: str, value: str) -> Markup:
    def typed(name: str, text: str) -> Markup:
        return t(name, t("Type", "String"), t("Value", text))

    return t("DictionaryEntry", typed("DictionaryKey", key), typed("DictionaryValue", value))


def oof(call: Call) -> Markup:
    """GetUserOofSettings: nobody is out of office."""
    address = (need(call.body, "Mailbox").said("Address") or "").strip()
    name = "GetUserOofSettingsResponse"
    try:
        resolve.guard(call, resolve.mailbox_of(call, address))
    except Refusal as refusal:
        return m(name, _bare_error(refusal))
    now = call.world.utc()
    empty = (t("InternalReply", t("Message", "")), t("ExternalReply", t("Message", "")))
    span = t("Duration", t("StartTime", shown(now)), t("EndTime", shown(now + timedelta(days=1))))
    settings = t(
        "OofSettings", t("OofState", "Disabled"), t("ExternalAudience", "None"), span, *empty
    )
    told = m("ResponseMessage", m("ResponseCode", "NoError"), ResponseClass="Success")
    return m(name, told, settings, m("AllowExternalOof", "All"))


def _bare_error(refusal: Refusal) -> Markup:
    return m(
        "ResponseMessage",
        m("MessageText", refusal.message),
        m("ResponseCode", code_of(refusal)),
        m("DescriptiveLinkKey", 0),
        ResponseClass="Error",
    )


def mail_tips(call: Call) -> Markup:
    """GetMailTips: none but whether the recipient exists."""
    rows = []
    for node in need(call.body, "Recipients").kids:
        person = read_mailbox(call, node)
        known = call.world.box(person.address) is not None
        tips = m(
            "MailTips",
            Markup(mailbox(person).replace("t:Mailbox>", "t:RecipientAddress>")),
            t("PendingMailTips"),
            t("MailboxFull", False),
            t("InvalidRecipient", not known),
        )
        rows.append(
            m(
                "MailTipsResponseMessageType",
                m("ResponseCode", "NoError"),
                tips,
                ResponseClass="Success",
            )
        )
    return m(
        "GetMailTipsResponse",
        m("ResponseCode", "NoError"),
        m("ResponseMessages", *rows),
        ResponseClass="Success",
    )


def delegates(call: Call) -> Markup:
    """GetDelegate: nobody has any."""
    person = read_mailbox(call, need(call.body, "Mailbox"))
    try:
        resolve.guard(call, resolve.mailbox_of(call, person.address))
    except Refusal as refusal:
        return m(
            "GetDelegateResponse",
            m("MessageText", refusal.message),
            m("ResponseCode", code_of(refusal)),
            m("DescriptiveLinkKey", 0),
            ResponseClass="Error",
        )
    return m(
        "GetDelegateResponse",
        m("ResponseCode", "NoError"),
        m("DeliverMeetingRequests", "DelegatesAndMe"),
        ResponseClass="Success",
    )


def inbox_rules(_: Call) -> Markup:
    """GetInboxRules: none."""
    return m(
        "GetInboxRulesResponse",
        m("ResponseCode", "NoError"),
        m("OutlookRuleBlobExists", False),
        ResponseClass="Success",
    )


def password_expires(_: Call) -> Markup:
    """GetPasswordExpirationDate: never."""
    return m(
        "GetPasswordExpirationDateResponse",
        m("ResponseCode", "NoError"),
        m("PasswordExpirationDate", "9999-12-31T23:59:59Z"),
        ResponseClass="Success",
    )

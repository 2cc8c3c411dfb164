"""Properties that the store itself has for every item ([MS-OXPROPS], [MS-OXOCAL])."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..world import moment_of
from . import goid
from .zones import shown

if TYPE_CHECKING:
    from .view import View

SETS = {
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
    "UnifiedMessaging": "4442858e-a9e3-4e80-b900-317a210cc15b",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _moment(value: datetime) -> str:
    return shown(value)


def _bytes(hexadecimal: str) -> str:
    return b64encode(bytes.fromhex(hexadecimal)).decode()


_BUSY = {"free": 0, "tentative": 1, "busy": 2, "oof": 3, "workingElsewhere": 4}
_ANSWERS = {
    "none": 0, "organizer": 1, "tentativelyAccepted": 2, "accepted": 3, "declined": 4,
    "notResponded": 5,
}  # fmt: skip


def _named(group: str, number: int) -> str:
    return f"{{{SETS[group]}}} id 0x{number:x}"


def _calendar(make: Callable[[View], str | None]) -> Callable[[View], str | None]:
    return lambda view: make(view) if view.is_calendar else None


_SECRETS = {"1": "personal", "2": "private", "3": "confidential"}
_INSTANCES = {"singleInstance": 0, "seriesMaster": 1, "occurrence": 2, "exception": 3}
COMPUTED: dict[str, Callable[[View], str | None]] = {
    "0x1a": lambda v: v.item_class,
    "0x37": lambda v: v.subject,
    "0xe1d": lambda v: v.subject,
    "0x70": lambda v: v.subject,
    "0x1000": lambda v: v.body(text=True)["content"],
    "0x17": lambda v: str({"low": 0, "high": 2}.get(v.prop("importance"), 1)),
    "0x36": lambda v: str(
        {"personal": 1, "private": 2, "confidential": 3}.get(v.prop("sensitivity"), 0)
    ),
    "0x60": _calendar(lambda v: _moment(v.start)),
    "0x61": _calendar(lambda v: _moment(v.end)),
    "0x3007": lambda v: _moment(moment_of(v.item.created)),
    "0x3008": lambda v: _moment(moment_of(v.item.modified)),
    "0xe06": lambda v: _moment(moment_of(v.item.created)),
    "0x39": lambda v: _moment(moment_of(v.item.created)),
    "0xe08": lambda v: str(v.size),
    "0xe1b": lambda v: _flag(bool(v.prop("hasAttachments"))),
    "0xe07": lambda v: "1" if v.prop("isRead", True) else "0",
    "0xe03": lambda v: v.display("cc"),
    "0xe04": lambda v: v.display("to"),
    "0xfff": lambda v: b64encode(v.id.encode()).decode(),
    "0x300b": lambda v: b64encode(v.item.key.encode()).decode(),
    "0x65e2": lambda v: v.change_key,
    "0xff6": lambda v: b64encode(v.id.encode()).decode(),
    # The name of an item in WebDAV, which CalDAV gateways use for their addresses.
    "0x10f3": lambda v: f"{v.subject or v.item.key}.EML",
    # The number that IMAP knows a message by: rising, and never given out again.
    "0xe23": lambda v: str(v.number),
    f"{{{SETS['PublicStrings']}}} name urn:schemas:calendar:instancetype": _calendar(
        lambda v: str(_INSTANCES[v.found.kind])
    ),
    "0xc1a": lambda v: v.item.organizer.name,
    "0xc1f": lambda v: v.item.organizer.address,
    "0x42": lambda v: v.item.organizer.name,
    "0x5d01": lambda v: v.item.organizer.address,
    "0x5d02": lambda v: v.item.organizer.address,
    _named("Meeting", 3): _calendar(lambda v: _bytes(goid.of(v.item.uid, v.found.day))),
    _named("Meeting", 0x23): _calendar(lambda v: _bytes(goid.of(v.item.uid, None))),
    _named("Meeting", 0x5): _calendar(lambda v: _flag(v.item.rule is not None)),
    _named("Meeting", 0xA): _calendar(lambda v: _flag(v.is_exception)),
    _named("Appointment", 0x8201): _calendar(lambda v: str(v.sequence)),
    _named("Appointment", 0x8205): _calendar(lambda v: str(_BUSY.get(v.prop("showAs", "busy"), 2))),
    _named("Appointment", 0x8208): _calendar(lambda v: v.location),
    _named("Appointment", 0x820D): _calendar(lambda v: _moment(v.start)),
    _named("Appointment", 0x820E): _calendar(lambda v: _moment(v.end)),
    _named("Appointment", 0x8213): _calendar(
        lambda v: str(int((v.end - v.start).total_seconds()) // 60)
    ),
    _named("Appointment", 0x8215): _calendar(lambda v: _flag(v.found.when.all_day)),
    _named("Appointment", 0x8217): _calendar(lambda v: str(v.state)),
    _named("Appointment", 0x8218): _calendar(lambda v: str(_ANSWERS.get(v.response[0], 0))),
    _named("Appointment", 0x8223): _calendar(lambda v: _flag(v.item.rule is not None)),
    _named("Appointment", 0x8231): _calendar(lambda v: str(_pattern_type(v))),
    _named("Appointment", 0x8234): _calendar(lambda v: v.found.when.start_zone.label),
    _named("Appointment", 0x8235): _calendar(lambda v: _moment(v.item.when.start_utc)),
    _named("Common", 0x8501): lambda v: str(v.prop("reminderMinutesBeforeStart", 15)),
    _named("Common", 0x8503): lambda v: _flag(bool(v.prop("isReminderOn", True))),
    _named("Common", 0x8506): lambda v: _flag(v.prop("sensitivity") in ("private", "confidential")),
    _named("Common", 0x8516): _calendar(lambda v: _moment(v.start)),
    _named("Common", 0x8517): _calendar(lambda v: _moment(v.end)),
}


def _pattern_type(view: View) -> int:
    rule = view.item.rule
    if rule is None:
        return 0
    kind = rule.pattern.kind
    return 1 if kind == "daily" else 2 if kind == "weekly" else 3 if "Monthly" in kind else 4


# What can be said by a property of the store instead of its element: the members it sets.
SET: dict[str, Callable[[str], dict[str, Any]]] = {
    "0x37": lambda text: {"subject": text},
    "0x1000": lambda text: {"body": {"contentType": "text", "content": text}},
    "0x17": lambda text: {"importance": {"0": "low", "2": "high"}.get(text, "normal")},
    "0x36": lambda text: {"sensitivity": _SECRETS.get(text, "normal")},
    _named("Appointment", 0x8205): lambda text: {
        "showAs": next((name for name, one in _BUSY.items() if str(one) == text), "busy")
    },
    _named("Common", 0x8501): lambda text: {"reminderMinutesBeforeStart": int(text)},
    _named("Common", 0x8503): lambda text: {"isReminderOn": text == "true"},
    _named("Common", 0x8506): lambda text: {
        "sensitivity": "private" if text == "true" else "normal"
    },
}
# And what is there once they are deleted.
UNSET: dict[str, dict[str, Any]] = {
    "0x37": {"subject": ""},
    "0x1000": {"body": None},
    "0x17": {"importance": "normal"},
    "0x36": {"sensitivity": "normal"},
    _named("Appointment", 0x8205): {"showAs": "busy"},
    _named("Common", 0x8503): {"isReminderOn": False},
    _named("Common", 0x8506): {"sensitivity": "normal"},
}
# Computed where nobody set it; kept as any other tag where somebody did.
KEPT = frozenset({"0x10f3"})

"""What ``calsync check`` tries on an Exchange Server: whether the account gets in, whether a room's
calendar can be read, and whether it can be written to, by an item that nobody sees and that is
deleted at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from calsync.adapters.ews import requests
from calsync.adapters.ews.box import Box, verdicts
from calsync.adapters.ews.errors import as_error
from calsync.adapters.ews.rooms import answered
from calsync.adapters.ews.transport import Server
from calsync.adapters.ews.xml import find
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap.port import Answer, Caller
from calsync.errors import SideError

#: The tag of probe items. It names no link, so that sync would leave one alone.
TAG = "check"
SUBJECT = "calsync check (can be deleted)"


def sign_in(caller: Caller) -> tuple[Answer, bool]:
    """Ask for the room lists, which needs no mailbox; True where there is any. Raises what stands
    in the way."""
    answer, message = answered(caller, "GetRoomLists", requests.get_room_lists(), "", "sign-in")
    lists = find(message.element, "m:RoomLists")
    return answer, lists is not None and len(lists) > 0


def read_day(caller: Caller, server: Server, mailbox: str, day: datetime) -> Answer:
    """Read one day of the room's calendar. Raises what stands in the way of it."""
    place = requests.folder(mailbox, impersonated=server.impersonate)
    payload = requests.calendar_view(place, day, day + timedelta(days=1), limit=1)
    answer, _ = answered(caller, "FindItem", payload, mailbox, mailbox)
    return answer


def write_and_delete(box: Box, at: datetime) -> None:
    """Make an item that is free, private and without attendees at a far time, and delete it.

    What an earlier try left behind, because its answer was lost, is deleted first, and so is this
    one if its answer is lost. Raises what stands in the way of either.
    """
    _sweep(box)
    end = at + timedelta(minutes=15)
    item = requests.calendar_item(
        {
            "Subject": SUBJECT,
            "Sensitivity": "Private",
            "ReminderIsSet": "false",
            "Start": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "End": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "LegacyFreeBusyStatus": "Free",
        },
        tag=box.sealed(TAG),
    )
    try:
        (verdict,) = verdicts(box.create([item]), 1)
        if verdict is not None:
            raise as_error(verdict, box.mailbox)
    except SideError:
        _swept_quietly(box)
        raise
    _sweep(box)


def _sweep(box: Box) -> None:
    """Delete what bears our seal and the tag of probes: nobody else can make that."""
    keys = box.tagged([TAG]).get(TAG, [])
    if not keys:
        return
    for verdict in verdicts(box.delete(keys), len(keys)):
        if verdict is not None and verdict.meaning is not Meaning.GONE:
            error = as_error(verdict, box.mailbox)
            error.todo = f"Delete the item “{SUBJECT}” by hand. {error.todo}".strip()
            raise error


def _swept_quietly(box: Box) -> None:
    try:
        _sweep(box)
    except SideError:
        return  # The first error is the one to tell; the next check sweeps again.

"""The validator runs, and says no where it must."""

from __future__ import annotations

import pytest

from tests.fidelity import csdl

pytestmark = pytest.mark.skipif(csdl.metadata_file() is None, reason="Graph metadata not found")


def test_a_good_event_passes() -> None:
    event = {
        "subject": "Plan",
        "showAs": "busy",
        "isAllDay": False,
        "start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "UTC"},
        "attendees": [{"type": "resource", "emailAddress": {"address": "r@x.example"}}],
        "unknownMember": object(),
        "seriesMasterId": None,
    }
    assert csdl.validate_entity("event", event) == []


@pytest.mark.parametrize(
    "event",
    [
        {"showAs": "bussy"},
        {"isAllDay": "false"},
        {"attendees": {"type": "resource"}},
        {"attendees": [{"type": "room"}]},
        {"start": "2026-12-01"},
        {"start": {"dateTime": 5}},
        {"reminderMinutesBeforeStart": 1.5},
        {"createdDateTime": "yesterday"},
        {"originalStart": "2026-12-01T10:00:00"},
        {"recurrence": {"pattern": {"interval": None}}},
        {"recurrence": {"range": {"endDate": "2026-13-01"}}},
    ],
)
def test_a_bad_event_fails(event: dict[str, object]) -> None:
    assert csdl.validate_entity("event", event)


def test_actions() -> None:
    assert csdl.validate_action("decline", "event", {"comment": "no", "sendResponse": True}) == []
    assert csdl.validate_action("decline", "event", {"sendResponse": "yes"})
    assert csdl.validate_action("decline", "event", {"sendReply": True})
    assert csdl.validate_action("getSchedule", "calendar", {"schedules": "a@b.example"})
    assert csdl.validate_action("cancel", "room", {})
    assert csdl.validate_entity("noSuchType", {})

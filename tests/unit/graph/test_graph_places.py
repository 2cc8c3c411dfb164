"""The directory: all pages, lists, and rooms that are none."""

from __future__ import annotations

import logging

import pytest
from graph_fakes import Script, ok, page, refusal

from calsync.adapters.graph.places import resource_calendars
from calsync.errors import AccessDenied, BadAnswer
from calsync.model import ResourceCalendar

LINK = "https://graph.microsoft.com/v1.0/places/next"


def room(address, **more):
    return {"emailAddress": address, "displayName": address.split("@")[0], **more}


def test_all_pages_merge_by_address():
    script = Script(
        [
            page([room("A@x.example", building="HQ", floorNumber=2, capacity=8)], nextLink=LINK),
            page([room("b@x.example", capacity=0), room(""), {"emailAddress": None}, "junk"]),
            page([{"emailAddress": "list@x.example"}, {"displayName": "no address"}]),
            page([room("a@X.example", capacity=99)], nextLink=LINK + "2"),
            page([room("c@x.example", floorLabel="G", capacity="many", displayName=None)]),
        ]
    )
    assert resource_calendars(script) == [
        ResourceCalendar(address="a@x.example", name="A", building="HQ", floor="2", capacity=8),
        ResourceCalendar(address="b@x.example", name="b"),
        ResourceCalendar(address="c@x.example", name="c@x.example", floor="G"),
    ]
    assert [call.target for call in script.calls] == [
        "/places/microsoft.graph.room?$top=100",
        LINK,
        "/places/microsoft.graph.roomlist?$top=100",
        "/places/list@x.example/microsoft.graph.roomlist/rooms?$top=100",
        LINK + "2",
    ]


def test_no_rooms_is_a_hint_to_the_admin(caplog):
    caplog.set_level(logging.WARNING)
    assert resource_calendars(Script([page([]), page([])])) == []
    assert "Place.Read.All" in caplog.text


def test_pages_that_lead_in_a_circle_are_refused():
    script = Script([page([], nextLink=LINK), page([], nextLink=LINK)])
    with pytest.raises(BadAnswer):
        resource_calendars(script)


def test_a_missing_permission_is_told():
    script = Script([ok(refusal(403, "Authorization_RequestDenied"), status=403)])
    with pytest.raises(AccessDenied):
        resource_calendars(script)

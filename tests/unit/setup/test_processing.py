"""Booking rules of room mailboxes: what surprises, and the command that aligns it."""

from __future__ import annotations

from pathlib import Path

import pytest

from calsync.setup import sheets
from calsync.setup.powershell import (
    processing_command,
    processing_export,
    quoted,
    scope_commands,
)
from calsync.setup.processing import Named, PlatformRules, RoomRules, find_lines, judge

#: A room as Exchange Online makes it, with the defaults of Set-CalendarProcessing.
DEFAULTS = {
    "AutomateProcessing": "AutoAccept",
    "AllowConflicts": "False",
    "ConflictPercentageAllowed": "0",
    "MaximumConflictInstances": "0",
    "AllowRecurringMeetings": "True",
    "BookingWindowInDays": "180",
    "EnforceSchedulingHorizon": "True",
    "MaximumDurationInMinutes": "1440",
    "ScheduleOnlyDuringWorkHours": "False",
    "DeleteSubject": "True",
    "AddOrganizerToSubject": "True",
    "RemovePrivateProperty": "True",
    "AllBookInPolicy": "True",
    "ResourceDelegates": "{}",
    "BookingType": "Standard",
    "EnableAutoRelease": "False",
}


def rules(tmp_path: Path, platform: PlatformRules | None = None, **changed: str) -> RoomRules:
    row = {"Mailbox": "a@x.test", **DEFAULTS, **changed}
    path = tmp_path / "p.csv"
    head = ",".join(f'"{name}"' for name in row)
    path.write_text(head + "\n" + ",".join(f'"{v}"' for v in row.values()), encoding="utf-16")
    (line,) = sheets.read(path).lines
    return judge("a@x.test", line, platform or PlatformRules())


def test_a_room_as_exchange_makes_it_surprises_by_its_private_flag_and_longest_meeting(
    tmp_path: Path,
) -> None:
    found = rules(tmp_path)
    assert [one.rule for one in found.surprises] == [
        "MaximumDurationInMinutes",
        "RemovePrivateProperty",
    ]
    assert found.changes == {"RemovePrivateProperty": False}


ALIGNED = PlatformRules(book_ahead_days=365, longest_minutes=480, titles=True)


@pytest.mark.parametrize(
    ("changed", "rule", "change"),
    [
        ({"AutomateProcessing": "AutoUpdate"}, "AutomateProcessing", "AutoAccept"),
        ({"AutomateProcessing": "None"}, "AutomateProcessing", "AutoAccept"),
        ({"AllowConflicts": "Wahr"}, "AllowConflicts", False),
        ({"EnforceSchedulingHorizon": "FAUX"}, "EnforceSchedulingHorizon", True),
        ({"AllowRecurringMeetings": "0"}, "AllowRecurringMeetings", True),
        ({}, "BookingWindowInDays", 365),
        ({}, "MaximumDurationInMinutes", 480),
        ({"MaximumDurationInMinutes": "0"}, "MaximumDurationInMinutes", 480),
        ({}, "DeleteSubject", False),
        ({}, "AddOrganizerToSubject", False),
        ({"RemovePrivateProperty": "VRAI"}, "RemovePrivateProperty", False),
    ],
)
def test_a_rule_that_differs_is_named_with_what_aligns_it(
    tmp_path: Path, changed: dict[str, str], rule: str, change: object
) -> None:
    found = rules(tmp_path, ALIGNED, **changed)
    (one,) = [s for s in found.surprises if s.rule == rule]
    assert one.change == (rule, change)
    assert found.changes[rule] == change
    command = processing_command("a@x.test", found.changes)
    assert command.startswith("Set-CalendarProcessing -Identity 'a@x.test' -")
    shown = {True: "$true", False: "$false"}.get(change, change)  # type: ignore[call-overload]
    assert f"-{rule} {shown}" in command.replace("'AutoAccept'", "AutoAccept")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"ConflictPercentageAllowed": "20"}, "ConflictPercentageAllowed"),
        ({"MaximumConflictInstances": "3"}, "MaximumConflictInstances"),
        ({"ScheduleOnlyDuringWorkHours": "Sant"}, "ScheduleOnlyDuringWorkHours"),
        ({"AllBookInPolicy": "onwaar"}, "AllBookInPolicy"),
        ({"ResourceDelegates": "{contoso.com/Ann}"}, "ResourceDelegates"),
        ({"BookingType": "Reserved"}, "BookingType"),
        ({"EnableAutoRelease": "True"}, "EnableAutoRelease"),
        ({"BookingWindowInDays": "1080"}, "BookingWindowInDays"),
        ({"AllowConflicts": "perhaps"}, "AllowConflicts"),
        ({"BookingWindowInDays": "many"}, "BookingWindowInDays"),
    ],
)
def test_what_is_only_to_be_known_has_no_command(
    tmp_path: Path, changed: dict[str, str], rule: str
) -> None:
    found = rules(tmp_path, **changed)
    assert [s.change for s in found.surprises if s.rule == rule] == [None]


def test_a_series_that_is_accepted_regardless_is_not_told_twice(tmp_path: Path) -> None:
    said = rules(tmp_path, AllowConflicts="True", MaximumConflictInstances="3").surprises
    assert "MaximumConflictInstances" not in [one.rule for one in said]


def test_what_agrees_with_the_platform_is_no_surprise(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        PlatformRules(book_ahead_days=180, longest_minutes=1440),
        RemovePrivateProperty="False",
    )
    assert found.surprises == ()


def test_a_line_is_found_by_address_by_path_or_by_a_name_that_is_one_rooms_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "Identity,AutomateProcessing\n"
        "contoso.com/Rooms/Atrium,AutoAccept\n"
        "LOFT@x.test,AutoUpdate\n"
        "Twin,AutoAccept\n"
        "Nobody,AutoAccept\n",
        encoding="utf-8",
    )
    rooms = [
        Named("atrium@x.test", ("Atrium", "r1")),
        Named("loft@x.test"),
        Named("t1@x.test", ("Twin",)),
        Named("t2@x.test", ("Twin",)),
    ]
    found, others = find_lines(sheets.read(path), rooms)
    assert {box: line.number for box, line in found.items()} == {
        "atrium@x.test": 2,
        "loft@x.test": 3,
    }
    assert [line.number for line in others] == [4, 5]


# --- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_no_name_ends_its_quotes(mark: str) -> None:
    hostile = f"a{mark}; Remove-Mailbox x{mark}\n$(whoami)"
    assert quoted(hostile) == f"'a{mark * 2}; Remove-Mailbox x{mark * 2}$(whoami)'"


def test_the_commands_of_the_scope_name_the_app_its_rooms_and_who_must_stay_out() -> None:
    lines = scope_commands("app-id", ["a@x.test", "b@x.test"], "ann@x.test")
    text = "\n".join(lines)
    assert "New-ServicePrincipal -AppId 'app-id' -ObjectId $ObjectId" in text
    assert text.count("Set-Mailbox ") == 2
    assert "-Role 'Application Calendars.ReadWrite' -CustomResourceScope 'calsync rooms'" in text
    assert "Test-ServicePrincipalAuthorization -Identity 'calsync' -Resource 'ann@x.test'" in text
    assert text.index("remove Calendars.Read") < text.index("Connect-ExchangeOnline")
    assert "<address of each room mailbox>" in "\n".join(scope_commands("app-id", []))


def test_the_export_asks_for_the_address_beside_each_room() -> None:
    line = processing_export(["a@x.test", "o'neil@x.test"])
    assert line.startswith("'a@x.test', 'o''neil@x.test' | ForEach-Object")
    assert "Get-CalendarProcessing" in line

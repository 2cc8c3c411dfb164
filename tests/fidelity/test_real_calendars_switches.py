"""Real calendars against a tenant whose undocumented behaviour is switched the other way: where
no source says how Exchange behaves, calsync must hold in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fidelity.test_real_calendars import BERLIN, FILES, HIGH, HOMES, LOW, SPAN, pytestmark
from tests.fidelity.test_real_calendars_booked import File
from tests.support.company import a_company, a_tenant, differences

__all__ = ["pytestmark"]

#: Small, and with all that differs: all-day series, overrides of every kind, several zones.
CHOSEN = (
    "issue_28_rrule_with_UTC_endinginZ",
    "after_many_events_in_order",
    "recurring_events_changed_duration",
    "same_event_recurring_at_same_time",
)


@pytest.mark.parametrize(
    "switches",
    [
        {"all_day_floats": False},
        {"all_day_floats": False, "national_cloud": True},
        {"national_cloud": True, "zone_names": "iana"},
        {"immutable_ids": False},
        {"masters_in_delta": False, "delta_repeats": True, "removed_occurrences_of_series": False},
        {"series_change_drops_exceptions": False, "if_match_patch": False},
    ],
    ids=lambda switches: "-".join(switches),
)
def test_both_ways_without_a_difference(tmp_path: Path, switches: dict[str, Any]) -> None:
    files = {file.stem: file.read_bytes() for file in FILES}
    with a_tenant(**switches) as tenant, a_company(tmp_path, tenant, span=SPAN) as company:
        for number, name in enumerate(CHOSEN):
            zone, label = HOMES.get(name, BERLIN)
            there = company.add_room(f"there-{number}", zone=zone, label=label)
            tenant.load(there.address, files[name])
            company.sync(there)
            wanted = tenant.instances(there.address, LOW, HIGH)
            assert differences(wanted, company.occupancy(there, LOW, HIGH)) == []
            here = company.add_room(f"here-{number}", zone=zone, label=label)
            for wish in File(files[name], zone).bookings():
                company.import_booking(here, wish)
            company.sync(here)
            assert differences(wanted, tenant.instances(here.address, LOW, HIGH)) == []
            company.at_rest(there)
            company.at_rest(here)

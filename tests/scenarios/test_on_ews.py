"""Scenarios of each kind once more, against an Exchange Server: what the gate has room for. All of
them: ``make scenarios EXCHANGE=ews``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.test_facing import (  # noqa: F401 - a fixture and a test
    pair,
    test_each_act_is_one_write_on_each_other_side,
)
from tests.scenarios.test_faults_more import (  # noqa: F401 - a fixture and tests
    small_pages,
    test_a_create_that_comes_back_different,
    test_a_fault_between_two_pages,
    test_an_empty_listing_stops_the_room_and_deletes_nothing,
    test_an_event_under_a_new_id_stays_one_booking,
)
from tests.scenarios.test_found_by_simulation import (  # noqa: F401 - fixtures and tests
    company,
    hall,
    test_a_change_between_two_steps_of_a_write_is_kept,
    test_a_series_made_anew_in_doubt_is_the_same_series,
)
from tests.scenarios.test_guard_admins import (  # noqa: F401 - a test
    test_a_right_that_is_taken_away_and_given_back,
)
from tests.scenarios.test_poison import (  # noqa: F401 - tests
    test_a_poison_room_stands_still_alone,
    test_what_graph_will_not_take_is_parked_and_said,
)
from tests.scenarios.test_rules_for_outlook import (  # noqa: F401 - a test
    test_of_a_series_only_the_dates_against_the_rule_are_declined_with_one_message,
)
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(scope="module", autouse=True)
def on_ews() -> Iterator[None]:
    with front.reached_by("ews"):
        yield

"""Meetings in people's calendars once more, against an Exchange Server: what the gate has room for.
All of them: ``make scenarios EXCHANGE=ews``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.test_organizer import (  # noqa: F401 - a fixture and tests
    firm,
    test_a_booking_is_a_meeting_of_its_person_and_stands_when_the_room_says_yes,
    test_a_move_to_which_the_room_says_no_goes_back,
    test_a_person_cancels_in_outlook,
    test_a_stale_copy_is_never_written_over,
    test_what_the_room_declines_is_rejected_with_the_reason_and_given_up,
)
from tests.scenarios.test_organizer_faults import (  # noqa: F401 - a test
    test_a_crash_between_the_create_and_the_rooms_answer,
)
from tests.support import front


@pytest.fixture(scope="module", autouse=True)
def on_ews() -> Iterator[None]:
    with front.reached_by("ews"):
        yield

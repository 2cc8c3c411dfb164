"""What is kept of webhooks: a message begins its life untried, and states are stored by name."""

from __future__ import annotations

from datetime import UTC, datetime

from calsync.mapping.webhook_values import Backlog, Endpoint, Message, MessageState

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_a_new_message_waits_and_was_never_tried() -> None:
    new = Message(
        id="m1",
        endpoint_id="e1",
        kind="booking.created",
        booking_id="b1",
        data="{}",
        at=AT,
        due=AT,
        changed=AT,
    )
    assert new.state is MessageState.QUEUED
    assert (new.tries, new.status, new.reason, new.number) == (0, 0, "", 0)


def test_a_new_endpoint_is_on_and_signs_with_one_secret() -> None:
    new = Endpoint(
        id="e1",
        name="Desk",
        url="https://desk.example/hook",
        scopes=frozenset(),
        rooms=frozenset(),
        secret=b"sealed",
        position=0,
        created=AT,
    )
    assert (new.disabled, new.why, new.paused) == (None, "", None)
    assert (new.former, new.former_until) == (None, None)


def test_an_endpoint_without_messages_has_no_backlog() -> None:
    assert Backlog() == Backlog(queued=0, delivered=0, failed=0, oldest=None)


def test_states_are_stored_under_these_names() -> None:
    """Rows in databases have them."""
    assert [state.value for state in MessageState] == ["queued", "delivered", "failed"]

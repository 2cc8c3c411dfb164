"""``calsync serve`` before an Exchange Server: what happens in Outlook reaches the platform long
before the next poll, and nothing depends on that. Judged by both stores."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from tests.scenarios.fault_fixtures import firm  # noqa: F401 - fixture
from tests.scenarios.fault_kit import Company, Serving, day, serving, taken, until


def write_settings(made: Serving, *, poll: str, more: str = "") -> None:
    """An Exchange Server in place of the tenant."""
    (made.folder / "password").write_text(DEFAULT_PASSWORD, encoding="utf-8")
    rooms = "\n".join(
        f'[[rooms]]\nid = "{room}"\nname = "{room}"\nzone = "UTC"\nmailbox = "{mailbox}"'
        for room, mailbox in made.rooms.items()
    )
    made.settings.write_text(
        f"""
        [database]
        url = "sqlite:///{made.folder / "calsync.db"}"
        [api]
        port = 0
        [worker]
        poll_floor = "{poll}"
        poll_ceiling = "{poll}"
        [log]
        level = "info"
        [[connections]]
        name = "onprem"
        kind = "ews"
        endpoint = "{made.firm.url}/EWS/Exchange.asmx"
        auth = "basic"
        user = "{DEFAULT_USER}@contoso.example"
        password_file = "{made.folder / "password"}"
        {more}
        {rooms}
        """,
        encoding="utf-8",
    )


def asked(firm: Company, operation: str, mailbox: str) -> int:  # noqa: F811
    rows = firm.control("GET", "calls")["calls"]
    return sum(r["count"] for r in rows if (r["method"], r["mailbox"]) == (operation, mailbox))


def test_an_act_in_outlook_reaches_the_platform_long_before_the_next_poll(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    rooms = {"hall": firm.new_room(), "foyer": firm.new_room()}
    with serving(firm, tmp_path, rooms) as made:
        write_settings(made, poll="1h")
        made.start()
        until(lambda: "listening to 2 rooms" in made.log)
        made.wait_imported()
        time.sleep(3.0)  # the sync that follows the first gap
        began = time.monotonic()
        firm.book(rooms["foyer"], day(3))
        until(lambda: made.taken("foyer") == Counter([taken(day(3))]), seconds=15.0)
        assert time.monotonic() - began < 10.0
        assert made.taken("hall") == Counter()
        code, seconds = made.end()
        assert code == 0
        assert seconds < 3.0, "an open stream does not hold up the end"
        assert "Traceback" not in made.log


@pytest.mark.parametrize("why", ["off", "refused"])
def test_without_hints_polling_finds_it(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    why: str,
) -> None:
    rooms = {"hall": firm.new_room()}
    with serving(firm, tmp_path, rooms) as made:
        write_settings(made, poll="1s", more="streaming = false" if why == "off" else "")
        if why == "refused":
            firm.fault("ews_error", rooms["hall"], method="Subscribe", count=None)
        made.start()
        made.wait_imported()
        firm.book(rooms["hall"], day(4))
        until(lambda: made.taken("hall") == Counter([taken(day(4))]), seconds=15.0)
        assert (asked(firm, "Subscribe", rooms["hall"]) == 0) == (why == "off")
        assert asked(firm, "GetStreamingEvents", rooms["hall"]) == 0
        assert made.end()[0] == 0

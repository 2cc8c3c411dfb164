"""What is private is busy time and nothing else, everywhere; what is public goes where its scope
and its room's switch let it, and when its time is over it is gone from everything."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.security import privacy_kit as kit
from tests.security.test_canaries import Heard, overheard
from tests.support.company import Company, a_company, a_tenant
from tests.support.receiver import a_receiver


class Night(NamedTuple):
    """Before and after the details' time was over."""

    before: kit.Found
    after: kit.Found
    logs: kit.Found


#: One run of a whole company serves all of them.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder, heard = tmp_path_factory.mktemp("privacy"), Heard()
    before, after, logs = kit.Found(), kit.Found(), kit.Found()
    with ExitStack() as ends:
        patch = ends.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        tenant = ends.enter_context(a_tenant())
        ends.enter_context(overheard(heard))
        firm = ends.enter_context(a_company(folder, tenant, notices_from="rooms@contoso.example"))
        receivers = {name: ends.enter_context(a_receiver()) for name in ("thin", "details")}
        firm.home.webhooks.add("thin", receivers["thin"].url)
        firm.home.webhooks.add("details", receivers["details"].url, ["details:read"])
        ids = [one["id"] for one in kit.plant(firm).values()]
        kit.tell(firm)
        kit.call_webhooks(before, firm, receivers)
        kit.read_database(before, folder)
        assert firm.home.db.scrub()
        _look(before, firm, folder, ids)
        tenant.clock.forward(days=120)
        kit.night(firm)
        kit.read_database(after, folder)
        _look(after, firm, folder, ids)
        kit.call_webhooks(after, firm, receivers)
    for where, text in heard.whole():
        logs.add(where, text)
    return Night(before, after, logs)


def _look(found: kit.Found, firm: Company, folder: Path, ids: list[str]) -> None:
    kit.ask_api(found, firm, ids)
    kit.read_feeds(found, firm)
    kit.run_verbs(found, firm, folder)
    assert firm.home.db.scrub()
    kit.read_database(found, folder, "swept database")


def test_what_is_public_was_planted_and_is_seen_by_those_who_may(run: Night) -> None:
    """Otherwise there would be nothing to find."""
    for word in kit.PUBLIC[:3]:
        assert {"database", "API as details"} <= run.before.where(word), word
    assert {"API as details", "webhook details"} <= run.before.where("Bob Open")
    assert {"API as details", "feed with details"} <= run.before.where("Ada Open")
    text = "\n".join(run.logs.texts["log"])
    assert "create event" in text
    assert "DEBUG" in text


@pytest.mark.parametrize("word", kit.PRIVATE)
def test_what_is_private_is_nowhere(run: Night, word: str) -> None:
    """Not for the widest scope, not in the room with titles, not in any byte of the database."""
    assert run.before.where(word) == set()
    assert run.after.where(word) == set()
    assert run.logs.where(word) == set()


@pytest.mark.parametrize("word", kit.TURNED)
def test_what_turns_private_takes_along_what_was_kept_of_it(run: Night, word: str) -> None:
    """Messages, former states and lost versions included; the write-ahead log once it is swept."""
    assert run.before.where(word) <= {"database"}
    assert run.after.where(word) == set()
    assert run.logs.where(word) == set()


@pytest.mark.parametrize("word", [*kit.PUBLIC, *kit.PEOPLE])
def test_what_is_public_is_seen_by_nobody_else(run: Night, word: str) -> None:
    """Without details:read neither titles nor people; in no log, and no figure."""
    admin = {one for one in run.before.texts if one.startswith("calsync ")}
    may = {
        "database",
        "swept database",
        "API as details",
        "webhook details",
        "feed with details",
        *admin,
    }
    assert run.before.where(word) <= may
    assert run.logs.where(word) == set()


@pytest.mark.parametrize("word", [*kit.PUBLIC, *kit.PEOPLE])
def test_when_its_time_is_over_it_is_gone_from_everything(run: Night, word: str) -> None:
    """What calsync wrote to Exchange stands there still, and is shown when it is asked there."""
    assert run.after.where(word) <= {"calsync rooms unmap"}

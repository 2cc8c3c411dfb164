"""docs/how-to/after-a-restore.md, carried out as it is written: each block of commands in the world
that its chapter speaks of."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.cli.rooms import Trust
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, Taken, day, taken
from tests.scenarios.guard_kit import Desk, desk

pytestmark = pytest.mark.usefixtures("hasty")

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "after-a-restore.md").read_text("utf-8")
#: Chapter → its commands.
BLOCKS = {
    chapter.partition("\n")[0]: block.group(1).splitlines()
    for chapter in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    if (block := re.search(r"^```sh\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL))
}


def of(*days: int) -> Counter[Taken]:
    return Counter(taken(day(number)) for number in days)


def carry_out(one: Desk, chapter: str) -> None:
    """The commands of a chapter, as an admin types them in the folder of the settings."""
    one.later()
    for line in BLOCKS.pop(chapter):
        if not line.startswith("calsync "):
            with one.stopped():
                subprocess.run(["sh", "-ec", line], cwd=one.folder, check=True)
                one.backdate()
            continue
        words = line.replace("atrium", "hall").split()[1:]
        said = one.cli(*words, *(["--yes"] if "resume" in words else []))
        assert said.code in (0, 1), (line, said.err)
    with one.stopped():
        """The verbs above held the room's lease."""
    assert one.fact()["halted"] == ""
    assert not one.mails(), "MAIL " + repr(one.mails())


def test_every_chapter_with_commands_is_carried_out(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Since the backup one booking was cancelled and one made on each side."""
    with desk(firm, tmp_path) as one:
        hub = one.made.home.bookings
        meeting, _ = firm.book(one.mailbox, day(2)), firm.book(one.mailbox, day(3))
        booking, _ = one.made.booking("hall", day(40)), one.made.booking("hall", day(41))
        one.made.rest()
        one.made.notify()
        (tmp_path / "backup").mkdir()
        one.backup_database().rename(tmp_path / "backup" / "calsync.db")
        kept = tmp_path / "backup" / "calsync.db"
        one.backup_mailbox()
        hub = one.made.home.bookings
        firm.act("cancel", iCalUId=meeting["iCalUId"])
        hub.cancel(booking, Precondition())
        firm.book(one.mailbox, day(20))
        one.made.booking("hall", day(60))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        now = of(3, 20, 41, 60)
        assert one.made.equal() == now

        one.restore_database(kept)
        carry_out(one, "calsync's own database was restored")
        assert one.made.equal() == now

        one.restore_platform(kept)
        carry_out(one, "The platform's bookings were restored")
        # The two that were cancelled are back, and wait for a person.
        assert one.calendar() == now
        assert one.platform() == now + of(2, 40)
        assert one.fact()["parked"] == 2
        for waiting in one.fact()["waiting"]:
            one.made.home.bookings.cancel(waiting["id"], Precondition())
        one.made.rest()
        assert one.made.equal() == now

        one.restore_mailbox()
        carry_out(one, "The room's mailbox was restored")
        assert one.platform() == now
        assert one.calendar() == now + of(2, 40)
        for waiting in one.fact()["waiting"]:
            firm.act("remove", room=one.mailbox, id=waiting["id"])
        one.made.rest()
        assert one.made.equal() == now

        one.restore_mailbox()
        one.restore_platform(kept)
        carry_out(one, "Both were restored to the same day")
        assert one.made.equal() == of(2, 3, 40, 41)
    assert not BLOCKS, "a chapter whose commands nobody tries"


def test_every_answer_of_the_page_is_one_of_the_command(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    answers = set(re.findall(r"^\| `calsync (rooms resume atrium[^`]*)`", PAGE, re.MULTILINE))
    words = {tuple(answer.split()[3:]) for answer in answers}
    assert words == {(), ("--check-again",), *(("--trust", one.value) for one in Trust)}
    with desk(firm, tmp_path) as one:
        for answer in sorted(answers):
            said = one.cli(*answer.replace("atrium", "hall").split())
            assert "was not stopped" in said.err

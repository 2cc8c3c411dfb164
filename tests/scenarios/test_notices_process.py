"""`calsync serve` with a mail server: reminders leave by themselves, kill -9 tells nobody twice,
and an admin sees what nobody knows."""

from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.smtp_kit import PASSWORD, USER, Behaviour, Running, smtp_server
from tests.scenarios.fault_fixtures import firm  # noqa: F401 - fixture
from tests.scenarios.fault_kit import SENDER, Company, Serving, calsync, day, serving, until


def settings(running: Running) -> dict[str, Any]:
    """The kit's own settings with mail by SMTP, and every kind of notice."""
    return {
        "notices": f'{SENDER}"\nvia = "smtp"\nlead = "30m"\n'
        'kinds = ["confirmed", "rejected", "changed", "cancelled", "starting"]\n#"',
        "extra": f'[smtp]\nhost = "127.0.0.1"\nport = {running.port}\nsecurity = "starttls"\n'
        f'ca_file = "{running.ca}"\nuser = "{USER}"\npassword_file = "smtp.txt"\ntimeout = "2s"',
    }


@pytest.fixture
def mail(tmp_path: Path) -> Any:
    (tmp_path / "smtp.txt").write_text(PASSWORD)
    (tmp_path / "smtp.txt").chmod(0o600)
    with smtp_server(tmp_path, tls="starttls", auth=True) as running:
        yield running


def subjects(running: Running) -> Counter[tuple[str, str]]:
    return Counter((str(one["To"]), str(one["Subject"])) for one in running.post.mails())


def settled(made: Serving, count: int) -> bool:
    rows = made.query("SELECT state FROM notice")
    return len(rows) == count and all(s in ("sent", "doubtful", "failed") for (s,) in rows)


def test_killed_while_mail_is_on_its_way_and_reminders_come_by_themselves(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    mail: Running,
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}, **settings(mail)) as made:
        made.start()
        until(made.synced)
        made.wait_imported()
        soon = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=20)
        starts = [soon, *(day(3 + n) for n in range(9))]
        for number, start in enumerate(starts):
            who = {"bookedBy": {"name": "P", "email": f"p{number}@x.example"}}
            assert made.book("hall", start, **who).status_code == 201
        for _ in range(3):
            time.sleep(0.4)
            made.end(signal.SIGKILL)
            made.start()
        # Ten answers, and one that begins soon.
        until(lambda: settled(made, 11), seconds=20, what=lambda: made.log[-2000:])
        told = subjects(mail)
        assert set(told.values()) == {1}
        counts = Counter(state for (state,) in made.query("SELECT state FROM notice"))
        assert counts["failed"] == 0
        assert counts["doubtful"] <= 3
        assert counts["sent"] <= told.total() <= 11
        reminders = [to for to, subject in told if subject.startswith("Starts soon: hall")]
        doubtful = made.query("SELECT kind FROM notice WHERE state = 'doubtful'")
        assert [to for to in reminders if "p0@x.example" in to] or ("starting",) in doubtful
        assert made.end()[0] == 0
        assert PASSWORD not in made.log
        assert PASSWORD.encode() not in (tmp_path / "calsync.db").read_bytes()


def test_an_admin_sees_what_nobody_knows_and_may_send_it_again(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    mail: Running,
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}, **settings(mail)) as made:
        made.write_settings()
        assert made.cli("sync", "--json").code == 0
        mail.post.does = Behaviour(drop="data")
        made.start()
        until(made.synced)
        who = {"bookedBy": {"name": "Ann", "email": "ann@x.example"}}
        assert made.book("hall", day(3), **who).status_code == 201
        until(lambda: settled(made, 1), what=lambda: made.log[-2000:])
        mail.post.does = Behaviour()
        assert made.end()[0] == 0

        said = made.cli("notices", "list", "--state", "doubtful", "--json").json()
        (one,) = said["notices"]
        assert (one["kind"], one["to"], one["channel"]) == ("confirmed", "ann@x.example", "mail")
        assert "connection was lost" in one["reason"]
        assert "calsync notices list" in made.cli("status").out
        again = made.cli("notices", "resend", str(one["id"]))
        assert (again.code, "queued again" in again.out) == (0, True)
        twice = made.cli("notices", "resend", str(one["id"]))
        assert twice.code == 2
        assert "no failed or doubtful notice" in twice.err
        assert made.cli("sync", "--json").json()["notices_sent"] == 1
        assert subjects(mail).total() == 2, "the admin said that the first did not arrive"


def test_a_test_message_on_every_channel(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    mail: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT", "json://127.0.0.1:9/canary-chat-token")
    more = settings(mail)
    more["extra"] += '\n[[channels]]\nname = "ops"\nurl_env = "CHAT"\n'
    with serving(firm, tmp_path, {"hall": firm.new_room()}, **more) as made:
        made.write_settings()
        said = made.cli("notices", "test", "--mail", "ann@x.example", "--json")
        found = {one["channel"]: one for one in said.json()["channels"]}
        assert found["mail"]["result"] == "sent"
        assert found["ops"]["result"] == "not sent"
        assert said.code == 1
        assert "canary" not in said.out + said.err
        assert subjects(mail) == Counter([("ann@x.example", "Test message of calsync")])
        assert made.query("SELECT count(*) FROM notice") == [(0,)]
        found = made.cli("check", "--no-write", "--json").json()["findings"]
        mine = {one["where"]: one["level"] for one in found if one["about"] == "notices"}
        assert mine == {"channel mail": "ok", "channel ops": "ok"}
        (tmp_path / "smtp.txt").write_text("wrong")
        found = made.cli("check", "--no-write", "--json").json()["findings"]
        (wrong,) = [one for one in found if one["where"] == "channel mail"]
        assert (wrong["level"], "sign in (535)" in wrong["what"]) == ("failed", True)
        assert subjects(mail).total() == 1, "check sends nothing"


def test_nothing_to_try_is_said(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.write_settings()
        said = made.cli("notices", "test")
        assert (said.code, "there is nothing to try" in said.err) == (2, True)
        said = made.cli("notices", "test", "--mail", "a@x.example")
        assert (said.code, "no mail is sent" in said.err) == (2, True)
        assert "No notices." in calsync("notices", "list", "--settings", str(made.settings)).out


def test_a_broken_template_stops_the_start_and_is_named(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    mail: Running,
) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/confirmed.txt").write_text("{{ rom }}")
    more = settings(mail)
    more["notices"] = more["notices"].replace('via = "smtp"', 'via = "smtp"\ntemplates = "words"')
    with serving(firm, tmp_path, {"hall": firm.new_room()}, **more) as made:
        made.write_settings()
        said = made.cli("sync")
        assert said.code == 2
        assert "words/confirmed.txt" in said.err
        assert "rom" in said.err

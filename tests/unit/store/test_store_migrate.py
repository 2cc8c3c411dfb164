"""Migrations: run on start, by anybody, at any time."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from calsync.errors import DatabaseUnusable
from calsync.model import NONE_YET
from calsync.store.codec import LINK_COLUMNS, link_of
from calsync.store.database import Database
from calsync.store.migrate import config_for, facts, migrate
from calsync.store.migrations import HEAD
from calsync.store.pairs import ROOM_STATE_COLUMNS, room_state_of
from calsync.store.tables import metadata
from tests.support import tables as at_once

pytestmark = pytest.mark.migrations


def test_the_migrations_make_exactly_the_tables_of_the_code(db: Database) -> None:
    with db.rebuild() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_table_of_the_hub_is_among_them() -> None:
    hub = Path(__file__).parents[3] / "calsync" / "store" / "hub_schema.py"
    if not hub.exists():
        pytest.skip("no hub in this tree")
    import calsync.store.hub_schema as module

    assert module.__name__.rpartition(".")[2] in dir(sys.modules["calsync.store.tables"])


def test_the_newest_revision_is_the_one_the_code_names(db: Database) -> None:
    with db.rebuild() as connection:
        scripts = ScriptDirectory.from_config(config_for(connection))
    assert scripts.get_heads() == [HEAD]


def test_migrating_twice_changes_nothing(db: Database) -> None:
    before = facts(db)
    migrate(db)
    assert facts(db) == before
    assert set(before) == {"installation_id", "secret"}
    assert len(bytes.fromhex(before["secret"])) == 32


def test_the_tests_have_the_database_that_the_migrations_make(db: Database, path: Path) -> None:
    """Where they do not run them for each (tests/support/tables.py)."""
    quick = Database(f"sqlite:///{path.with_name('quick.db')}")
    at_once.at_once(True)
    migrate(quick)
    found = [_content(one) for one in (db, quick)]
    quick.dispose()
    assert found[0] == found[1]
    assert len(found[0][0]) > 30
    assert found[0][1]["alembic_version"] == [(HEAD,)]


def _content(db: Database) -> tuple[list[tuple[object, ...]], dict[str, list[tuple[object, ...]]]]:
    """What SQLite keeps of tables and indexes, and the rows; the values of ``meta`` are drawn."""
    with db.read() as connection:
        run = connection.exec_driver_sql
        kept = [tuple(r) for r in run("SELECT type, name, tbl_name, sql FROM sqlite_master").all()]
        names = [str(name) for kind, name, *_ in kept if kind == "table"]
        rows = {
            name: [tuple(row) for row in run(f'SELECT * FROM "{name}"').all()] for name in names
        }
    rows["meta"] = [row[:1] for row in rows["meta"]]
    return sorted(kept, key=str), rows


def test_no_two_installations_share_a_secret(db: Database) -> None:
    other = Database("sqlite://")
    migrate(other)
    assert facts(other)["secret"] != facts(db)["secret"]
    other.dispose()


def test_down_and_up_again(db: Database) -> None:
    with db.rebuild() as connection:
        command.downgrade(config_for(connection), "base")
    migrate(db)
    with db.rebuild() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_links_of_the_first_form_live_on(path: Path) -> None:
    """A database made before the loop breakers were: nothing counted, nothing lost."""
    db = Database(f"sqlite:///{path}")
    with db.rebuild() as connection:
        command.upgrade(config_for(connection), "0001")
        _fill(connection)
    migrate(db)
    with db.read() as connection:
        row = connection.exec_driver_sql(f"SELECT {LINK_COLUMNS} FROM link").one()
        state = connection.exec_driver_sql(f"SELECT {ROOM_STATE_COLUMNS} FROM room_sync").one()
    db.dispose()
    link = link_of(row)
    assert (link.id, link.writes) == ("l1", NONE_YET)
    found = room_state_of(state)
    assert (found.imported, found.writes, found.rejoin) == (True, NONE_YET, None)


def test_private_meetings_of_before_name_nobody_any_more(path: Path) -> None:
    """Stored when their people, and what was kept from before they turned private, still were."""
    db = Database(f"sqlite:///{path}")
    private = '{"start":"2026-12-01T09:00:00","end":"2026-12-01T10:00:00","private":true}'
    titled = '{"start":"2026-12-01T09:00:00","end":"2026-12-01T10:00:00","title":"Canary"}'
    one_date = titled[:-1] + (
        ',"series":{"freq":"DAILY","overrides":[{"id":"2026-12-02T09:00:00",'
        '"start":"2026-12-02T09:00:00","end":"2026-12-02T10:00:00","private":true}]}}'
    )
    with db.rebuild() as connection:
        command.upgrade(config_for(connection), "0010")
        _fill(connection)
        run = connection.exec_driver_sql
        run("UPDATE link SET base = ?, person_name = 'Canary', person_address = 'c@x'", (private,))
        run(
            "INSERT INTO former (at, pair_id, link_id, kind, was, why) VALUES"
            " (0, 'p1', 'l1', 'change event', ?, ''), (0, 'p1', 'l2', 'change event', ?, '')",
            (titled, one_date),
        )
        run(
            "INSERT INTO notice (pair_id, kind, link_id, booking_key, revision, recipient,"
            " recipient_name, occupancy, state, tries, reason, queued_at, changed_at)"
            " VALUES ('p1', 'confirmed', 'l1', 'b', '1', 'c@x', 'Canary', ?, 'sent', 1, '', 0, 0)",
            (titled,),
        )
    migrate(db)
    with db.read() as reading:
        link = reading.exec_driver_sql("SELECT base, person_name, person_address FROM link").one()
        formers = reading.exec_driver_sql("SELECT was FROM former ORDER BY id").scalars()
        told = reading.exec_driver_sql("SELECT recipient, occupancy FROM notice").one()
    db.dispose()
    assert link == (private, "", "")
    assert formers == [titled.replace(',"title":"Canary"', ""), one_date]
    assert (told[0].startswith("erased-"), "Canary" in str(told)) == (True, False)


def _fill(connection: Connection) -> None:
    """A pair with a link, by the columns of the first form."""
    connection.exec_driver_sql(
        "INSERT INTO pair (id, room_id, connection, mailbox, zone, titles, edit_policy,"
        " clash_policy, added) VALUES ('p1', 'r', 'c', 'm', 'UTC', FALSE, 'origin', 'first', 0)"
    )
    connection.exec_driver_sql("INSERT INTO room_sync (pair_id, imported) VALUES ('p1', TRUE)")
    halves = [
        f"{side}_{name}"
        for side in ("booking", "event")
        for name in ("version", "mark", "fingerprint", "owned", "uid", "reason", "presence")
    ]
    columns = ["id", "pair_id", "origin", *halves, "base_fingerprint", "state", "reason",
               "revision", "in_flight", "attempts", "pending", "person_name", "person_address",
               "unsettled", "redacted", "stored_at"]  # fmt: skip
    values = ["'l1'", "'p1'", "'booking'", *["''", "0", "''", "TRUE", "''", "''", "'never'"] * 2,
              "''", "'active'", "''", "0", "FALSE", "0", "FALSE", "''", "''", "FALSE", "FALSE",
              "0"]  # fmt: skip
    connection.exec_driver_sql(
        f"INSERT INTO link ({', '.join(columns)}) VALUES ({', '.join(values)})"
    )


def test_a_database_of_a_newer_calsync_is_left_alone(db: Database, path: Path) -> None:
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    db.dispose()
    before = path.read_bytes()
    with pytest.raises(DatabaseUnusable, match="newer calsync") as caught:
        migrate(db)
    assert caught.value.todo
    db.dispose()
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookkeeping (i INTEGER)")
    db = Database(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnusable, match="bookkeeping"):
        migrate(db)
    with db.read() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars()
    db.dispose()
    assert tables == ["bookkeeping"]


def test_an_exception_in_a_migration_leaves_an_empty_database(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError

    db = Database(f"sqlite:///{path}")
    monkeypatch.setattr("calsync.store.migrate._found_installation", fail)
    with pytest.raises(ArithmeticError):
        migrate(db)
    monkeypatch.undo()
    with db.read() as connection:
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master").all() == []
    migrate(db)
    assert facts(db)
    db.dispose()


_MIGRATE = """
import sys
from calsync.store.database import Database
from calsync.store.migrate import facts, migrate
db = Database(sys.argv[1])
migrate(db)
print(facts(db)["installation_id"])
db.dispose()
"""


def test_processes_that_migrate_at_once_agree(path: Path) -> None:
    command_ = [sys.executable, "-W", "error", "-c", _MIGRATE, f"sqlite:///{path}"]
    running = [
        subprocess.Popen(command_, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ended = [process.communicate(timeout=60) for process in running]
    assert [err for _, err in ended] == [""] * 3
    assert len({out for out, _ in ended}) == 1

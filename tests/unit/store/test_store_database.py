"""Transactions, and what an admin reads when the database cannot serve."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from calsync.errors import DatabaseBusy, DatabaseFull, DatabaseUnusable, StoreError
from calsync.store.database import WRITE_LOCK, Database
from calsync.store.failures import of_postgresql
from calsync.store.statements import padded


@contextmanager
def opened(url: str, *, busy_timeout: float = 0.2) -> Iterator[Database]:
    db = Database(url, busy_timeout=busy_timeout)
    try:
        yield db
    finally:
        db.dispose()


@pytest.fixture
def numbers(path: Path) -> Iterator[Database]:
    """A database with one table of whole numbers."""
    with opened(f"sqlite:///{path}") as db:
        with db.write() as connection:
            connection.exec_driver_sql("CREATE TABLE n (i INTEGER PRIMARY KEY, t TEXT)")
        yield db


def count(db: Database) -> int:
    with db.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM n").scalar_one())


def add(db: Database, text: str = "") -> None:
    with db.write() as connection:
        connection.exec_driver_sql("INSERT INTO n (t) VALUES (?)", (text,))


def fill(db: Database) -> None:
    """800 kB in small commits."""
    for _ in range(200):
        add(db, "x" * 4000)


def explained(error: StoreError) -> bool:
    """True where the error says what, where, and what to do."""
    return bool(error.what and error.where and error.todo)


def test_a_write_is_kept_and_seen(numbers: Database) -> None:
    add(numbers)
    assert count(numbers) == 1


def test_an_exception_rolls_the_write_back(numbers: Database) -> None:
    def fail() -> None:
        with numbers.write() as connection:
            connection.exec_driver_sql("INSERT INTO n DEFAULT VALUES")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert count(numbers) == 0


def test_a_read_changes_nothing(numbers: Database) -> None:
    with numbers.read() as connection:
        connection.exec_driver_sql("INSERT INTO n DEFAULT VALUES")
    assert count(numbers) == 0


@pytest.mark.parametrize("outer", ["read", "write"])
@pytest.mark.parametrize("inner", ["read", "write"])
def test_a_transaction_inside_another_is_a_mistake(
    numbers: Database, outer: str, inner: str
) -> None:
    with (
        getattr(numbers, outer)(),
        pytest.raises(RuntimeError, match="already open"),
        getattr(numbers, inner)(),
    ):
        pass
    add(numbers)
    assert count(numbers) == 1


def test_a_connection_that_cannot_be_given_back_blocks_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the thread itself: the writers' turn ends whatever fails."""
    db = Database(f"sqlite:///{path}", busy_timeout=0.1)

    def broken(*_: object) -> None:
        raise OSError("the driver is out of its mind")

    with monkeypatch.context() as patch:
        patch.setattr(db, "_give_back", broken)
        with pytest.raises(OSError, match="out of its mind"), db.write():
            pass
    with db.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    db.dispose()


def test_the_settings_of_sqlite(numbers: Database) -> None:
    with numbers.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 200,
    }


def test_nobody_else_can_read_the_files(numbers: Database, path: Path) -> None:
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_a_write_holds_the_lock_before_its_first_statement(numbers: Database, path: Path) -> None:
    # Without BEGIN IMMEDIATE the lock would come with the first INSERT: check-then-act would race.
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        with (
            numbers.write(),
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")


def test_threads_that_check_then_act_never_lose_a_count(numbers: Database) -> None:
    with numbers.write() as connection:
        connection.exec_driver_sql("INSERT INTO n (i, t) VALUES (1, '0')")

    def count_up() -> None:
        for _ in range(50):
            with numbers.write() as connection:
                now = int(connection.exec_driver_sql("SELECT t FROM n WHERE i = 1").scalar_one())
                connection.exec_driver_sql("UPDATE n SET t = ? WHERE i = 1", (str(now + 1),))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with numbers.read() as connection:
        assert connection.exec_driver_sql("SELECT t FROM n WHERE i = 1").scalar() == "200"


def test_threads_share_a_database_in_memory() -> None:
    with opened("sqlite://") as db:
        with db.write() as connection:
            connection.exec_driver_sql("CREATE TABLE n (i INTEGER PRIMARY KEY, t TEXT)")
        thread = threading.Thread(target=add, args=(db,))
        thread.start()
        thread.join()
        assert count(db) == 1


def test_few_connections_are_kept_and_the_last_to_go_folds_the_log(
    numbers: Database, path: Path
) -> None:
    """Each has a cache of its own, which would fill."""
    together = threading.Barrier(5)

    def look() -> None:
        with numbers.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM n").all()
            together.wait(10)

    threads = [threading.Thread(target=look) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Of the log: SQLite keeps the file itself open while another connection has a lock on it.
    assert _held().count(f"{path}-wal") == 2
    numbers.dispose()
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


def _held() -> list[str]:
    """The files that this process holds open."""
    held = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one by which the list itself was read
            held.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return held


def test_a_connection_comes_back_clean(numbers: Database) -> None:
    with numbers.read() as connection:
        connection.exec_driver_sql("INSERT INTO n DEFAULT VALUES")
    with numbers.glance() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM n").scalar() == 0
    add(numbers)
    assert count(numbers) == 1


def test_a_broken_rule_is_for_the_caller_to_explain(numbers: Database) -> None:
    with pytest.raises(IntegrityError), numbers.write() as connection:
        connection.exec_driver_sql("INSERT INTO n (i) VALUES (1), (1)")
    assert count(numbers) == 0


def test_locked_by_another_program(numbers: Database, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match="locked") as caught:
            add(numbers)
        assert explained(caught.value)
        assert count(numbers) == 0
        other.execute("ROLLBACK")
        add(numbers)


def test_a_writer_that_waits_too_long_for_its_turn_is_told(numbers: Database) -> None:
    answers: list[BaseException] = []

    def write() -> None:
        try:
            add(numbers)
        except DatabaseBusy as error:
            answers.append(error)

    with numbers.write():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(answers) == 1


def test_a_full_disk(numbers: Database) -> None:
    """By SQLite's own limit of pages: the error is the same as that of a full disk."""
    add(numbers)
    with numbers.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 12")
    with pytest.raises(DatabaseFull) as caught:
        fill(numbers)
    assert explained(caught.value)
    kept = count(numbers)
    assert 1 <= kept < 200
    with numbers.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    add(numbers, "x" * 4000)
    assert count(numbers) == kept + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB, where this machine lets us make one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], capture_output=True, check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    with opened(f"sqlite:///{small_disk}/x.db") as db:
        with db.write() as connection:
            connection.exec_driver_sql("CREATE TABLE n (i INTEGER PRIMARY KEY, t TEXT)")
        add(db)
        with pytest.raises(DatabaseFull) as caught:
            fill(db)
        assert explained(caught.value)
        assert count(db) >= 1


def test_a_read_only_file(numbers: Database, path: Path) -> None:
    add(numbers)
    # Opened read-only by its URI: root ignores the mode of a file.
    with opened(f"sqlite:///file:{path}?mode=ro&uri=true") as db:
        assert count(db) == 1
        with pytest.raises(DatabaseUnusable, match="readonly") as caught:
            add(db)
        assert explained(caught.value)


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"# my notes\n" * 1000)
    with opened(f"sqlite:///{path}") as db:
        with pytest.raises(DatabaseUnusable, match="not a database") as caught, db.read():
            pass
        assert explained(caught.value)
    assert path.read_bytes() == b"# my notes\n" * 1000


def test_a_damaged_database(numbers: Database, path: Path) -> None:
    for _ in range(50):
        add(numbers, "x" * 4000)
    numbers.dispose()
    raw = bytearray(path.read_bytes())
    raw[4096 : 4096 * 3] = os.urandom(8192)
    path.write_bytes(raw)
    with pytest.raises(DatabaseUnusable, match="malformed") as caught, numbers.read() as connection:
        connection.exec_driver_sql("SELECT sum(length(t)) FROM n").all()
    assert explained(caught.value)


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with (
        opened(f"sqlite:///{tmp_path}") as db,
        pytest.raises(DatabaseUnusable),
        db.read(),
    ):
        pass


@pytest.mark.parametrize(
    "url", ["", "calsync.db", "nosuch://x/y", "sqlite:////no/such/folder/x.db", "sqlite:///\0"]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        Database(url)
    assert explained(caught.value)


def test_a_server_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseUnusable, match="pip install psycopg") as caught:
        Database("postgresql://user:secret@host/db")
    assert "secret" not in str(caught.value)


class Server:
    """In place of a connection to PostgreSQL, which this suite does without: what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @property
    def dbapi_connection(self) -> Server:
        return self

    def cursor(self) -> Server:
        return self

    def execute(self, statement: str, _: object = ()) -> None:
        self.said.append(statement)

    def commit(self) -> None:
        self.said.append("COMMIT")

    def close(self) -> None:
        pass


def test_on_a_server_a_check_and_the_write_that_rests_on_it_have_a_lock_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of eight who asked for one slot at one moment PostgreSQL let three to six book it: each had
    looked before another one's booking was there."""
    database, server = Database("sqlite://", busy_timeout=2.5), Server()
    monkeypatch.setattr(database, "is_sqlite", False)
    monkeypatch.setattr(database, "_lend", lambda: server)
    with database.write() as connection:
        connection.exec_driver_sql("SELECT is it free")
    assert server.said == [
        "SET LOCAL lock_timeout = 2500",
        f"SELECT pg_advisory_xact_lock({WRITE_LOCK})",
        "SELECT is it free",
        "COMMIT",
    ]
    server.said.clear()
    with database.glance() as connection:
        connection.exec_driver_sql("SELECT is it free")
    assert server.said == ["SELECT is it free"]
    server.said.clear()
    with database.read() as connection:
        connection.exec_driver_sql("SELECT the last number")
        connection.exec_driver_sql("SELECT what changed")
    assert server.said == [
        # Else a change in between would be told, and told once more under another id.
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SELECT the last number",
        "SELECT what changed",
    ]


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
def test_a_server_that_stays_locked_is_busy_by_either_driver(name: str) -> None:
    class Timeout(Exception):
        pass

    error = Timeout("canceling statement due to lock timeout")
    setattr(error, name, "55P03")
    assert isinstance(of_postgresql(error, "postgresql://db"), DatabaseBusy)


_KILLED = """
import os, sys
from calsync.store.database import Database
db = Database(sys.argv[1])
with db.write() as connection:
    connection.exec_driver_sql("INSERT INTO n (t) VALUES ('kept')")
with db.write() as connection:
    connection.exec_driver_sql("INSERT INTO n (t) VALUES ('lost')")
    os.kill(os.getpid(), 9)
"""


def test_a_kill_keeps_what_was_committed_and_nothing_else(numbers: Database, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, f"sqlite:///{path}"], check=False)
    assert done.returncode == -9
    with numbers.read() as connection:
        assert connection.exec_driver_sql("SELECT t FROM n").scalars() == ["kept"]


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_to_a_file_that_is_gone(
    numbers: Database, path: Path, replaced: bool
) -> None:
    """What an unlinked file takes is lost with the process: better refused than answered yes."""
    add(numbers)
    path.rename(path.with_suffix(".away"))
    if replaced:
        path.touch()
    with pytest.raises(DatabaseUnusable, match="deleted or replaced"):
        add(numbers)
    path.with_suffix(".away").replace(path)
    add(numbers)
    assert count(numbers) == 2


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 9, 400])
def test_lists_of_keys_have_few_lengths_and_mean_the_same(count: int) -> None:
    """Each length is a statement that every connection keeps."""
    keys = [f"k{n}" for n in range(count)]
    found = padded(keys)
    assert list(dict.fromkeys(found)) == keys
    assert len(found).bit_count() <= 1
    assert len(found) < 2 * max(1, count)

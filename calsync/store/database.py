"""The one way to calsync's database: transactions, and errors an admin can act upon.

SQLite settings and why: WAL lets readers run beside the one writer; ``synchronous=NORMAL``
keeps a WAL database whole after a crash of the process or the power (only the newest commits
may be missing after a power cut, and every commit here can be derived or looked up again);
``BEGIN IMMEDIATE`` takes the write lock before the first read of a writing transaction, so a
check and the write that rests on it see one state (https://www.sqlite.org/isolation.html).
A server (PostgreSQL) has no such lock of its own: there an advisory one is taken, by all alike.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from sqlalchemy import Connection as CoreConnection
from sqlalchemy import Engine, NullPool, PoolProxiedConnection, QueuePool, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from calsync.errors import DatabaseBusy, DatabaseUnusable, StoreError
from calsync.store.connection import Connection
from calsync.store.failures import busy, of_postgresql, of_sqlite, unusable

log = logging.getLogger("calsync.store")

#: Seconds a transaction waits for the database's write lock before it gives up.
BUSY_TIMEOUT = 5.0

#: The number of the write lock on a server. Any will do, as long as every calsync uses the same one
#: ("cals" in ASCII).
WRITE_LOCK = 0x63616C73

#: Milliseconds of one piece of that wait, after which it is looked whether the process ends.
_PIECE_MS = 100

#: Connections to a file that are kept: the control thread's and one for the API. Each has a cache
#: of pages and statements, which would fill once for every connection that is kept; one more is
#: opened in less than a millisecond where many ask at once.
_IDLE = 2


class Database:
    """Transactions on one database. Safe to share between threads; one transaction a thread.

    ``url`` is SQLAlchemy's form: ``sqlite:///calsync.db`` (relative), ``sqlite:////var/lib/x.db``
    (absolute), ``sqlite://`` (in memory, for tests), ``postgresql://user@host/name``.
    The file of a SQLite database is made with mode 0600: it holds names and addresses.

    Raises DatabaseUnusable where the URL or the file cannot be used at all; the file itself is
    opened by the first transaction.
    """

    def __init__(self, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._url = _parse(url)
        self._busy_timeout = busy_timeout
        self._local = threading.local()
        # SQLite wakes a waiting writer by polling with growing sleeps, which lets a bulk import
        # starve the API. Writers of one process queue here instead.
        self._writer = threading.Lock()
        # A plain flag: a signal handler may set it while this very thread waits.
        self._ending = False
        # Connections to a file wait here, not in a pool of SQLAlchemy's, whose bookkeeping costs
        # more than a small read. (Appending and popping need no lock.)
        self._idle: list[PoolProxiedConnection] = []
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        #: The file of a SQLite database; None in memory and for servers.
        self.path = _file_of(self._url) if self.is_sqlite else None
        self.where = str(self.path) if self.path else self._url.render_as_string(hide_password=True)
        if self.path is not None:
            _make_private(self.path)
        self._file = _identity(self.path)
        self.engine = self._make_engine()
        self._driver = self.engine.dialect.loaded_dbapi

    def _make_engine(self) -> Engine:
        if not self.is_sqlite:
            try:
                return create_engine(self._url, pool_pre_ping=True, hide_parameters=True)
            except ImportError as error:
                raise unusable(
                    self.where,
                    f"its driver is not installed ({error.name})",
                    f"Install it beside calsync: pip install {error.name}",
                ) from error
        # A database in memory lives in its one connection, which threads then share in turn.
        shared: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        engine = create_engine(
            self._url,
            connect_args={"check_same_thread": False, "timeout": self._busy_timeout},
            **(shared if self.path is None else {"poolclass": NullPool}),
            # An error of the driver would show the values of its row: names, addresses, titles.
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "engine_disposed", self._close_idle)
        return engine

    def _prepare(self, connection: sqlite3.Connection, _record: Any) -> None:
        # None: Python's driver starts no transactions by itself; ``_begin`` does.
        connection.isolation_level = None
        run = connection.execute
        run(f"PRAGMA busy_timeout = {int(self._busy_timeout * 1000)}")
        if run("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        run("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten: names that were forgotten must not be left in the file.
        # (Debian's SQLite does so by itself.)
        run("PRAGMA secure_delete = ON")
        # Bulk imports touch keys all over the tables: a checkpoint (which syncs the disk) every
        # 32 MB of WAL instead of every 4.
        run("PRAGMA wal_autocheckpoint = 8000")
        # Every connection has a cache of its own, which each write by another empties: pages come
        # and go in the heap all day, and what is put between them stays. 512 KB in place of 2 MB
        # leaves fewer holes; what is missed comes from the system's cache. (With 32 MB a first
        # import of 40,000 events took some 4 % less processor time, and memory grew for days.)
        run("PRAGMA cache_size = -512")

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        return _Transaction(self, _Kind.READ)

    def glance(self) -> AbstractContextManager[Connection]:
        """For one single SELECT, which sees one state by itself: no transaction is begun. Idle
        rooms are looked at this way."""
        return _Transaction(self, _Kind.GLANCE)

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that holds the write lock from its start; rolled back by any exception.

        Raises DatabaseBusy, DatabaseFull, DatabaseUnusable or StoreError; nothing was changed
        then. ``sqlalchemy.exc.IntegrityError`` passes: which rule was broken is the caller's to
        explain.
        """
        return _Transaction(self, _Kind.WRITE)

    @contextmanager
    def rebuild(self) -> Iterator[CoreConnection]:
        """As ``write``, with SQLAlchemy's own connection, which Alembic wants."""
        self._claim_thread()
        try:
            self._take_turn()
            try:
                self._check_file()
                with self.engine.begin() as connection:
                    yield connection
            finally:
                self._leave_turn()
        except Exception as error:
            self._translate(error)
            raise
        finally:
            self._local.busy = False

    def scrub(self, *, whole: bool = False) -> bool:
        """Let what was deleted leave the files, too: empty the write-ahead log, which holds pages
        as they were before. ``whole``: write the file anew, without the gaps between rows and the
        pages that a database without ``secure_delete`` left behind.

        False where that could not be now, because others read or write: nothing was changed, and
        a later call does it. A server (PostgreSQL) frees its pages by itself (autovacuum).
        """
        if self.path is None:
            return True
        try:
            with _Transaction(self, _Kind.UPKEEP) as connection:
                if whole:
                    connection.exec_driver_sql("VACUUM")
                found = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
                return found is not None and not found[0]
        except DatabaseBusy:
            return False

    def dispose(self) -> None:
        """Close every connection. The last one of a SQLite file also folds the WAL into it."""
        self.engine.dispose()

    def hurry(self) -> None:
        """This process is ending: from now on nobody waits for a locked database."""
        self._ending = True

    # --- helpers ---------------------------------------------------------------------------

    def _check_file(self) -> None:
        """A file that was deleted or replaced still takes what we write, and loses it when we
        end: better to refuse."""
        if _identity(self.path) != self._file:
            raise unusable(
                self.where,
                "its file was deleted or replaced while calsync ran",
                "Stop calsync, put the file or its backup back, and start calsync again",
            )

    def _lend(self) -> PoolProxiedConnection:
        try:
            # The one that was used last: its cache is warm, and the others' stay small.
            return self._idle.pop()
        except IndexError:
            return self.engine.pool.connect()

    def _give_back(self, lent: PoolProxiedConnection, driver: Any) -> None:
        """What is not committed is rolled back."""
        if self.path is None:
            lent.close()
            return
        try:
            if driver.in_transaction:
                driver.rollback()
        except sqlite3.Error:
            lent.invalidate()
            lent.close()
        else:
            if len(self._idle) < _IDLE:
                self._idle.append(lent)
            else:
                lent.close()

    def _close_idle(self, _: Engine) -> None:
        while self._idle:
            self._idle.pop().close()

    def _begin(self, connection: CoreConnection) -> None:
        """On SQLite, where the driver starts no transactions by itself."""
        self._take_write_lock(connection.connection.dbapi_connection)

    def _take_write_lock(self, connection: Any) -> None:
        """BEGIN IMMEDIATE, with SQLite's own wait in pieces: it cannot be ended from outside."""
        until = monotonic() + self._busy_timeout
        whole = int(self._busy_timeout * 1000)
        connection.execute(f"PRAGMA busy_timeout = {min(_PIECE_MS, whole)}")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    waits = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                    if not waits or self._ending or monotonic() >= until:
                        raise
                else:
                    return
        finally:
            connection.execute(f"PRAGMA busy_timeout = {whole}")

    def _take_server_lock(self, connection: Any) -> None:
        """Until the end of the transaction. Rows that are not there yet cannot be locked, so that
        two who find a room free would both book it."""
        _run(connection, f"SET LOCAL lock_timeout = {int(self._busy_timeout * 1000)}")
        _run(connection, f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")

    def _claim_thread(self) -> None:
        """A second transaction inside the first would wait for itself: say so instead."""
        if getattr(self._local, "busy", False):
            raise RuntimeError("a transaction of this thread is already open")
        self._local.busy = True

    def _take_turn(self) -> None:
        # Longer than the wait for other processes: the queue in front of us also waits for them.
        if self.is_sqlite and not self._writer.acquire(timeout=self._busy_timeout * 4):
            raise busy(self.where)

    def _leave_turn(self) -> None:
        if self.is_sqlite:
            self._writer.release()

    def _translate(self, error: BaseException) -> None:
        """Raise what an admin can act upon in place of an error of the driver's."""
        driver = self._driver
        match error:
            case exc.TimeoutError():
                raise busy(self.where) from error
            case exc.IntegrityError():
                pass
            case exc.DBAPIError():
                raise self._explained(error.orig) from error
            case driver.IntegrityError():
                raise exc.IntegrityError(None, None, error) from error
            case driver.ProgrammingError():
                pass  # A bug of ours: it stays what it is.
            case driver.Error():
                raise self._explained(error) from error

    def _explained(self, error: BaseException | None) -> StoreError:
        if isinstance(error, sqlite3.Error):
            return of_sqlite(error, self.where)
        return of_postgresql(error, self.where)


class _Kind(Enum):
    """What a transaction is for."""

    GLANCE = auto()
    READ = auto()
    WRITE = auto()
    #: Statements that no transaction may hold (VACUUM), in the writers' turn.
    UPKEEP = auto()


class _Transaction:
    """One transaction of a thread, in a connection that it borrows. See ``Database.write``.

    A plain object: there is one for every look at an idle room, and nested generators cost more
    than such a look.
    """

    __slots__ = ("_database", "_driver", "_in_turn", "_kind", "_lent")

    _driver: Any

    def __init__(self, database: Database, kind: _Kind) -> None:
        self._database = database
        self._kind = kind
        self._in_turn = kind is _Kind.WRITE or kind is _Kind.UPKEEP

    def __enter__(self) -> Connection:
        database = self._database
        database._claim_thread()
        try:
            if self._in_turn:
                database._take_turn()
            try:
                self._lent = database._lend()
                self._driver = self._lent.dbapi_connection
                try:
                    self._begin()
                except BaseException:
                    database._give_back(self._lent, self._driver)
                    raise
            except BaseException:
                if self._in_turn:
                    database._leave_turn()
                raise
        except BaseException as error:
            database._local.busy = False
            database._translate(error)
            raise
        return Connection(self._driver)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        database = self._database
        try:
            try:
                if error is None and self._kind is _Kind.WRITE:
                    self._driver.commit()
            finally:
                try:
                    database._give_back(self._lent, self._driver)
                finally:
                    # Whatever fails before: the next writer must not wait for ever.
                    if self._in_turn:
                        database._leave_turn()
                    database._local.busy = False
        except Exception as failed:
            database._translate(failed)
            raise
        if error is not None:
            database._translate(error)

    def _begin(self) -> None:
        database = self._database
        if self._in_turn:
            database._check_file()
        if database.is_sqlite:
            if self._kind is _Kind.READ:
                self._driver.execute("BEGIN")
            elif self._kind is _Kind.WRITE:
                database._take_write_lock(self._driver)
        elif self._kind is _Kind.WRITE:
            database._take_server_lock(self._driver)
        elif self._kind is _Kind.READ:
            # By default every statement sees what was committed before that statement.
            _run(self._driver, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _run(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (exc.ArgumentError, ValueError, ImportError) as error:
        raise DatabaseUnusable(
            "this database URL cannot be understood",
            where="[database] url",
            todo="Write sqlite:///calsync.db or postgresql://user@host/name",
        ) from error
    return parsed


def _file_of(url: URL) -> Path | None:
    name = url.database
    if not name or name == ":memory:" or "mode=memory" in name:
        return None
    if name.startswith("file:"):
        name = name.removeprefix("file:").split("?", 1)[0]
    return Path(name)


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file is there: device and inode."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, so that nobody else can ever read it. The WAL files
    take their mode from it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        _warn_of_readers(path)
        return
    except (OSError, ValueError) as error:
        raise DatabaseUnusable(
            f"the database file cannot be made: {getattr(error, 'strerror', error)}",
            where=repr(str(path)),
            todo="Make its folder, or give calsync the right to write there",
        ) from error
    os.close(descriptor)


def _warn_of_readers(path: Path) -> None:
    """A file that was copied or restored has lost its mode. It may be meant: only said. A group
    may read (a backup's), and nobody else; no group may write."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        log.warning(
            "%s: other users of this machine can read or change the database: chmod 600 it",
            path,
        )

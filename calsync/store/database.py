"""The one way to calsync's database: transactions, and errors an admin can act upon.

SQLite settings and why: WAL lets readers run beside the one writer; ``synchronous=NORMAL``
keeps a WAL database whole after a crash of the process or the power (only the newest commits
may be missing after a power cut, and every commit here can be derived or looked up again);
``BEGIN IMMEDIATE`` takes the write lock before the first read of a writing transaction, so a
check and the write that rests on it see one state (https://www.sqlite.org/isolation.html).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Connection as CoreConnection
from sqlalchemy import Engine, NullPool, PoolProxiedConnection, QueuePool, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from calsync.errors import DatabaseBusy, DatabaseFull, DatabaseUnusable, StoreError
from calsync.store.connection import Connection

log = logging.getLogger("calsync.store")

#: Seconds a transaction waits for the database's write lock before it gives up.
BUSY_TIMEOUT = 5.0

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
                raise _unusable(
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
        # 32 MB of WAL instead of every 4. The cache stays as it is, 2 MB: every connection has
        # one, which fills as the database grows. With 32 MB a first import of 40,000 events took
        # some 4 % less processor time, and the memory grew for days.
        run("PRAGMA wal_autocheckpoint = 8000")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._once(), self._lent() as driver:
            if self.is_sqlite:
                driver.execute("BEGIN")
            yield Connection(driver)

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For one single SELECT, which sees one state by itself: no transaction is begun. Idle
        rooms are looked at this way."""
        with self._once(), self._lent() as driver:
            yield Connection(driver)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; rolled back by any exception.

        Raises DatabaseBusy, DatabaseFull, DatabaseUnusable or StoreError; nothing was changed
        then. ``sqlalchemy.exc.IntegrityError`` passes: which rule was broken is the caller's to
        explain.
        """
        with self._once(), self._turn(), self._lent() as driver:
            self._check_file()
            if self.is_sqlite:
                self._take_write_lock(driver)
            yield Connection(driver)
            driver.commit()

    @contextmanager
    def rebuild(self) -> Iterator[CoreConnection]:
        """As ``write``, with SQLAlchemy's own connection, which Alembic wants."""
        with self._once(), self._turn(), self._translated():
            self._check_file()
            with self.engine.begin() as connection:
                yield connection

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
            with self._once(), self._turn(), self._lent() as driver:
                self._check_file()
                if whole:
                    driver.execute("VACUUM")
                busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
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
            raise _unusable(
                self.where,
                "its file was deleted or replaced while calsync ran",
                "Stop calsync, put the file or its backup back, and start calsync again",
            )

    @contextmanager
    def _lent(self) -> Iterator[Any]:
        """The driver's part of a connection of the pool. What is not committed is rolled back."""
        with self._translated():
            try:
                # The one that was used last: its cache is warm, and the others' stay small.
                lent = self._idle.pop()
            except IndexError:
                lent = self.engine.pool.connect()
            driver: Any = lent.dbapi_connection
            try:
                yield driver
            finally:
                self._give_back(lent, driver)

    def _give_back(self, lent: PoolProxiedConnection, driver: Any) -> None:
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

    @contextmanager
    def _once(self) -> Iterator[None]:
        """A second transaction inside the first would wait for itself: say so instead."""
        if getattr(self._local, "busy", False):
            raise RuntimeError("a transaction of this thread is already open")
        self._local.busy = True
        try:
            yield
        finally:
            self._local.busy = False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        # Longer than the wait for other processes: the queue in front of us also waits for them.
        if not self._writer.acquire(timeout=self._busy_timeout * 4):
            raise _busy(self.where)
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.TimeoutError as error:
            raise _busy(self.where) from error
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise self._explained(error.orig) from error
        except self._driver.IntegrityError as error:
            raise exc.IntegrityError(None, None, error) from error
        except self._driver.ProgrammingError:
            # A bug of ours: it stays what it is.
            raise
        except self._driver.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: BaseException | None) -> StoreError:
        if isinstance(error, sqlite3.Error):
            return _of_sqlite(error, self.where)
        return _of_postgresql(error, self.where)


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


# --- errors ----------------------------------------------------------------------------------


def _busy(where: str) -> DatabaseBusy:
    return DatabaseBusy(
        "the database stayed locked by somebody else; nothing was changed",
        where=where,
        todo="End other programs that have it open (backups, SQL shells); calsync tries again",
    )


def _full(where: str, detail: str) -> DatabaseFull:
    return DatabaseFull(
        f"the disk or quota behind the database is full, or failed ({detail}); nothing was changed",
        where=where,
        todo="Free some space and check the disk; calsync goes on by itself",
    )


def _unusable(where: str, detail: str, todo: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"the database cannot be used: {detail}", where=where, todo=todo)


def _of_sqlite(error: sqlite3.Error, where: str) -> StoreError:
    # Extended codes keep the primary one in their low byte (https://www.sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    detail = str(error)
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return _busy(where)
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return _full(where, detail)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _unusable(
                where, detail, "Give calsync the right to write to this file and its folder"
            )
        case sqlite3.SQLITE_CANTOPEN:
            return _unusable(where, detail, "Check that the folder exists and calsync may use it")
        case sqlite3.SQLITE_NOTADB:
            return _unusable(
                where,
                detail,
                "This is not a calsync database: give another [database] url, or restore a backup",
            )
        case sqlite3.SQLITE_CORRUPT:
            return _unusable(where, detail, "Restore the newest backup; calsync then catches up")
        case _:
            return StoreError(f"the database refused a statement: {detail}", where=where)


def _of_postgresql(error: BaseException | None, where: str) -> StoreError:
    # SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
    state = str(getattr(error, "sqlstate", "") or "")
    detail = str(error).split("\n", 1)[0]
    if state in ("55P03", "40P01", "40001"):
        return _busy(where)
    if state.startswith("53"):
        return _full(where, detail)
    if state == "25006":
        return _unusable(where, detail, "The server is read-only: connect to the primary")
    if not state or state.startswith(("08", "28", "3D", "57P")):
        return _unusable(where, detail, "Check that the server runs and lets calsync in")
    return StoreError(f"the database refused a statement: {detail}", where=where)

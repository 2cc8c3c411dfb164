"""What a driver's error means to an admin: what is wrong with the database, and what to do."""

from __future__ import annotations

import sqlite3

from calsync.errors import DatabaseBusy, DatabaseFull, DatabaseUnusable, StoreError


def busy(where: str) -> DatabaseBusy:
    return DatabaseBusy(
        "the database stayed locked by somebody else; nothing was changed",
        where=where,
        todo="End other programs that have it open (backups, SQL shells); calsync tries again",
    )


def full(where: str, detail: str) -> DatabaseFull:
    return DatabaseFull(
        f"the disk or quota behind the database is full, or failed ({detail}); nothing was changed",
        where=where,
        todo="Free some space and check the disk; calsync goes on by itself",
    )


def unusable(where: str, detail: str, todo: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"the database cannot be used: {detail}", where=where, todo=todo)


def of_sqlite(error: sqlite3.Error, where: str) -> StoreError:
    # Extended codes keep the primary one in their low byte (https://www.sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    detail = str(error)
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return busy(where)
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return full(where, detail)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return unusable(
                where, detail, "Give calsync the right to write to this file and its folder"
            )
        case sqlite3.SQLITE_CANTOPEN:
            return unusable(where, detail, "Check that the folder exists and calsync may use it")
        case sqlite3.SQLITE_NOTADB:
            return unusable(
                where,
                detail,
                "This is not a calsync database: give another [database] url, or restore a backup",
            )
        case sqlite3.SQLITE_CORRUPT:
            return unusable(where, detail, "Restore the newest backup; calsync then catches up")
        case _:
            return StoreError(f"the database refused a statement: {detail}", where=where)


def of_postgresql(error: BaseException | None, where: str) -> StoreError:
    # SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
    # By the names of psycopg 3 and 2.
    state = str(getattr(error, "sqlstate", "") or getattr(error, "pgcode", "") or "")
    detail = str(error).split("\n", 1)[0]
    if state in ("55P03", "40P01", "40001"):
        return busy(where)
    if state.startswith("53"):
        return full(where, detail)
    if state == "25006":
        return unusable(where, detail, "The server is read-only: connect to the primary")
    if not state or state.startswith(("08", "28", "3D", "57P")):
        return unusable(where, detail, "Check that the server runs and lets calsync in")
    return StoreError(f"the database refused a statement: {detail}", where=where)

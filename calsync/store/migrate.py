"""Bring a database to this version of calsync: on every start, in one transaction."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import Connection as CoreConnection
from sqlalchemy import inspect

from calsync.errors import DatabaseUnusable
from calsync.store.connection import Connection
from calsync.store.database import WRITE_LOCK, Database
from calsync.store.migrations import HEAD
from calsync.store.statements import Statements

if TYPE_CHECKING:
    from alembic.config import Config


def migrate(db: Database) -> None:
    """Create or update the tables. Safe when two processes do it at once: the second waits for
    the first and finds nothing left to do.

    Raises DatabaseUnusable where the database belongs to a newer calsync or to another program.
    """
    with db.read() as reading:
        if _revision(reading, is_sqlite=db.is_sqlite) == HEAD:
            return
    with db.rebuild() as connection:
        if not db.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
        revision = _revision(connection, is_sqlite=db.is_sqlite)
        if revision == HEAD:
            return
        if revision is None and db.is_sqlite:
            _refuse_foreign(connection, db.where)
        _upgrade(connection, revision, db.where)
        _found_installation(connection, Statements.of(is_sqlite=db.is_sqlite))


def facts(db: Database) -> dict[str, str]:
    """What is known of this installation: ``installation_id`` and ``secret`` (hex)."""
    with db.read() as connection:
        rows = connection.exec_driver_sql("SELECT key, value FROM meta").all()
    return {str(key): str(value) for key, value in rows}


def config_for(connection: CoreConnection) -> Config:
    """Alembic's settings, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection | CoreConnection, *, is_sqlite: bool) -> str | None:
    """The revision the database says it is at; None where calsync never made tables in it."""
    there = (
        "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
        if is_sqlite
        else "SELECT to_regclass('alembic_version')"
    )
    if connection.exec_driver_sql(there).scalar() is None:
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _upgrade(connection: CoreConnection, revision: str | None, where: str) -> None:
    # Imported here: Alembic costs a sixth of a second, and most starts have nothing to migrate.
    from alembic import command
    from alembic.script import ScriptDirectory

    config = config_for(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseUnusable(
            f"the database was made by a newer calsync (revision {revision};"
            f" this one knows up to {HEAD})",
            where=where,
            todo="Start the newer calsync, or restore the backup from before the upgrade",
        )
    command.upgrade(config, "head")


def _refuse_foreign(connection: CoreConnection, where: str) -> None:
    # Alembic's own table is left behind by a downgrade to nothing.
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if tables:
        raise DatabaseUnusable(
            f"the database holds tables of another program ({', '.join(sorted(tables)[:3])})",
            where=where,
            todo="Give calsync a database of its own in [database] url",
        )


def _found_installation(connection: CoreConnection, text: Statements) -> None:
    sql = text.sql("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
    connection.exec_driver_sql(
        sql, [("installation_id", str(uuid4())), ("secret", secrets.token_hex(32))]
    )

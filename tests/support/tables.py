"""The tables of a new database at once, in place of one migration after another.

A new database takes a tenth of a second of processor time by the migrations, and the tests make
hundreds. What the migrations make is recorded once for a process, by running them, and then said
to SQLite as it stands: the same tables, indexes and rows, in the same transaction of
``migrate()``, which does everything else itself. Tests of the migrations run them
(``@pytest.mark.migrations``), and so does every calsync in a process of its own.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

_MODULE = "calsync.store.migrate"


def at_once(wanted: bool) -> None:
    """From now on, or no longer. Whoever knows no database pays nothing."""
    module: Any = sys.modules.get(_MODULE)
    if module is None:
        return
    if not hasattr(module, "_by_migrations"):
        module._by_migrations = module._upgrade
    module._upgrade = _upgrade if wanted else module._by_migrations


def _upgrade(connection: Any, revision: str | None, where: str) -> None:
    if connection.dialect.name != "sqlite" or _objects(connection.exec_driver_sql):
        sys.modules[_MODULE]._by_migrations(connection, revision, where)
        return
    for statement, values in recorded():
        connection.exec_driver_sql(statement, values)


@cache
def recorded() -> tuple[tuple[str, tuple[object, ...]], ...]:
    """What makes a database as the migrations leave it."""
    from calsync.store.database import Database

    db = Database("sqlite://")
    with db.rebuild() as connection:
        sys.modules[_MODULE]._by_migrations(connection, None, db.where)
        told: list[tuple[str, tuple[object, ...]]] = []
        run = connection.exec_driver_sql
        objects = _objects(run)
        told += [(sql, ()) for _, _, sql in objects if sql]
        for kind, name, _ in objects:
            if kind == "table":
                for row in run(f'SELECT * FROM "{name}"').all():
                    marks = ", ".join("?" * len(row))
                    told.append((f'INSERT INTO "{name}" VALUES ({marks})', tuple(row)))
    db.dispose()
    return tuple(told)


def _objects(run: Any) -> list[tuple[str, str, str | None]]:
    """Kind, name and statement of all that is in a database; what SQLite makes itself is not said
    to it (``sqlite_sequence``, the indexes of keys)."""
    found = run("SELECT type, name, sql FROM sqlite_master ORDER BY rowid").all()
    return [(k, n, s) for k, n, s in found if not n.startswith("sqlite_")]

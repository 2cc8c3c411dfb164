"""SQL text for the hot paths, made once from the tables.

Core builds a dict of bound parameters per row, which for a link of forty columns costs more
than SQLite's own work. These statements take plain tuples in the order of the columns and
run on SQLite and PostgreSQL alike (only the placeholder differs).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Table

from calsync.store.connection import Connection

#: Keys per IN list: far below every server's limit, long enough to make the trips few.
CHUNK = 512

Row = Sequence[object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Statements:
    """Makes statements with the placeholder of one driver (``?`` or ``%s``)."""

    placeholder: str

    @classmethod
    def of(cls, *, is_sqlite: bool) -> Statements:
        return cls("?" if is_sqlite else "%s")

    def marks(self, count: int) -> str:
        return ", ".join([self.placeholder] * count)

    def sql(self, text: str) -> str:
        """``text`` with every ``?`` as this driver wants it. No literal may hold a ``?``."""
        return text.replace("?", self.placeholder)

    def insert(self, table: Table, *, skip: Sequence[str] = (), ending: str = "") -> str:
        """INSERT of every column in table order, but for ``skip``."""
        names = [c.name for c in table.columns if c.name not in skip]
        listed = ", ".join(names)
        return f"INSERT INTO {table.name} ({listed}) VALUES ({self.marks(len(names))}) {ending}"

    def upsert(self, table: Table) -> str:
        """INSERT that replaces every other column where the primary key is known."""
        keys = [c.name for c in table.primary_key.columns]
        others = [c.name for c in table.columns if c.name not in keys]
        sets = ", ".join(f"{name} = excluded.{name}" for name in others)
        return self.insert(table, ending=f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}")


def select_all(table: Table) -> str:
    """SELECT of every column in table order."""
    return f"SELECT {', '.join(c.name for c in table.columns)} FROM {table.name}"


def run_many(connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """One trip for all rows; nothing for none."""
    if rows:
        connection.exec_driver_sql(statement, list(rows))


def chunks(keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The distinct keys in parts short enough for one IN list."""
    distinct = tuple(dict.fromkeys(keys))
    for start in range(0, len(distinct), CHUNK):
        yield tuple(padded(distinct[start : start + CHUNK]))


def padded(keys: Sequence[T]) -> Sequence[T]:
    """The keys, with the last one repeated up to the next power of two. An IN list means the same
    then, and SQLite keeps ten prepared statements instead of hundreds (some 10 kB each, in every
    connection), and has less to parse."""
    length = 1 << (len(keys) - 1).bit_length() if keys else 0
    return [*keys, *([keys[-1]] * (length - len(keys)))] if length > len(keys) else keys

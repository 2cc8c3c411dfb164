"""What a transaction is given: statements as text, rows as plain tuples.

SQLAlchemy keeps the tables, their migrations and the pool of connections. Its own connection and
results cost ten times what SQLite's work on the few rows of a cycle does, so statements go to the
driver directly (PEP 249, which sqlite3 and psycopg share).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

Row = Sequence[Any]
Values = Sequence[object]


class Cursor(Protocol):
    """What is used of a driver's cursor."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, statement: str, values: Any = ..., /) -> Any: ...

    def executemany(self, statement: str, values: Any, /) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> Any: ...

    def close(self) -> Any: ...


class Cursors(Protocol):
    """What is used of a driver's connection."""

    def cursor(self) -> Any: ...


class Result:
    """What a statement gave. Each reading method takes all that is left, and closes it: SQLite
    commits nothing while a statement still runs."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        return self._cursor.rowcount

    def all(self) -> list[Row]:
        found: list[Row] = self._cursor.fetchall()
        self._cursor.close()
        return found

    def __iter__(self) -> Iterator[Row]:
        return iter(self.all())

    def first(self) -> Row | None:
        found: Row | None = self._cursor.fetchone()
        self._cursor.close()
        return found

    def scalar(self) -> Any:
        """The first value of the first row; None where there is no row."""
        row = self.first()
        return None if row is None else row[0]

    def scalars(self) -> list[Any]:
        """The first value of every row."""
        return [row[0] for row in self.all()]

    def one(self) -> Row:
        """Raises LookupError where there is no row."""
        row = self.first()
        if row is None:
            raise LookupError("no row")
        return row

    def scalar_one(self) -> Any:
        """Raises LookupError where there is no row."""
        return self.one()[0]


class Connection:
    """A connection within one transaction. ``exec_driver_sql`` has SQLAlchemy's name, and means
    the same: text as the driver takes it."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Cursors) -> None:
        self._driver = driver

    def exec_driver_sql(
        self, statement: str, values: Values | list[tuple[object, ...]] = ()
    ) -> Result:
        """A list of tuples runs the statement once for each."""
        cursor: Cursor = self._driver.cursor()
        if isinstance(values, list):
            cursor.executemany(statement, values)
        else:
            cursor.execute(statement, values)
        return Result(cursor)

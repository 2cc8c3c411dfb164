from collections.abc import Iterator
from pathlib import Path

import pytest
from store_samples import PAIR, FixedClock

from calsync.store.database import Database
from calsync.store.migrate import migrate
from calsync.store.pairs import Mappings
from calsync.store.reports import Reports
from calsync.store.store import SqlStore


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calsync.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    """A migrated database with a short patience."""
    db = Database(f"sqlite:///{path}", busy_timeout=0.2)
    migrate(db)
    yield db
    db.dispose()


@pytest.fixture
def mappings(db: Database, clock: FixedClock) -> Mappings:
    return Mappings(db, clock)


@pytest.fixture
def reports(db: Database) -> Reports:
    return Reports(db)


@pytest.fixture
def store(db: Database, clock: FixedClock, mappings: Mappings) -> SqlStore:
    """A store with one mapped room."""
    mappings.save_pair(PAIR)
    return SqlStore(db, clock)


@pytest.fixture
def fence(store: SqlStore) -> int:
    return store.claim(PAIR.id, "tester")

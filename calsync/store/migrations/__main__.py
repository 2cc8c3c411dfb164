"""For developers: write the migration from the newest revision to the tables in the code."""

import sys

from alembic import command

from calsync.store.database import Database
from calsync.store.migrate import config_for, migrate
from calsync.store.migrations import HEAD


def main(message: str) -> None:
    """Compare a fresh database at HEAD with the tables; write what differs as a new file.

    Afterwards read the file, and set ``HEAD`` to its revision.
    """
    db = Database("sqlite://")
    try:
        migrate(db)
        with db.rebuild() as connection:
            command.revision(
                config_for(connection),
                message=message,
                autogenerate=True,
                rev_id=f"{int(HEAD) + 1:04d}",
            )
    finally:
        db.dispose()


if __name__ == "__main__":
    main(sys.argv[1])

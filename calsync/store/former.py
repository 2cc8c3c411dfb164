"""What calsync removed or wrote over, as it was: kept so that an admin can bring it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from calsync.mapping.fingerprint import dumps, loads
from calsync.model import Effect, EffectKind, Occupancy
from calsync.store.codec import instant, micros, occupancy_ends
from calsync.store.database import Database
from calsync.store.hiding import untitle
from calsync.store.statements import Statements

#: Effects that leave nothing behind of what was there.
_KEPT = frozenset(
    {
        EffectKind.CHANGE_EVENT,
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
        EffectKind.CHANGE_BOOKING,
        EffectKind.DELETE_BOOKING,
        EffectKind.REJECT_BOOKING,
    }
)
#: Most that one restore looks at; more than that is no repair any more.
_MOST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """An effect that was carried out at ``at`` (UTC): ``was`` is what it found, ``became`` what it
    left (None: nothing)."""

    at: datetime
    link_id: str
    kind: EffectKind
    key: str | None
    was: Occupancy
    became: Occupancy | None
    why: str


def former_rows(
    effects: Sequence[Effect], pair_id: str, zone: str, at: int
) -> list[tuple[object, ...]]:
    """Rows in the order of the table, for those effects that took something away."""
    return [
        (
            at,
            pair_id,
            effect.link_id,
            effect.kind.value,
            effect.key,
            dumps(effect.was),
            None if effect.target is None else dumps(effect.target),
            effect.why,
            occupancy_ends(effect.was, zone),
        )
        for effect in effects
        if effect.kind in _KEPT and effect.was is not None
    ]


class FormerStates:
    """Reads what was kept."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._text = Statements.of(is_sqlite=db.is_sqlite)
        self._sql = self._text.sql

    def since(self, pair_id: str, at: datetime) -> list[Former]:
        """What was done to a pair's items since then, oldest first."""
        sql = self._sql(
            "SELECT at, link_id, kind, key, was, became, why FROM former"
            " WHERE pair_id = ? AND at >= ? ORDER BY at, id LIMIT ?"
        )
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(sql, (pair_id, micros(at), _MOST)).all()
        return [
            Former(
                at=instant(done),
                link_id=link_id,
                kind=EffectKind(kind),
                key=key,
                was=loads(was),
                became=None if became is None else loads(became),
                why=why,
            )
            for done, link_id, kind, key, was, became, why in rows
        ]

    def drop_titles(self, pair_id: str, room_id: str) -> None:
        """Titles are not carried for the room any more: what is kept forgets them, too. Bookings
        that stand lose theirs with the next reading of both sides, by which nothing is undone."""
        dead = "state = 'buried'"
        gone = "status NOT IN ('pending', 'confirmed')"
        with self._db.write() as connection:
            for table, where, value in (
                ("former", "pair_id = ?", pair_id),
                ("conflict", "pair_id = ?", pair_id),
                ("notice", "pair_id = ?", pair_id),
                ("link", f"{dead} AND pair_id = ?", pair_id),
                ("hub_booking", f"{gone} AND room_id = ?", room_id),
            ):
                untitle(connection, self._text, table, where, (value,))

    def oldest(self, pair_id: str) -> datetime | None:
        """Since when anything is kept of a pair; None where nothing is."""
        sql = self._sql("SELECT min(at) FROM former WHERE pair_id = ?")
        with self._db.read() as connection:
            found = connection.exec_driver_sql(sql, (pair_id,)).scalar()
        return None if found is None else instant(found)

"""Why the hub does not do what a platform asked. Each kind is one problem of the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calsync.errors import UsageError
from calsync.mapping.booking_rules import Violation
from calsync.mapping.booking_values import Booking
from calsync.model import Alternative


class HubProblem(UsageError):
    """Base of them. ``code`` is the stable name by which clients tell the kinds apart."""

    code = "refused"


class NotFound(HubProblem):
    """No such room, booking or occurrence."""

    code = "not-found"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Wanted time that somebody holds: the holder's instance in UTC, and its booking."""

    start: datetime
    end: datetime
    booking: Booking


class RoomConflict(HubProblem):
    """The room is taken at (some of) the wanted time. ``total`` counts all overlaps."""

    code = "room-conflict"

    def __init__(
        self, overlaps: tuple[Overlap, ...], total: int, alternatives: tuple[Alternative, ...]
    ) -> None:
        super().__init__(
            "the room is already booked at that time",
            todo="Take one of the alternatives, or another time",
        )
        self.overlaps = overlaps
        self.total = total
        self.alternatives = alternatives


class AgainstRules(HubProblem):
    """The platform's rules for the room do not allow this. ``alternatives`` are free rooms whose
    rules do, ``times`` free times of this one (UTC)."""

    code = "against-rules"

    def __init__(
        self,
        violations: tuple[Violation, ...],
        alternatives: tuple[Alternative, ...] = (),
        times: tuple[tuple[datetime, datetime], ...] = (),
    ) -> None:
        super().__init__("; ".join(v.what for v in violations), todo=violations[0].todo)
        self.violations = violations
        self.alternatives = alternatives
        self.times = times


class StaleRevision(HubProblem):
    """The booking changed since the client read it."""

    code = "stale-revision"


class OutlookBorn(HubProblem):
    """The room holds only an attendee's copy: a change would take no effect."""

    code = "outlook-born"


class NotLive(HubProblem):
    """The booking was cancelled or rejected; it cannot be changed any more."""

    code = "booking-not-live"


class NotASeries(HubProblem):
    """An act on one date was asked of a single booking."""

    code = "not-a-series"


class ExternalIdTaken(HubProblem):
    """Another booking of the room holds this externalId."""

    code = "external-id-taken"


class KeyReused(HubProblem):
    """The Idempotency-Key was used for another request."""

    code = "idempotency-key-reused"


class KeyRunning(HubProblem):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency-key-running"


class CursorInvalid(HubProblem):
    """The cursor was not made by this feed."""

    code = "cursor-invalid"


class ResyncRequired(HubProblem):
    """The cursor is older than what the feed keeps; or (``restored``) it has seen changes that
    the feed does not hold: the bookings were restored from a backup since."""

    code = "resync-required"

    def __init__(self, what: str, *, todo: str, restored: bool = False) -> None:
        super().__init__(what, todo=todo)
        self.restored = restored


class TooMuch(HubProblem):
    """The answer would be larger than the API gives at once; it is never cut silently."""

    code = "too-much"

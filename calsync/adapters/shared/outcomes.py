"""What a failed write counts as."""

from __future__ import annotations

from collections.abc import Callable

from calsync.adapters.wrap.port import NotSent
from calsync.errors import (
    BadAnswer,
    ForbiddenLink,
    MappingError,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
)
from calsync.model import InDoubt, Later, Outcome, Refused

#: Seconds until it makes sense to try again after no connection, and after a closed door.
NOT_SENT_S, CLOSED_S = 5.0, 300.0


def guarded(act: Callable[[], Outcome]) -> Outcome:
    """Errors as outcomes. A lost or unreadable answer may follow an execution; all else not."""
    try:
        return act()
    except NotSent as error:
        return Later(NOT_SENT_S, error.what)
    except Throttled as error:
        return Later(error.retry_after, error.what)
    except (Unavailable, BadAnswer) as error:
        return InDoubt(error.what)
    except (NotSignedIn, ForbiddenLink) as error:
        return Later(CLOSED_S, str(error))
    except SideError as error:
        return Later(CLOSED_S, str(error))
    except MappingError as error:
        return Refused(str(error), code="unsayable")

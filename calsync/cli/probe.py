"""Whether a mailbox that was just mapped is there: one request, and none is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calsync.cli.options import connected
from calsync.errors import AccessDenied, CalsyncError, MailboxMissing

if TYPE_CHECKING:
    from calsync.model import Pair


def look(settings: Path, pair: Pair) -> tuple[bool | None, str]:
    """Whether calsync can open the mailbox (None: nobody could be asked), and why not."""
    from calsync.adapters.graph.places import open_mailbox

    try:
        with connected(settings) as system:
            open_mailbox(system.links[pair.connection].calls, pair.mailbox)
    except (MailboxMissing, AccessDenied) as error:
        return False, str(error)
    except CalsyncError as error:
        return None, error.what
    return True, ""

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
    try:
        with connected(settings) as system:
            system.links[pair.connection].open_mailbox(pair.mailbox, patient=False)
    except (MailboxMissing, AccessDenied) as error:
        return False, str(error)
    except CalsyncError as error:
        return None, error.what
    return True, ""

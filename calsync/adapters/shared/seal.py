"""Our tag as it stands on an event: the id of the link, sealed for one mailbox.

A tag is a hint: it can join an event that nobody knows to a booking that still waits for one,
and nothing else. Even that must not be had by writing a tag oneself: ids of links can be worked
out by whoever knows ids of pairs and bookings, which stand in logs and in answers of the API. So
a tag counts only under a code that this installation alone can make, on an event that the room
itself owns (an organizer elsewhere can send the room whatever members they like), in the mailbox
it was made for. A copy within the mailbox keeps a good seal; that its link waits no more is what
turns it away (``reconcile.join``).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from calsync.mapping.event import TAG_PREFIX

#: Bytes. A guess costs a write in the mailbox: eight are plenty, and fit any limit of Exchange's.
_CODE, _MAKER = 8, 4
#: Characters of anything that was sealed; what is longer was not.
_LONGEST = 255


class Mark(NamedTuple):
    """What a sealed text says: ``tag`` is None unless it was sealed here, for this mailbox.
    ``maker`` names the installation that it says it is of, proved by nothing."""

    tag: str | None
    maker: str


#: Ends a uid that we made (only EWS lets one choose it), and sets off in it what it replaces.
UID_END, UID_AGAIN = "@calsync", "~"


def said_by_uid(uid: str, opened: Callable[[str], Mark]) -> tuple[Mark, str] | None:
    """The tag that a uid of ours says, and what its item replaces; None for any other uid. A copy
    made in Outlook has a uid of its own; that of an item stays wherever its mailbox moves."""
    if not (uid.startswith(TAG_PREFIX) and uid.endswith(UID_END)):
        return None
    sealed, _, former = uid[len(TAG_PREFIX) : -len(UID_END)].partition(UID_AGAIN)
    mark = opened(sealed)
    return mark, former if mark.tag is not None else ""


class Seal:
    """Seals tags under the secret of one installation (at most 64 bytes). ``maker`` is the mark
    that all its tags bear; it tells nothing about the secret."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.maker = blake2b(b"maker", key=key, digest_size=_MAKER).hexdigest()

    def close(self, mailbox: str, tag: str) -> str:
        """The tag as it is written."""
        return f"{tag}-{self.maker}-{self._code(mailbox, tag)}"

    def open(self, mailbox: str, text: str) -> Mark:
        """What was read on an event, judged."""
        parts = text.rsplit("-", 2)
        if len(parts) < 3 or not text.isascii() or len(text) > _LONGEST:
            return Mark(None, "")
        tag, maker, code = parts
        good = maker == self.maker and compare_digest(code, self._code(mailbox, tag))
        return Mark(tag if good else None, maker)

    def _code(self, mailbox: str, tag: str) -> str:
        said = f"{mailbox.lower()}\x1f{tag}".encode()
        return blake2b(said, key=self._key, digest_size=_CODE).hexdigest()

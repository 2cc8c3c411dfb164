"""Every error calsync raises on purpose, as one tree. No vendor type leaves an adapter.

::

    CalsyncError
    ├── SettingsError            the settings file is wrong (all problems at once)
    ├── UsageError               a command or call that cannot be carried out as asked
    │   └── HubProblem …         what the booking API refuses (``adapters.hub.problems``)
    ├── StoreError               calsync's own database
    │   ├── DatabaseBusy         locked by somebody else for longer than we wait
    │   ├── DatabaseFull         the disk or the quota is full
    │   ├── DatabaseUnusable     unreadable, read-only, or of a newer calsync
    │   └── AnotherProcess       a second calsync works on the same database
    ├── SideError                one side could not answer
    │   ├── Throttled            come back later (``retry_after`` seconds)
    │   ├── Unavailable          network, 5xx, timeout: the call may be repeated later
    │   ├── BadAnswer            the answer is not what the interface promises
    │   ├── NotSignedIn          the credential was refused
    │   ├── AccessDenied         signed in, but not allowed at this mailbox
    │   ├── MailboxMissing       no such mailbox, or not one this interface can open
    │   ├── CursorExpired        the resume point is void: a full listing is due
    │   │   └── CursorAhead      the feed ends before the resume point: the side was set back
    │   └── ForbiddenLink        a link led to a host that is not ours: not followed
    └── MappingError             a value that the other form cannot say
        ├── UnsayableRecurrence  a recurrence that Graph cannot say as one series
        └── InvalidBooking       a booking document with wrong members (``mapping.booking_form``)

Every message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass


class CalsyncError(Exception):
    """Base of all errors that calsync raises on purpose.

    ``what`` happened, ``where`` (a room, a file and line, an address), and what ``todo``.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.todo}" if self.todo else text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a settings file. ``line`` counts from 1; 0 = the whole file."""

    line: int
    key: str
    what: str
    todo: str = ""


class SettingsError(CalsyncError):
    """The settings are wrong. Carries every problem found, not just the first."""

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the settings", where=path)
        self.path = path
        self.problems = problems

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.what}"]
        for p in self.problems:
            at = f"{self.path}:{p.line}" if p.line else self.path
            lines.append(f"  {at}: {p.key}: {p.what}" + (f". {p.todo}" if p.todo else ""))
        return "\n".join(lines)


class UsageError(CalsyncError):
    """A command or call that cannot be carried out as asked."""


class StoreError(CalsyncError):
    """Something is wrong with calsync's own database."""


class DatabaseBusy(StoreError):
    """The database stayed locked for longer than calsync waits. Nothing was changed."""


class DatabaseFull(StoreError):
    """The disk or quota behind the database is full. Nothing was changed."""


class DatabaseUnusable(StoreError):
    """The database cannot be read or written, or was made by a newer calsync."""


class AnotherProcess(StoreError):
    """Another calsync process holds this database."""


class SideError(CalsyncError):
    """One side could not answer."""


class Throttled(SideError):
    """The side asks to come back later. ``retry_after`` is in seconds from now."""

    def __init__(self, what: str, *, retry_after: float, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.retry_after = retry_after


class Unavailable(SideError):
    """Network fault, timeout or 5xx. Whether a write took effect is unknown."""


class BadAnswer(SideError):
    """The answer is not what the interface promises (HTML, truncated, wrong types)."""


class NotSignedIn(SideError):
    """The credential was refused."""


class AccessDenied(SideError):
    """Signed in, but without a right at this mailbox."""


class MailboxMissing(SideError):
    """There is no such mailbox, or this interface cannot open it."""


class CursorExpired(SideError):
    """The resume point is void; a full listing is due. Deletes nothing by itself."""


class CursorAhead(CursorExpired):
    """The side's feed ends before the resume point: the side was set back to an earlier time."""


class ForbiddenLink(SideError):
    """A link led to a host that is not on the allow-list; it was not followed."""


class MappingError(CalsyncError):
    """A value that the other form cannot say."""


class UnsayableRecurrence(MappingError):
    """A recurrence that the calendar side cannot say as one series."""

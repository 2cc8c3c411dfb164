"""When the credential of a connection ends, as far as this machine can know."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from calsync.errors import CalsyncError
from calsync.settings import Connection
from calsync.setup.findings import Finding, Level

_SOON, _NEAR, _LAST = 30, 7, 1
_RENEW = (
    "In Entra, App registrations, Certificates & secrets: add a new one beside it, set it here,"
    " run calsync check again, then remove the old one"
)


def expiry(entry: Connection, now: datetime) -> Finding:
    """``now`` is aware UTC. A secret says nothing of its end, so that an admin has to."""
    where = f"connection {entry.name}"
    match entry.credential:
        case "federated":
            return Finding(
                level=Level.OK,
                about="credential",
                where=where,
                what="a federated token is read anew for each sign-in: nothing here expires",
            )
        case "certificate":
            try:
                end = certificate_end(entry)
            except (OSError, ValueError, CalsyncError) as error:
                return Finding(
                    level=Level.FAILED,
                    about="credential",
                    where=where,
                    what=f"the certificate cannot be read: {_reason(error)}",
                    todo="Check the path, the rights of the file, and its passphrase",
                )
            return judged("the certificate", end, now, where)
        case _:
            stated = entry.client_secret_expires
            if stated is None:
                return Finding(
                    level=Level.NOTE,
                    about="credential",
                    where=where,
                    what="nobody said when the client secret expires",
                    todo="Add client_secret_expires = 2027-03-01 to this connection, with the date"
                    " that Entra shows beside the secret",
                )
            end = datetime.combine(stated, time(0), UTC)
            return judged("the client secret (as the settings say)", end, now, where)


def judged(name: str, end: datetime, now: datetime, where: str) -> Finding:
    """30 days before the end it is a note, 7 days before a warning, on the last day a failure."""
    days = (end - now).total_seconds() / 86400
    if days <= 0:
        level, what = Level.FAILED, f"{name} expired on {end:%Y-%m-%d}"
    else:
        left = "today or tomorrow" if days <= _LAST else f"in {int(days)} days"
        level = (
            Level.FAILED
            if days <= _LAST
            else Level.WARNING
            if days <= _NEAR
            else Level.NOTE
            if days <= _SOON
            else Level.OK
        )
        what = f"{name} expires {left}, on {end:%Y-%m-%d}"
    todo = "" if level is Level.OK else _RENEW
    return Finding(level=level, about="credential", where=where, what=what, todo=todo)


def certificate_end(entry: Connection) -> datetime:
    """The end of the certificate in its file, aware UTC. Raises OSError or ValueError where there
    is none to read, UsageError where its passphrase cannot be had."""
    raw = Path(entry.certificate_file).read_bytes()
    if Path(entry.certificate_file).suffix.lower() in (".pfx", ".p12"):
        secret = entry.certificate_password
        word = secret.read().encode() if secret is not None else None
        found = pkcs12.load_key_and_certificates(raw, word)[1]
    else:
        # The first one is the app's own; others are those that signed it.
        found = next(iter(x509.load_pem_x509_certificates(raw)), None)
    if found is None:
        raise ValueError("there is none in the file")
    return found.not_valid_after_utc


def _reason(error: Exception) -> str:
    if isinstance(error, CalsyncError):
        return error.what
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

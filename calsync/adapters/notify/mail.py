"""A mail as bytes (RFC 5322): the same from one try to the next but for its date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b

from calsync.adapters.notify.letter import Letter
from calsync.adapters.shared.words import line
from calsync.model import Person

#: What the file for a calendar is called.
ICS = "booking.ics"


@dataclass(frozen=True, slots=True)
class Sender:
    address: str
    name: str = ""


class Unwritable(Exception):
    """The address cannot be written into a mail."""


def message(letter: Letter, to: Person, sender: Sender, now: datetime) -> EmailMessage:
    """Raises Unwritable. Header values are single lines, and the library refuses any other."""
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = _address(sender.name, sender.address)
        mail["To"] = _address(to.name, to.address)
    except (MessageError, ValueError, IndexError) as error:
        raise Unwritable(f"no usable address ({type(error).__name__})") from None
    mail["Subject"] = line(letter.subject)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{name_of(letter, to)}@{_ascii_domain(sender.address)}>"
    # A machine wrote it: no holiday notice answers it (RFC 3834; Exchange's own header).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(letter.text, cte="base64" if not letter.text.isascii() else "7bit")
    if letter.calendar:
        mail.add_attachment(
            letter.calendar.decode(),
            subtype="calendar",
            params={"method": "PUBLISH"},
            filename=ICS,
            cte="base64",
        )
    # Last: the library moves such headers into the first part.
    mail["Content-Language"] = letter.language
    return mail


def name_of(letter: Letter, to: Person) -> str:
    """The same at every try, so that a server that got two can drop one; it tells nothing."""
    return blake2b(f"{letter.about}|{to.address}".encode(), digest_size=16).hexdigest()


def ascii_address(address: str) -> str:
    """The address with its domain as DNS knows it. Raises Unwritable for what only SMTPUTF8
    (RFC 6531) could carry."""
    local, _, _ = address.rpartition("@")
    if not local.isascii():
        raise Unwritable("an address with letters beyond ASCII before the @ is not supported")
    return f"{local}@{_ascii_domain(address)}"


def _ascii_domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    try:
        return domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        raise Unwritable("no usable address (its domain)") from None


def _address(name: str, address: str) -> Address:
    return Address(display_name=line(name), addr_spec=ascii_address(address))

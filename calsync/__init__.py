"""calsync keeps the rooms of a booking platform and Exchange room mailboxes equal, both ways."""

__version__ = "0.1.0"

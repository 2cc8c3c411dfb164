"""Sentences of other parts of calsync that notices translate.

They reach a notice as English text (a refusal has a reason); ``N_`` marks them for the
translators' files and does nothing else.
"""

from __future__ import annotations


def N_(text: str) -> str:
    return text


#: Why a booking cannot stand: see ``reconcile.effects`` and ``reconcile.route``. What an admin
#: wrote stays as it is.
REASONS = (
    N_("The room was already booked at that time."),
    N_("The room was already booked on some of the dates."),
    N_("The room is blocked at that time in its own calendar."),
    N_("The room was given up on the booking platform."),
    N_("The room declined it in Exchange: it was taken, or its booking rules do not allow it."),
    N_(
        "Bookings of this room are meetings in the calendar of the person who booked, and this one"
        " names nobody's mail address."
    ),
    N_(
        "Bookings of this room are meetings in the calendar of the person who booked, and of a"
        " private booking calsync does not keep who that is."
    ),
)

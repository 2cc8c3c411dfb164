"""What Outlook's bookings get that break a room's rules, as one line of text:
``opening_hours=decline, seats=warn``. So it stands in settings, sheets and the database."""

from __future__ import annotations

from dataclasses import fields, replace

from calsync.model import LET_BE, Reaction, Reactions

#: The rules that have a reaction, in the order in which they are written.
NAMES = tuple(f.name for f in fields(Reactions))


def read_reactions(text: str, default: Reactions = LET_BE) -> Reactions:
    """``default`` with what ``text`` says. Raises ValueError, with what is wrong, for people."""
    found: dict[str, Reaction] = {}
    for part in text.replace(",", " ").split():
        name, equals, said = part.partition("=")
        if name not in NAMES or not equals:
            raise ValueError(
                f"{part[:40]!r} is not RULE=REACTION with a rule of {', '.join(NAMES)}"
            )
        if said not in tuple(Reaction):
            raise ValueError(f"{name} cannot be {said[:40]!r}: one of {', '.join(Reaction)}")
        if name in found:
            raise ValueError(f"{name} is said twice")
        found[name] = Reaction(said)
    return replace(default, **found)


def reactions_text(reactions: Reactions) -> str:
    """Only what is not let be; empty where all is."""
    chosen = ((name, getattr(reactions, name)) for name in NAMES)
    return ", ".join(f"{name}={one.value}" for name, one in chosen if one is not Reaction.NOTHING)

"""``calsync privacy``: what is kept about a person, shown and erased."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import say
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, opened
from calsync.cli.output import print_json, print_line, print_table
from calsync.cli.times import span
from calsync.errors import UsageError

if TYPE_CHECKING:
    from calsync.bootstrap import Home
    from calsync.model import Link, Occupancy
    from calsync.store.people import Kept

app = typer.Typer(help="Show or erase what is kept about a person.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The person's mail address.")]


@app.command("export")
def export(
    address: Address, settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = True
) -> None:
    """Print everything that is kept about a person, as JSON.

    Found by mail address, in any spelling of its letters: bookings and their history, messages and
    their state, what lost a conflict or can be brought back. Logs and history name nobody. What
    Exchange and the platforms keep is theirs to tell.
    """
    del as_json  # Each verb takes the option; here it is JSON either way.
    with opened(settings) as home:
        wanted = _address(home, address)
        found = home.people.kept(wanted)
        print_json(_document(home, wanted, found))


@app.command("erase")
def erase(
    address: Address,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it. Without, it is only shown.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Erase a person from calsync's database; without --yes only show what would be erased.

    Bookings that are over lose person and title. Those to come stay, as their time is taken, and
    lose the person, and a title that names the person. Nobody is told, and nothing is written to
    Outlook. Meetings that the person organises in Exchange are named: as long as they stand there,
    their next change brings the name back.
    """
    with opened(settings) as home:
        wanted = _address(home, address)
        found = home.people.kept(wanted)
        if not yes:
            _tell(home, found, done=None, as_json=as_json)
            return
        done = home.people.erase(wanted)
        scrubbed = home.db.scrub(whole=True)
        _tell(home, found, done={**_counts(done), "scrubbed": scrubbed}, as_json=as_json)


def _address(home: Home, text: str) -> str:
    """Raises UsageError for what is no address, or a room's."""
    address = text.strip()
    if "@" not in address.strip("@"):
        raise UsageError(
            "this is no mail address", where=repr(text), todo="Such as ada@example.com"
        )
    for pair in home.store.pairs():
        if pair.mailbox.casefold() == address.casefold():
            raise UsageError(
                "this is a room's mailbox, not a person",
                where=f"room {pair.room_id}",
                todo="To take a room back: calsync rooms unmap --remove-ours",
            )
    return address


# --- the document ----------------------------------------------------------------------------


def _document(home: Home, address: str, found: Kept) -> dict[str, Any]:
    from calsync.mapping.booking import booking_to_json

    zones = {stored.room.id: stored.room.zone for stored in home.bookings.rooms()}
    keep = home.settings.retention
    return {
        "address": address,
        "at": home.clock.now(),
        "names": found.names,
        "bookings": [
            booking_to_json(booking, zones.get(booking.room_id, "UTC"), details=True)
            for booking in found.bookings
        ],
        "synced": [_link(found, link) for link in found.links],
        "messages": [
            {
                "room": _room(found, one),
                **{name: one[name] for name in ("kind", "recipient", "state")},
                # A channel may have been told of whoever had the booking before.
                "recipient_name": name if (name := one["recipient_name"]) in found.names else "",
                "reason": one["reason"],
                "made": one["queued_at"],
                "changed": one["at"],
                "about": _stored(one["occupancy"]),
            }
            for one in found.notices
        ],
        "conflicts": [
            {
                "room": _room(found, one),
                **{name: one[name] for name in ("at", "kind", "winner", "reason")},
                "lost": _stored(one["lost"]),
            }
            for one in found.conflicts
        ],
        "changed_by_calsync": [
            {
                "room": _room(found, one),
                **{name: one[name] for name in ("at", "kind", "why")},
                "was": _stored(one["was"]),
                "became": _stored(one["became"]),
            }
            for one in found.former
        ],
        "kept_answers": [
            {"token": one["token_id"], "at": one["at"], "answer": one["body"]}
            for one in found.answers
        ],
        "named_in_titles_of_others": [
            {"room": room, "booking": booking} for room, booking in found.mentions
        ],
        "kept_for": {
            "details_days_after_the_end": keep.details_days,
            "the_rest_days_after_the_end": keep.links_days,
        },
    }


def _link(found: Kept, link: Link) -> dict[str, Any]:
    return {
        "room": found.rooms.get(link.pair_id, ("", ""))[0],
        "id": link.id,
        "made_on": link.origin,
        "booking": link.booking.key,
        "event": link.event.key,
        "name": link.person.name,
        "address": link.person.address,
        "agreed": _said(link.base),
        "on_the_platform": _said(link.booking.seen),
        "in_exchange": _said(link.event.seen),
    }


def _said(occupancy: Occupancy | None) -> dict[str, Any] | None:
    if occupancy is None:
        return None
    return {
        "title": occupancy.title,
        "start": occupancy.start,
        "end": occupancy.end,
        "zone": occupancy.zone,
        "private": occupancy.private,
        "series": occupancy.recurrence is not None,
    }


def _stored(text: str | None) -> dict[str, Any] | None:
    from calsync.mapping.fingerprint import loads

    return None if text is None else _said(loads(text))


def _room(found: Kept, row: dict[str, Any]) -> str:
    return found.rooms.get(str(row["pair_id"]), ("", ""))[0]


# --- what is, or was, erased -----------------------------------------------------------------


def _counts(done: object) -> dict[str, Any]:
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(done)
    assert not isinstance(done, type)
    return asdict(done)


def _tell(home: Home, found: Kept, *, done: dict[str, Any] | None, as_json: bool) -> None:
    now = home.clock.now()
    to_come = [b for b in found.bookings if b.status.live and b.span.end > now]
    counts = {
        "bookings": len(found.bookings),
        "to_come": len(to_come),
        "links": len(found.links),
        "notices": len(found.notices),
        "unsent": len(found.waiting),
        "answers": len(found.answers),
    }
    read_from = now - timedelta(days=home.settings.window.past_days)
    again = [
        _in_exchange(found, link)
        for link in found.in_exchange
        if not _ended(found, link, before=read_from)
    ]
    if as_json:
        print_json(
            {
                "erased": done is not None,
                "found": counts,
                "done": done,
                "still_in_exchange": again,
                "named_in_titles_of_others": [
                    {"room": room, "booking": booking} for room, booking in found.mentions
                ],
            }
        )
        return
    if not found.anything:
        print_line("Nothing is kept about this address.")
    else:
        verb = "was erased" if done is not None else "would be erased"
        print_line(f"What {verb}:")
        print_table(
            ["what", "how many"],
            [
                ("bookings that name the person", counts["bookings"]),
                ("of these to come: they stay, without the person", counts["to_come"]),
                ("joins of a booking and an event, and their history", counts["links"]),
                ("messages", counts["notices"]),
                ("of these not sent yet: they are not sent", counts["unsent"]),
                ("answers kept for repeated requests", counts["answers"]),
            ],
            empty="",
        )
    if again:
        say(
            f"{len(again)} meeting(s) of this person stand in Exchange: the next change there"
            " brings the name back. Have them handed over or cancelled there, then erase again:"
        )
        print_table(["room", "when"], [(one["room"], one["when"]) for one in again], empty="")
    if done is not None and done["titles_left"]:
        say(
            "The titles of these bookings to come name the person, and Outlook holds them in"
            f" several parts: change them on the platform: {', '.join(done['titles_left'])}"
        )
    if found.mentions:
        listed = ", ".join(booking for _, booking in found.mentions[:20])
        say(f"The titles of {len(found.mentions)} booking(s) of others name the person: {listed}")
    if done is not None and not done["scrubbed"]:
        say(
            "Pages of the database as they were may still be in its write-ahead log: others use it"
            " just now. The nightly purge empties it; or erase once more later."
        )
    if done is None and found.anything:
        print_line("Nothing was changed. To erase it: the same with --yes")


def _ended(found: Kept, link: Link, *, before: datetime) -> bool:
    from calsync.mapping.expand import extent

    shown = _shown(link)
    end = None if shown is None else extent(shown, _zone(found, link))[1]
    return end is not None and end <= before


def _shown(link: Link) -> Occupancy | None:
    return link.event.seen or link.base or link.booking.seen


def _zone(found: Kept, link: Link) -> str:
    return found.rooms.get(link.pair_id, ("", "UTC"))[1]


def _in_exchange(found: Kept, link: Link) -> dict[str, str]:
    room, zone, shown = _room(found, {"pair_id": link.pair_id}), _zone(found, link), _shown(link)
    return {"room": room, "link": link.id, "when": "" if shown is None else span(shown, zone)}

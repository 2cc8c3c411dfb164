"""Fill a world quickly: buildings, rooms, people and meetings without clashes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from . import meetings
from .attendant import Processing, Verdict
from .items import Attendee, Item, when
from .mailbox import Mailbox, Place
from .recurrence import Pattern, Recurrence
from .world import Tenant
from .zones import Zone, zone

if TYPE_CHECKING:
    from .world import World

TITLES = (
    "Weekly review",
    "Customer call",
    "Interview",
    "Planning",
    "Retrospective",
    "Budget",
    "Training",
    "One to one",
)
SPREAD_DAYS = (-14, 150)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to make."""

    rooms: int = 4
    people: int = 8
    buildings: int = 1
    events_per_room: int = 0
    series_share: float = 0.1
    seed: int = 0
    zone: str = "W. Europe Standard Time"
    tenant: str | None = None


def seed(world: World, plan: Plan) -> dict[str, object]:
    """Add to the world; the answer counts what was made."""
    chance, tenant, home = Random(plan.seed), world.tenant(plan.tenant), zone(plan.zone)
    buildings = [
        f"Building {chr(65 + number % 26)}{number // 26 or ''}"
        for number in range(max(1, plan.buildings))
    ]
    for number, name in enumerate(buildings):
        tenant.lists.setdefault(name, f"building-{number + 1}@{tenant.domain}")
    people = [_person(world, tenant, home, number) for number in range(plan.people)]
    rooms = [
        _room(world, tenant, home, number, buildings[number % len(buildings)], chance)
        for number in range(plan.rooms)
    ]
    made = [0, 0]
    if people:
        for room in rooms:
            _fill(world, room, people, plan, chance, made)
    return {
        "rooms": [room.address for room in rooms],
        "people": [person.address for person in people],
        "buildings": buildings,
        "events": made[0],
        "series": made[1],
    }


def _free(world: World, stem: str, number: int, domain: str) -> str:
    while world.box(f"{stem}-{number + 1:04d}@{domain}"):
        number += 1
    return f"{stem}-{number + 1:04d}@{domain}"


def _person(world: World, tenant: Tenant, home: Zone, number: int) -> Mailbox:
    address = _free(world, "person", number, tenant.domain)
    return world.add_mailbox(address, f"Person {address[7:11]}", tenant=tenant, home=home)


def _room(
    world: World, tenant: Tenant, home: Zone, number: int, building: str, chance: Random
) -> Mailbox:
    address = _free(world, "room", number, tenant.domain)
    place = Place(
        place_id=world.uuid(),
        building=building,
        floor=number % 5,
        capacity=chance.choice((4, 6, 8, 12, 20)),
    )
    name = f"Room {address[5:9]}"
    return world.add_mailbox(
        address, name, tenant=tenant, home=home, place=place, processing=Processing()
    )


def _fill(
    world: World, room: Mailbox, people: list[Mailbox], plan: Plan, chance: Random, made: list[int]
) -> None:
    """Series in the mornings, single meetings from ten o'clock on: no two meet."""
    today = room.zone.to_wall(world.utc()).date()
    series = min(round(plan.events_per_room * plan.series_share), 40)
    for number in range(series):
        day = today + timedelta(days=SPREAD_DAYS[0] + number % 5)
        start = datetime.combine(day, datetime.min.time()) + timedelta(
            minutes=6 * 60 + 30 * (number // 5)
        )
        rule = Recurrence(Pattern("weekly", 1, (day.weekday(),)), day, "numbered", None, 20)
        _meeting(world, room, chance.choice(people), start, 30, rule, chance)
    slots = [(day, slot) for day in range(*SPREAD_DAYS) for slot in range(16)]
    singles = min(plan.events_per_room - series, len(slots))
    for day_number, slot in sorted(chance.sample(slots, singles)):
        start = datetime.combine(today + timedelta(days=day_number), datetime.min.time())
        _meeting(
            world,
            room,
            chance.choice(people),
            start + timedelta(minutes=600 + 30 * slot),
            30,
            None,
            chance,
        )
    made[0] += singles
    made[1] += series


def _meeting(
    world: World,
    room: Mailbox,
    person: Mailbox,
    start: datetime,
    minutes: int,
    rule: Recurrence | None,
    chance: Random,
) -> None:
    """The organizer's copy and the accepted, rewritten room copy, without mails: they are old."""
    now = world.tick()
    slot = when(start, start + timedelta(minutes=minutes), room.zone)
    item = Item(
        key=world.new_key(),
        uid=world.new_uid(),
        when=slot,
        organizer=person.person,
        own=True,
        rule=rule,
        props={"subject": chance.choice(TITLES)},
        attendees=(Attendee(room.person, "resource", "accepted", now),),
        response=("organizer", 0),
    )
    made = person.put(item, now)
    copy = meetings.copy_of(
        world, room, made, None, response=("accepted", now), verdict=Verdict("accepted")
    )
    room.put(replace(copy), now)

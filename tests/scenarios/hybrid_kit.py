"""A company on the move: an Exchange Server and a tenant with the same mailboxes, each reached
through its own connection, and admins who move mailboxes from one to the other and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calsync import bootstrap
from calsync.model import Link, LinkState, Room
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from tests.support.company import DOMAIN, Company, Place, Tenant, a_company, a_tenant

CLOUD, ONPREM = "contoso", "onprem"
ZONES = (
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("GMT Standard Time", "Europe/London"),
    ("Eastern Standard Time", "America/New_York"),
    ("India Standard Time", "Asia/Kolkata"),
)
#: What keeps the subject of a meeting in the room's calendar (Set-CalendarProcessing).
KEEPS_TITLES = {"DeleteSubject": False, "AddOrganizerToSubject": False}
PERSON = f"ada@{DOMAIN}"


@contextmanager
def a_hybrid(folder: Path, *, more: str = "", follows: bool = False) -> Iterator[Company]:
    """``follows``: the settings say that the server's mailboxes are being moved to the cloud."""
    with a_tenant() as tenant:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "password").write_text(DEFAULT_PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o600)
        server = f"""
        [[connections]]
        name = "{ONPREM}"
        kind = "ews"
        endpoint = "{tenant.url}/EWS/Exchange.asmx"
        auth = "basic"
        user = "{DEFAULT_USER}@{DOMAIN}"
        password_file = "{folder}/password"
        {f'moves_to = "{CLOUD}"' if follows else ""}
        """
        tenant.control("POST", "people", {"address": PERSON, "name": "Ada"})
        with a_company(folder, tenant, more=server + more, exchange="graph") as company:
            yield company


def a_room(company: Company, number: int, *, at: str = ONPREM) -> Place:
    """The n-th room, in one of four zones, with titles or without."""
    label, zone = ZONES[number % len(ZONES)]
    titles = number % 2 == 1
    room_id = f"r{number}"
    address = f"{room_id}@{DOMAIN}"
    doc: dict[str, Any] = {"address": address, "name": room_id, "zone": label, "home": home_of(at)}
    if titles:
        doc["processing"] = KEEPS_TITLES
    company.tenant.control("POST", "rooms", doc)
    company.home.bookings.put_room(Room(id=room_id, name=room_id, zone=zone))
    pair = bootstrap.map_room(
        company.home, room_id=room_id, mailbox=address, connection=at, titles=titles
    )
    place = company.places[room_id] = Place(room_id, address, zone, pair)
    return place


def home_of(connection: str) -> str:
    return "onprem" if connection == ONPREM else "cloud"


def migrate(tenant: Tenant, place: Place, to: str = CLOUD) -> None:
    """What Exchange's admin does."""
    tenant.control("POST", f"rooms/{place.address}/migrate", {"to": home_of(to)})


def ask_to_move(company: Company, place: Place, to: str = CLOUD, **more: Any) -> int:
    """What calsync's admin says (``calsync rooms move``, while calsync runs)."""
    number = company.home.requests.ask(place.pair.id, "move", {"to": to, **more})
    company.system.context.hear()
    return number


def result_of(company: Company, number: int) -> tuple[str, str]:
    found = company.home.requests.find(number)
    assert found is not None
    return found.state, found.result


def links_of(company: Company, place: Place) -> dict[str, Link]:
    return {link.id: link for link in company.home.store.links(place.pair.id)}


def live_links(company: Company, place: Place) -> dict[str, Link]:
    return {
        i: link
        for i, link in links_of(company, place).items()
        if link.state is not LinkState.BURIED
    }


def mails(company: Company) -> int:
    return len(company.tenant.control("GET", "mails")["mails"])

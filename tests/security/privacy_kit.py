"""A company in which marked names, subjects and bodies are planted, and everything by which any of
it could come out again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from calsync.bootstrap import purge_now
from calsync.cli.main import run
from calsync.engine.calls import run_inline
from calsync.engine.notify import deliver_notices
from calsync.sandbox import DEFAULT_TENANT
from tests.support.company import Company, Place
from tests.support.receiver import Receiver

ZONE = "W. Europe Standard Time"
WINDOW = "start=2026-11-30T00:00:00Z&end=2027-01-30T00:00:00Z"
#: In what is public: seen by those who may, and by nobody else.
PUBLIC = ("opensubject", "opentitle", "openoverride", "opened")
PEOPLE = ("ada.open", "Ada Open", "bob.open", "Bob Open")
#: In what is private: seen by nobody at all, and kept nowhere.
PRIVATE = (
    *("shutsubject", "shuttitle", "shutoverride", "eve.shut", "Eve Shut", "dan.shut", "Dan Shut"),
    *("shutbody", "openbody"),
)
#: In what was public, and then turned private.
TURNED = ("turnsubject", "turntitle", "fay.turn", "Fay Turn", "gil.turn", "Gil Turn")
#: Booking rules of a mailbox that keep what people wrote. (By default Exchange takes the subject,
#: the body, and the private mark off.)
KEEPING = {
    "AddOrganizerToSubject": False,
    "DeleteSubject": False,
    "DeleteComments": False,
    "RemovePrivateProperty": False,
}
ADA = {"address": "ada.open@contoso.example", "name": "Ada Open"}
EVE = {"address": "eve.shut@contoso.example", "name": "Eve Shut"}
FAY = {"address": "fay.turn@contoso.example", "name": "Fay Turn"}
GIL = {"email": "gil.turn@partner.example", "name": "Gil Turn"}
BOB = {"email": "bob.open@partner.example", "name": "Bob Open"}
DAN = {"email": "dan.shut@partner.example", "name": "Dan Shut"}


@dataclass
class Found:
    """What came out, by where. Searched as text, whatever it was."""

    texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, where: str, text: str) -> None:
        self.texts.setdefault(where, []).append(text)

    def where(self, word: str) -> set[str]:
        """Every place that holds the word, in any case and any usual spelling of JSON."""
        spelled = {word.casefold(), json.dumps(word)[1:-1].casefold()}
        return {
            where
            for where, texts in self.texts.items()
            if any(one in text.casefold() for text in texts for one in spelled)
        }


def plant(firm: Company) -> dict[str, Any]:
    """Bookings of every kind, in a room with titles and one without. The ids by what they are."""
    for person in (ADA, EVE, FAY, {"address": "rooms@contoso.example", "name": "Rooms"}):
        firm.tenant.control("POST", "people", {**person, "zone": ZONE})
    made: dict[str, Any] = {}
    for room_id, titles in (("titled", True), ("plain", False)):
        room = firm.add_room(
            room_id, zone="Europe/Berlin", label=ZONE, titles=titles, processing=KEEPING
        )
        firm.cycle(room)
        _in_outlook(firm, room)
        made |= {f"{room_id} {name}": one for name, one in _on_the_platform(firm, room).items()}
        for _ in range(3):
            firm.cycle(room)
        _turn_private(firm, room, made[f"{room_id} turns"])
        for _ in range(3):
            firm.cycle(room)
    return made


def _in_outlook(firm: Company, room: Place) -> None:
    act = firm.tenant.act
    ada = {"person": ADA["address"], "room": room.address, "zone": ZONE, "body": "openbody"}
    eve = {"person": EVE["address"], "room": room.address, "zone": ZONE, "body": "shutbody"}
    act("book", subject="opensubject", **ada, **at(1, 9))
    for hour, kind in ((11, "private"), (12, "confidential"), (13, "personal")):
        act("book", subject="shutsubject", graph={"sensitivity": kind}, **eve, **at(1, hour))
    # To be turned private later.
    fay = {**eve, "person": FAY["address"]}
    act("book", subject="turnsubject", **fay, **at(1, 15))
    # Wants time that is taken by then: somebody is refused.
    act("book", subject="opensubject", **ada, **at(4, 9))


def _on_the_platform(firm: Company, room: Place) -> dict[str, Any]:
    bob = {"duration": "PT1H", "bookedBy": BOB, "title": "opentitle"}
    dan = {"duration": "PT1H", "bookedBy": DAN, "title": "shuttitle", "privacy": "private"}
    series = {
        "rrule": "FREQ=WEEKLY;COUNT=4",
        "recurrenceOverrides": {
            "2026-12-10T09:00:00": {"title": "openoverride"},
            "2026-12-17T09:00:00": {"title": "shutoverride", "privacy": "private"},
        },
    }
    return {
        "open": firm.book(room, start="2026-12-02T09:00:00", **bob),
        "shut": firm.book(room, start="2026-12-02T11:00:00", **dan),
        "series": firm.book(room, start="2026-12-03T09:00:00", **bob, **series),
        "clash": firm.book(room, start="2026-12-04T09:30:00", **bob),
        "turns": firm.book(
            room, start="2026-12-02T15:00:00", duration="PT1H", bookedBy=GIL, title="turntitle"
        ),
        "secret": firm.book(
            room, start="2026-12-02T13:00:00", **{**dan, "privacy": "secret"}
        ),
    }  # fmt: skip


def _turn_private(firm: Company, room: Place, booking: Any) -> None:
    """Both, moved first, so that something is kept of what they were."""
    firm.change(booking, start="2026-12-02T16:00:00")
    turned = _item(firm, room, "turnsubject")
    where = {"room": room.address, "iCalUId": turned["iCalUId"]}
    firm.tenant.act("move", **where, zone=ZONE, **at(1, 16))
    for _ in range(2):
        firm.cycle(room)
    firm.change(booking, privacy="private")
    firm.tenant.act("set", **where, graph={"sensitivity": "private"})


def _item(firm: Company, room: Place, subject: str) -> Any:
    found = [one for one in firm.tenant.items(room.address) if subject in str(one)]
    assert found, subject
    return found[0]["event"]


def at(day: int, hour: int) -> dict[str, str]:
    """An hour of a day of December 2026, as Outlook says it."""
    return {
        "start": f"2026-12-{day:02}T{hour:02}:00:00",
        "end": f"2026-12-{day:02}T{hour + 1:02}:00:00",
    }


def tell(firm: Company) -> None:
    """Send the notices that wait."""
    assert firm.system.notifier is not None
    pairs = {pair.id: pair for pair in firm.home.store.pairs()}
    rooms = {stored.room.id: stored.room for stored in firm.home.bookings.rooms()}
    for _ in range(3):
        run_inline(deliver_notices(firm.home.store, firm.system.notifier, pairs=pairs, rooms=rooms))


# --- looking everywhere ----------------------------------------------------------------------

#: Tokens by what they may see.
CLIENTS: dict[str, tuple[str, ...]] = {
    "busy": ("busy:read", "rooms:read"),
    "writer": ("busy:read", "bookings:write"),
    "reader": ("busy:read", "bookings:read"),
    "details": ("busy:read", "bookings:read", "details:read"),
    "monitor": ("metrics:read",),
}


def ask_api(found: Found, firm: Company, ids: list[str]) -> None:
    """Every reading address, as each kind of client, and without any key."""
    for name, scopes in {**CLIENTS, "nobody": ()}.items():
        headers = {"Prefer": "wait=0"}
        if scopes:
            _, token = firm.home.bookings.tokens.create(name, scopes)
            headers["Authorization"] = f"Bearer {token}"
        for path in _addresses(ids):
            answer = requests.get(f"{firm.api.url}{path}", headers=headers, timeout=10)
            found.add(f"API as {name}", f"{answer.text}\n{answer.headers}")
        for path, doc in _refused(ids):
            answer = requests.post(f"{firm.api.url}{path}", json=doc, headers=headers, timeout=10)
            found.add(f"API as {name}", f"{answer.text}\n{answer.headers}")


def _addresses(ids: list[str]) -> Iterator[str]:
    for room in ("titled", "plain"):
        yield f"/v1/rooms/{room}/occupancy?{WINDOW}"
        yield f"/v1/rooms/{room}/occupancy?{WINDOW}&view=series"
        yield f"/v1/changes?room={room}&limit=500"
    yield from (f"/v1/occupancy?rooms=titled&rooms=plain&{WINDOW}", "/v1/rooms", "/metrics")
    yield from ("/healthz", "/readyz", "/openapi.json", "/v1/bookings/nobody")
    yield from (f"/v1/bookings/{booking}" for booking in ids)


def _refused(ids: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What is taken by private ones: the answer says by what."""
    for start in ("2026-12-01T11:15:00", "2026-12-02T11:15:00", "2026-12-02T16:15:00"):
        yield "/v1/rooms/titled/bookings", {"start": start, "duration": "PT15M"}
        yield "/v1/rooms/titled/bookings", {"start": start, "duration": "nonsense"}


def read_feeds(found: Found, firm: Company) -> None:
    for details in (True, False):
        where = "feed with details" if details else "feed"
        for room in ("titled", "plain"):
            _, path = firm.home.feeds.create(room, "door", details=details)
            for ending in (".ics", ".ifb", ".json"):
                answer = requests.get(f"{firm.api.url}{path}{ending}", timeout=10)
                assert answer.ok, answer.text
                found.add(where, f"{answer.text}\n{answer.headers}")


def call_webhooks(found: Found, firm: Company, receivers: dict[str, Receiver]) -> None:
    post = firm.home.post
    while post.fan_out():
        pass
    for _ in range(500):
        due = post.due(())
        if not due:
            break
        for message in due:
            post.deliver(message)
    for name, receiver in receivers.items():
        for got in receiver.got:
            found.add(f"webhook {name}", f"{got.body.decode()}\n{got.headers}")
        receiver.got.clear()


def settings_file(firm: Company, folder: Path) -> Path:
    """By which the command line finds the same database and tenant."""
    path = folder / "calsync.toml"
    path.write_text(
        f"""
        [database]
        url = "sqlite:///{folder}/calsync.db"
        [webhooks]
        key_file = "{folder}/calsync.key"
        [[connections]]
        name = "contoso"
        tenant_id = "{DEFAULT_TENANT}"
        client_id = "{firm.home.settings.connections[0].client_id}"
        cloud = "custom"
        login_url = "{firm.tenant.url}"
        graph_url = "{firm.tenant.url}"
        client_secret_file = "{folder}/secret"
        """
    )
    return path


def run_verbs(found: Found, firm: Company, folder: Path) -> None:
    """The command line, as an admin uses it, over the same database."""
    path = settings_file(firm, folder)
    links = [
        link.id for place in firm.places.values() for link in firm.home.store.links(place.pair.id)
    ]
    shown = [record.id for record in firm.home.reports.conflicts()]
    for words in (
        *(["status"], ["rooms", "list"], ["rooms", "export", str(folder / "rooms.csv")]),
        *(["tokens", "list"], ["webhooks", "list"], ["feeds", "list"]),
        *(["plan"], ["conflicts", "list", "--all"], ["guard", "show"]),
        *(["explain", link] for link in links),
        *(["explain", link, "--raw"] for link in links),
        *(["conflicts", "show", str(number)] for number in shown),
        *(["restore", room, "--at", "90d", "--dry-run"] for room in ("titled", "plain")),
        *(["rooms", "unmap", room, "--remove-ours", "--dry-run"] for room in ("titled", "plain")),
    ):
        for more in ([], ["--json"]):
            said = verb(*words, *more, "--settings", str(path))
            found.add(f"calsync {' '.join(words[:2]) if words[0] == 'rooms' else words[0]}", said)
    if (folder / "rooms.csv").exists():
        found.add("calsync rooms export", (folder / "rooms.csv").read_text())


def verb(*words: str) -> str:
    """What a command line printed, on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), suppress(SystemExit):
        run(list(words))
    return out.getvalue() + err.getvalue()


def read_database(found: Found, folder: Path, where: str = "database") -> None:
    """The bytes of its files, whatever they are: rows, gaps, free pages, the write-ahead log."""
    for path in sorted(folder.glob("calsync.db*")):
        found.add(where, path.read_bytes().decode("latin-1"))


def night(firm: Company) -> None:
    """The purge, as the worker's trigger runs it."""
    purge_now(firm.home)

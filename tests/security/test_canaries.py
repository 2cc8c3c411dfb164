"""Secrets and people's data as canaries: planted everywhere, looked for in all that comes out.

One long run of the whole product at level DEBUG, with failures of every kind; then everything
that was printed, logged, stored for the audit or told to a client is searched.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.cli.choke import guarded
from calsync.cli.logs import JsonLines, Lines
from calsync.cli.main import run
from calsync.cli.redact import without_people, without_secrets
from calsync.engine.calls import run_inline
from calsync.engine.notify import deliver_notices
from calsync.errors import CalsyncError
from tests.support.company import Company, Place, Tenant, a_company, a_tenant
from tests.support.receiver import Answer, Got, a_receiver

CLIENT_SECRET = "canary-client-secret-7Q8f"
ORGANIZER = {"address": "canary.organizer@contoso.example", "name": "Canary Organizer"}
BOOKER = {"email": "canary.booker@partner.example", "name": "Canary Booker"}
SUBJECT, PRIVATE, BODY = "canary subject", "canary private subject", "canary body text"
PEOPLE = ("canary.organizer", "Canary Organizer", "canary.booker", "Canary Booker")
WORDS = (SUBJECT, PRIVATE, BODY, "canary title", "canary override")
ZONE = "W. Europe Standard Time"
FAULTS: list[dict[str, Any]] = [
    {"kind": "html_login"},
    {"kind": "html_after"},
    {"kind": "garbage_json"},
    {"kind": "truncated_json"},
    {"kind": "reset_mid_body"},
    {"kind": "reply_lost"},
    {"kind": "token_expired"},
    {"kind": "redirect"},
    {"kind": "permission_removed"},
    {"kind": "not_found"},
    {"kind": "mailbox_moved"},
    {"kind": "sync_state_invalid"},
    {"kind": "throttled", "params": {"seconds": 0.05}},
    {"kind": "error_before", "params": {"status": 500}},
    {"kind": "error_after", "params": {"status": 502}},
    {"kind": "lost_request", "path": "oauth2"},
    {"kind": "html_login", "path": "oauth2"},
]


class Heard:
    """Everything that came out, by where."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.secrets: set[str] = set()

    def add(self, where: str, text: str) -> None:
        self.texts.setdefault(where, []).append(text)

    def whole(self, *but: str) -> Iterator[tuple[str, str]]:
        for where, texts in self.texts.items():
            if where not in but:
                yield where, "\n".join(texts)


@contextmanager
def overheard(heard: Heard) -> Iterator[None]:
    """All logs of all libraries at DEBUG, through both of calsync's formatters, and the streams."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    streams = {"log": io.StringIO(), "log as JSON": io.StringIO()}
    text, as_json = (logging.StreamHandler(stream) for stream in streams.values())
    text.setFormatter(Lines())
    as_json.setFormatter(JsonLines())
    root.handlers[:] = [text, as_json]
    root.setLevel(logging.DEBUG)
    levels = {
        name: logging.getLogger(name).level for name in ("calsync", "urllib3", "msal", "O365")
    }
    logging.getLogger("calsync").setLevel(logging.DEBUG)
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        root.handlers[:], root.level = before[0], before[1]
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for where, stream in streams.items():
            heard.add(where, stream.getvalue())
        heard.add("stdout", out.getvalue())
        heard.add("stderr", err.getvalue())


# --- the run ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    heard, folder = Heard(), tmp_path_factory.mktemp("canaries")
    state = folder / "state"
    with ExitStack() as ends:
        patch = ends.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(state))
        patch.delenv("CALSYNC_DEBUG", raising=False)
        patch.setattr("tests.support.company.DEFAULT_SECRET", CLIENT_SECRET)
        patch.setattr("calsync.adapters.wrap.retried.Retried._sleep", lambda *_: None)
        tenant = ends.enter_context(a_tenant())
        app = next(iter(tenant.server.control.world.tenant().apps.values()))
        app.secrets = [CLIENT_SECRET]
        ends.enter_context(overheard(heard))
        firm = ends.enter_context(a_company(folder, tenant, notices_from="rooms@contoso.example"))
        _play(heard, firm, tenant)
        _verbs(heard, firm, folder)
        _collect(heard, firm, tenant, folder)
    for path in state.rglob("*"):
        if path.is_file():
            heard.add("crash file", path.read_text(encoding="utf-8"))
    return heard


def _play(heard: Heard, firm: Company, tenant: Tenant) -> None:
    for person in (ORGANIZER, {"address": "rooms@contoso.example", "name": "Rooms"}):
        tenant.control("POST", "people", {**person, "zone": ZONE})
    rooms = [
        firm.add_room("titled", zone="Europe/Berlin", label=ZONE),
        firm.add_room("plain", zone="Europe/Berlin", label=ZONE, titles=False),
    ]
    for room in rooms:
        firm.cycle(room)
        _meetings(firm, room)
        firm.cycle(room)
    for fault in FAULTS:
        tenant.control("POST", "faults", {"count": 2, "path": ".", **fault})
        _edit(firm, rooms[0])
        for room in rooms:
            heard.add("report", repr(_told(heard, lambda room=room: firm.cycle(room).error)))
        tenant.control("DELETE", "faults")
        # What asked to wait is not waited for here.
        firm.system.links["contoso"].caller._inner._budgets.clear()  # type: ignore[attr-defined]  # the paced one
    _spoiled_answers(heard, firm, rooms[0])
    _failing_sign_in(heard, firm, tenant, rooms[0])
    for room in rooms:
        for _ in range(4):
            _told(heard, lambda room=room: firm.cycle(room))
    _notices(heard, firm)
    _clients(heard, firm, rooms[0])
    _surfaces(heard, firm, rooms[0])
    _unforeseen(heard, firm, rooms[0])


def _told(heard: Heard, act: Callable[[], Any]) -> Any:
    """Carry something out; whatever it raises is heard, with all that led to it."""
    try:
        return act()
    except CalsyncError as error:
        heard.add("error", f"{error}\n{error!r}")
        heard.add("traceback", "".join(traceback.format_exception(error)))
        return None


def _meetings(firm: Company, room: Place) -> None:
    invite = {"person": ORGANIZER["address"], "room": room.address, "body": BODY, "zone": ZONE}
    times = {"start": "2026-12-01T09:00:00", "end": "2026-12-01T10:00:00"}
    firm.tenant.act("book", subject=SUBJECT, **invite, **times)
    late = {"start": "2026-12-01T11:00:00", "end": "2026-12-01T12:00:00"}
    firm.tenant.act("book", subject=PRIVATE, graph={"sensitivity": "private"}, **invite, **late)
    doc = {"duration": "PT1H", "bookedBy": BOOKER, "title": "canary title", "timeZone": room.zone}
    firm.book(room, start="2026-12-02T09:00:00", **doc)
    overrides = {"2026-12-10T09:00:00": {"title": "canary override"}}
    firm.book(
        room, start="2026-12-03T09:00:00", rrule="FREQ=WEEKLY;COUNT=4",
        recurrenceOverrides=overrides, **doc,
    )  # fmt: skip
    # A clash, so that somebody is refused.
    clash = {"start": "2026-12-04T09:00:00", "end": "2026-12-04T10:00:00"}
    firm.tenant.act("book", subject=SUBJECT, **invite, **clash)
    firm.book(room, start="2026-12-04T09:30:00", **doc)


def _edit(firm: Company, room: Place) -> None:
    for booking in firm.bookings(room):
        if booking["editable"] and "recurrenceRule" not in booking:
            minutes = (int(booking["duration"][2:].rstrip("HM")) % 3) + 1
            with suppress(AssertionError):
                firm.change(booking, duration=f"PT{minutes}H")
            return


def _spoiled_answers(heard: Heard, firm: Company, room: Place) -> None:
    """Errors of Graph whose words, codes and headers repeat what they were about."""
    front, real = firm.tenant.server, firm.tenant.server.answer
    words = " ".join((*PEOPLE, *WORDS, CLIENT_SECRET))

    def spoiled(method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        answer = real(method, target, headers, body)
        if "/v1.0/" in target:
            code = f"Error {words}"
            answer.status = 400
            answer.body = json.dumps(
                {"error": {"code": "X", "message": code, "innerError": {"message": code}}}
            ).encode()
            answer.headers["request-id"] = "trace"
        return answer

    front.answer = spoiled  # type: ignore[method-assign]  # the tap of the tenant
    try:
        _edit(firm, room)
        _told(heard, lambda: firm.cycle(room))
        _told(heard, lambda: list(firm.system.links["contoso"].side.resource_calendars()))
    finally:
        front.answer = real  # type: ignore[method-assign]


def _failing_sign_in(heard: Heard, firm: Company, tenant: Tenant, room: Place) -> None:
    app = next(iter(tenant.server.control.world.tenant().apps.values()))
    app.secrets = ["another"]
    tenant.server.control.world.tokens.clear()
    firm.system.links["contoso"].tokens._current = ("", float("-inf"))
    heard.add("report", repr(_told(heard, lambda: firm.cycle(room).error)))
    app.secrets = [CLIENT_SECRET]


def _notices(heard: Heard, firm: Company) -> None:
    assert firm.system.notifier is not None
    pairs = {pair.id: pair for pair in firm.home.store.pairs()}
    rooms = {stored.room.id: stored.room for stored in firm.home.bookings.rooms()}
    firm.tenant.control("POST", "faults", {"kind": "reply_lost", "path": "sendMail", "count": 1})
    for _ in range(3):
        _told(
            heard,
            lambda: run_inline(
                deliver_notices(firm.home.store, firm.system.notifier, pairs=pairs, rooms=rooms)  # type: ignore[arg-type]  # looked at above
            ),
        )
    firm.tenant.control("DELETE", "faults")


def _clients(heard: Heard, firm: Company, room: Place) -> None:
    """A client that may see when the room is taken, and nothing else; and what it is told."""
    busy = firm.home.bookings.tokens.create("busy", ["busy:read", "bookings:write"])[1]
    heard.secrets.add(busy)
    window = "start=2026-11-30T00:00:00Z&end=2027-01-30T00:00:00Z"
    one = firm.bookings(room)[0]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/rooms/{room.id}/occupancy?{window}", None),
        ("GET", f"/rooms/{room.id}/occupancy?{window}&view=series", None),
        ("GET", f"/occupancy?rooms={room.id}&{window}", None),
        ("GET", f"/bookings/{one}", None),
        ("PATCH", f"/bookings/{one}", {}),
        ("PATCH", f"/bookings/{one}", {"start": "nonsense"}),
        ("DELETE", f"/bookings/{one}", None),
        ("GET", "/changes", None),
        (
            "POST",
            f"/rooms/{room.id}/bookings",
            {"start": "2026-12-01T09:15:00", "duration": "PT1H"},
        ),
    ]
    for method, path, doc in calls:
        answer = requests.request(
            method,
            f"{firm.api.url}/v1{path}",
            json=doc,
            headers={"Authorization": f"Bearer {busy}", "If-Match": '"999"'},
            timeout=10,
        )
        heard.add("busy client", f"{answer.text}\n{answer.headers}")


def _surfaces(heard: Heard, firm: Company, room: Place) -> None:
    """Receivers of webhooks that fail in every way, repeat what they were sent, and lead elsewhere;
    the secret address of a feed, read, revoked and misspelt; the figures."""
    home, words = firm.home, " ".join((*PEOPLE, *WORDS))
    wrong = {"X-Words": words, "Location": f"http://127.0.0.1:1/{words}", "Retry-After": words}
    with ExitStack() as ends:
        for status in (204, 302, 400, 410, 429, 500):
            receiver = ends.enter_context(a_receiver(Answer(status=status, headers=wrong)))
            endpoint, secret = home.webhooks.add(f"answers {status}", receiver.url)
            heard.secrets |= {secret, home.webhooks.rotate(endpoint.id)[1]}
            ends.callback(lambda got=receiver.got: _received(heard, got))
        home.webhooks.add("nobody", "http://127.0.0.1:9/hook")
        times = {"start": "2026-12-05T09:00:00", "duration": "PT1H"}
        firm.book(room, title="canary title", bookedBy=BOOKER, **times)
        for _ in range(2):
            _told(heard, lambda: firm.cycle(room))
        while home.post.fan_out():
            pass
        for message in home.post.due(()):
            _told(heard, lambda message=message: home.post.deliver(message))
    with home.db.read() as reading:
        said = reading.exec_driver_sql("SELECT reason, data FROM webhook_message").all()
        heard.add("stored reasons", repr(said))
    feed, path = home.feeds.create(room.id, "door")
    heard.secrets.add(path.rpartition("/")[2])
    for ending in (".ics", ".json", ".ifb", ".xml", "x.ics"):
        answer = requests.get(f"{firm.api.url}{path}{ending}", timeout=10)
        heard.add("feed", f"{answer.text}\n{answer.headers}")
    home.feeds.revoke(feed.id)
    requests.get(f"{firm.api.url}{path}.ics", timeout=10)
    monitor = home.bookings.tokens.create("monitor", ["metrics:read"])[1]
    heard.secrets.add(monitor)
    key = {"Authorization": f"Bearer {monitor}"}
    heard.add("figures", requests.get(f"{firm.api.url}/metrics", headers=key, timeout=10).text)


def _received(heard: Heard, got: list[Got]) -> None:
    for one in got:
        heard.add("webhook", f"{one.path}\n{one.headers}\n{one.body.decode()}")


def _unforeseen(heard: Heard, firm: Company, room: Place) -> None:
    """Defects whose message holds what was at hand."""
    words = f"defect with {BOOKER['email']} Bearer {CLIENT_SECRET} client_secret={CLIENT_SECRET}"

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(words)

    service = firm.home.bookings
    real, service.rooms = service.rooms, broken  # type: ignore[method-assign]  # put back below
    try:
        answer = firm.call("GET", "/rooms")
        assert answer.status_code == 500
        heard.add("busy client", f"{answer.text}\n{answer.headers}")
    finally:
        service.rooms = real  # type: ignore[method-assign]
    assert guarded(broken) == 1
    assert guarded(broken, as_json=True) == 1
    try:
        raise RuntimeError(words)
    except RuntimeError:
        logging.getLogger("calsync.worker").exception("room %s: a cycle failed", room.id)


def _verbs(heard: Heard, firm: Company, folder: Path) -> None:
    """The command line over the same database, as an admin sees it."""
    path = folder / "calsync.toml"
    tenant = firm.tenant
    path.write_text(
        f"""
        [database]
        url = "sqlite:///{folder}/calsync.db"
        [[connections]]
        name = "contoso"
        tenant_id = "{bootstrap_tenant(firm)}"
        client_id = "x"
        cloud = "custom"
        login_url = "{tenant.url}"
        graph_url = "{tenant.url}"
        client_secret_file = "{folder}/secret"
        """
    )
    keys = [lk.booking.key for lk in firm.home.store.links(firm.places["titled"].pair.id)]
    for words in (
        ["status"],
        ["status", "--json"],
        ["rooms", "list"],
        ["rooms", "list", "--json"],
        ["tokens", "list"],
        ["tokens", "list", "--json"],
        ["plan", "--json"],
        ["sync"],
        ["explain", "nobody"],
        *(["explain", str(key)] for key in keys[:4] if key),
    ):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), suppress(SystemExit):
            run([*words, "--settings", str(path)])
        heard.add(f"calsync {words[0]}", out.getvalue() + err.getvalue())


def bootstrap_tenant(firm: Company) -> str:
    return firm.home.settings.connections[0].tenant_id


def _collect(heard: Heard, firm: Company, tenant: Tenant, folder: Path) -> None:
    """What is stored that is said to be free of people's data; and every secret there was."""
    with firm.home.db.read() as reading:
        for sql in (
            "SELECT what, detail FROM audit",
            "SELECT halted, error FROM room_sync",
            "SELECT reason FROM notice",
            "SELECT reason, booking_reason, event_reason FROM link",
            "SELECT reason, fields FROM conflict",
            "SELECT why FROM effect",
        ):
            rows = reading.exec_driver_sql(sql).all()
            heard.add("stored reasons", "\n".join(map(repr, rows)))
        facts = dict(reading.exec_driver_sql("SELECT key, value FROM meta").all())  # type: ignore[arg-type]  # pairs
    heard.secrets |= {CLIENT_SECRET, str(facts["secret"])}
    heard.secrets.add(str(firm.session.headers["Authorization"]).split()[1])
    for exchange in tenant.exchanges:
        token = exchange.headers.get("authorization") or exchange.headers.get("Authorization", "")
        heard.secrets |= {token.split()[1]} if token.startswith("Bearer ") else set()
    firm.home.db.dispose()
    heard.add("database", (folder / "calsync.db").read_bytes().decode("latin-1"))
    requests_said = [
        f"{one.method} {one.target} {one.body.decode('latin-1')}"
        for one in tenant.exchanges
        if "/oauth2/" not in one.target
    ]
    heard.add("requests to Graph", "\n".join(requests_said))


# --- the search ------------------------------------------------------------------------------


def test_the_run_met_everything(heard: Heard) -> None:
    """Otherwise there would be nothing to find."""
    log = "\n".join(heard.texts["log"])
    for words in ("delta: 200", "create event", "DEBUG", "400", "a cycle failed"):
        assert words in log, words
    reports = "\n".join(heard.texts["report"])
    for words in ("sign-in page", "client secret is wrong", "may not open this mailbox"):
        assert words in reports, words
    stored = "\n".join(heard.texts["stored reasons"])
    assert "create event: confirmed" in stored
    database = "\n".join(heard.texts["database"])
    assert "canary.booker" in database, "people are known, where they have to be"
    assert "canary title" in database
    assert len(heard.secrets) >= 20
    assert "booking.confirmed" in "\n".join(heard.texts["webhook"])
    assert "BEGIN:VCALENDAR" in "\n".join(heard.texts["feed"])
    assert "calsync_rooms" in "\n".join(heard.texts["figures"])
    assert len("\n".join(heard.texts["crash file"])) > 500


def test_no_secret_comes_out_anywhere(heard: Heard) -> None:
    """Not even into the database, but for the one that lives there."""
    for where, text in heard.whole():
        for secret in heard.secrets:
            if where == "database" and len(secret) == 64:
                continue
            assert secret not in text, (where, secret[:12])


def test_no_person_comes_out_where_none_belongs(heard: Heard) -> None:
    """``explain`` tells the admin who was written to; Graph is told the addresses of mails."""
    for where, text in heard.whole("database", "calsync explain", "requests to Graph"):
        for word in PEOPLE:
            assert word.casefold() not in text.casefold(), (where, word)


def test_no_words_of_people_come_out_where_none_belong(heard: Heard) -> None:
    allowed = {
        # Titles are carried for the one room, which is what its switch is for.
        "database": {SUBJECT, "canary title", "canary override"},
        "requests to Graph": {"canary title", "canary override"},
        "calsync plan": {SUBJECT, "canary title", "canary override"},
    }
    for where, text in heard.whole():
        for word in WORDS:
            if word not in allowed.get(where, ()):
                assert word not in text, (where, word)


def test_of_a_person_only_the_mail_is_told_to_graph(heard: Heard) -> None:
    for line in "\n".join(heard.texts["requests to Graph"]).splitlines():
        if "sendMail" not in line:
            assert "canary.booker" not in line
            assert "Canary Booker" not in line


# --- the last look at what is logged ---------------------------------------------------------

OPENERS = [
    "Authorization: Bearer {}",
    "authorization='Basic {}'",
    '{{"access_token": "{}"}}',
    "client_secret={}&scope=x",
    "clientSecret: {}",
    "refresh_token = {}",
    "https://x/?client_assertion={}",
    "clientState={}",
    "password: {}",
    "Passphrase={}",
]


@pytest.mark.parametrize("pattern", OPENERS)
def test_what_opens_a_door_is_redacted(pattern: str) -> None:
    secret = "S3cret-value.0~x"
    said = without_secrets(pattern.format(secret))
    assert secret not in said
    assert "[redacted]" in said


def test_tokens_are_redacted_by_their_own_form() -> None:
    token = f"calsync_0123456789ab_{'a1' * 32}"
    assert without_secrets(f"x {token} y") == "x calsync_0123456789ab_[redacted] y"
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123"
    assert jwt[:20] not in without_secrets(f"got {jwt}")
    assert (
        without_people("from ada@x.example to <bob@y.example>") == "from [address] to <[address]>"
    )


def test_what_says_nothing_secret_stays_as_it_is() -> None:
    text = "room atrium@contoso.example: Graph asks to slow down (429), trace 1-2-3; basic rules"
    assert without_secrets(text) == text


def test_redaction_of_a_long_line_is_quick() -> None:
    import time

    began = time.process_time()
    for piece in ("a", "bearer ", "password=", "eyJ", "x@", "@", '"', "client_secret "):
        without_people(piece * (400_000 // len(piece)))
    assert time.process_time() - began < 8.0


def test_both_logs_redact(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("token of ada@x.example: Bearer abcdefgh123456")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("x", 40, "f", 1, "sent %s", ("Bearer abcdefgh123456",), info)
    for formatter in (Lines(), JsonLines()):
        record.exc_text = None
        said = formatter.format(record)
        assert "abcdefgh123456" not in said
        assert "ada@" not in said
        assert "ValueError" in said

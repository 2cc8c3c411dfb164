"""The surfaces of the booking API attacked as a hostile engineer would, by real HTTP on loopback:
scopes, keys, cursors, waits and streams, raw requests, and what comes out in sheets and logs."""

from __future__ import annotations

import base64
import csv
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.adapters.hub.tokens import SCOPES
from calsync.adapters.webhooks.guard import Forbidden, Guard, read_url
from calsync.api import limits, stream, waiting
from calsync.api.app import create_app, schema_of
from calsync.api.server import ApiServer
from calsync.bootstrap import open_home
from calsync.settings import load
from tests.integration.api_kit import PLAIN, Client, Door, Served, open_door, served, world_feeds
from tests.security.privacy_kit import verb

OPERATIONS = [
    (method.upper(), path, operation["security"][0]["bearer"][0])
    for path, item in schema_of("0")["paths"].items()
    for method, operation in item.items()
    if operation.get("security")
]


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


# --- scopes ----------------------------------------------------------------------------------


def test_every_operation_has_a_scope_of_the_list() -> None:
    assert {scope for *_, scope in OPERATIONS} == SCOPES.keys() - {"details:read"}
    assert len(OPERATIONS) >= 14


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_all_other_scopes_together_do_not_open_it(
    world: Served, method: str, path: str, scope: str
) -> None:
    """Nor does no token, half a token, or one in the wrong place; and nothing was changed."""
    made = world.all.book()
    before = world.all.get(f"/v1/bookings/{made['id']}").content
    address = (
        path.replace("{room_id}", "r1")
        .replace("{booking_id}", made["id"])
        .replace("{external_id}", "x")
        .replace("{recurrence_id}", "2026-12-01T09:00:00")
    )
    doc = {"json": PLAIN} if method in ("POST", "PUT", "PATCH") else {}
    others = world.client(*(SCOPES.keys() - {scope}))
    answer = others.call(method, address, headers={"If-Match": "*"}, **doc)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    text = str(world.all.session.headers["Authorization"])
    nobody = world.client()
    for headers in (
        {},
        {"Authorization": text[:-1]},
        {"Authorization": f"{text}0"},
        {"Authorization": text.replace("Bearer", "Basic")},
        {"X-Authorization": text},
        {"Cookie": f"Authorization={text}"},
        {"X-HTTP-Method-Override": method},
    ):
        refused = nobody.call(method, address, headers={**headers, "If-Match": "*"}, **doc)
        assert (refused.status_code, refused.json()["code"]) == (401, "not-signed-in")
    query = nobody.call(method, f"{address}?access_token={text.split()[1]}", **doc)
    assert query.status_code == 401
    assert world.all.get(f"/v1/bookings/{made['id']}").content == before


def test_a_get_is_never_a_write(world: Served) -> None:
    """Whatever method a header claims it to be."""
    made = world.all.book()
    reader = world.client("busy:read", "bookings:read", "rooms:read")
    for method in ("DELETE", "PATCH"):
        headers = {"X-HTTP-Method-Override": method, "X-HTTP-Method": method, "If-Match": "*"}
        assert reader.get(f"/v1/bookings/{made['id']}", headers=headers).status_code == 200
    assert world.all.get(f"/v1/bookings/{made['id']}").json()["bookingStatus"] == "pending"


# --- keys ------------------------------------------------------------------------------------


def test_a_key_of_somebody_else_gives_no_answer_of_theirs(world: Served) -> None:
    """The same Idempotency-Key and body with another token is another request."""
    one, two = world.client("bookings:write"), world.client("bookings:write")
    key = {"Idempotency-Key": '"shared"'}
    doc = {**PLAIN, "title": "of one", "bookedBy": {"name": "One", "email": "one@x.example"}}
    first = one.post("/v1/rooms/r4/bookings", json=doc, headers=key)
    assert first.status_code == 201
    other = two.post("/v1/rooms/r4/bookings", json=doc, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "room-conflict")
    assert "Idempotency-Replayed" not in other.headers
    assert first.json()["id"] not in other.text
    for word in ("of one", "One", "one@x"):
        assert word not in other.text
    # And its owner still gets it.
    again = one.post("/v1/rooms/r4/bookings", json=doc, headers=key)
    assert again.json()["id"] == first.json()["id"]


def test_a_key_used_in_parallel_is_one_booking(world: Served) -> None:
    token = str(world.all.session.headers["Authorization"])
    gate = threading.Barrier(12)

    def once(_: int) -> requests.Response:
        gate.wait()
        return requests.post(
            f"{world.server.url}/v1/rooms/r1/bookings",
            json=PLAIN,
            headers={"Authorization": token, "Idempotency-Key": '"k"'},
            timeout=10,
        )

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(once, range(12)))
    made = {a.json()["id"] for a in answers if a.status_code == 201}
    assert len(made) == 1
    assert {a.status_code for a in answers} <= {201, 409}
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {
        "idempotency-key-running"
    }


@pytest.mark.parametrize(
    "key", ["", '"', '""', "plain words here", '"' + "x" * 300 + '"', '"a\\"', '"\\u00e9"', "é"]
)
def test_what_is_no_key_books_nothing(world: Served, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("utf-8")}
    answer = world.all.post("/v1/rooms/r1/bookings", json=PLAIN, headers=headers)
    if answer.status_code == 201:
        # Taken as it is: then it must be good for a repetition, too.
        again = world.all.post("/v1/rooms/r1/bookings", json=PLAIN, headers=headers)
        assert again.json()["id"] == answer.json()["id"]
    else:
        assert answer.status_code == 400


# --- cursors ---------------------------------------------------------------------------------


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [
        [-1, None, None], [2**63, None, None], [10**30, None, None], [1.5, None, None],
        [True, None, None], [0, "r2", None], [0, None, "' OR 1=1 --"], [0, None, "x" * 5000],
        [0], {}, [[0], None, None], ["0", None, None], [0, None, None, None],
    ],
)  # fmt: skip
def test_a_forged_cursor_shows_nothing_more_and_breaks_nothing(world: Served, value: Any) -> None:
    """A cursor says where to read on, never what may be read: that the token says."""
    world.all.book("r1", title="secret title")
    reader = world.client("bookings:read")
    for path in ("/v1/changes", "/v1/changes?room=r1", "/v1/events"):
        answer = reader.get(path, params={"cursor": forged(value)}, stream=True)
        assert answer.status_code in (200, 400, 410, 422)
        if answer.status_code == 200 and path != "/v1/events":
            assert "secret title" not in answer.text
        answer.close()


def test_a_cursor_of_another_token_gives_what_ones_own_scopes_allow(world: Served) -> None:
    world.all.book("r1", title="secret title", bookedBy={"name": "Ada", "email": "a@x.example"})
    wide = world.all.get("/v1/changes", params={"limit": 1}).json()
    cursor = wide["cursor"]
    world.all.book("r2", title="secret title", bookedBy={"name": "Ada", "email": "a@x.example"})
    narrow = world.client("bookings:read").get("/v1/changes", params={"cursor": cursor})
    assert narrow.status_code == 200
    for word in ("secret title", "Ada", "a@x"):
        assert word not in narrow.text
    assert world.client("busy:read").get(f"/v1/changes?cursor={cursor}").status_code == 403


# --- waits and streams -----------------------------------------------------------------------


def test_one_token_cannot_take_all_waits(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits beyond its share is answered at once; another token still waits."""
    monkeypatch.setattr(waiting, "MOST_EACH", 3)
    greedy, other = world.client("bookings:write"), world.client("bookings:write")
    token = str(greedy.session.headers["Authorization"])

    def wait(number: int) -> bool:
        answer = requests.post(
            f"{world.server.url}/v1/rooms/r1/bookings",
            json={**PLAIN, "start": f"2026-12-{number + 1:02}T09:00:00"},
            headers={"Authorization": token, "Prefer": "wait=2"},
            timeout=10,
        )
        assert answer.status_code == 201
        return answer.elapsed.total_seconds() > 1.5

    with ThreadPoolExecutor(8) as pool:
        waits = [pool.submit(wait, number) for number in range(8)]
        time.sleep(0.5)
        began = time.monotonic()
        doc = {**PLAIN, "start": "2027-01-20T09:00:00"}
        theirs = other.post("/v1/rooms/r2/bookings", json=doc, headers={"Prefer": "wait=1"})
        assert theirs.status_code == 201
        assert time.monotonic() - began > 0.9
        assert sum(one.result() for one in waits) == 3


def test_streams_opened_at_one_moment_are_bounded_all_the_same(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that looks first and counts later lets a crowd through."""
    monkeypatch.setattr(stream, "MOST_EACH", 4)
    token = str(world.all.session.headers["Authorization"])
    host, port = world.server.url.removeprefix("http://").split(":")
    request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode()
    sockets = [socket.create_connection((host, int(port)), 5) for _ in range(24)]
    try:
        for one in sockets:
            one.sendall(request)
        heads = [one.recv(64).split(b"\r\n")[0] for one in sockets]
        assert sum(b"200" in head for head in heads) == 4
        assert sum(b"503" in head for head in heads) == 20
    finally:
        for one in sockets:
            one.close()
    # Given back when the clients are gone, those that never read a byte as well.
    until = time.monotonic() + 8
    while time.monotonic() < until:
        with world.all.session.get(f"{world.all.url}/v1/events", stream=True, timeout=5) as again:
            if again.status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("streams of clients that went away are still counted")


# --- raw requests ----------------------------------------------------------------------------


def raw(world: Served, *lines: str, body: bytes = b"") -> list[bytes]:
    """What comes back for these bytes, by answer."""
    host, port = world.server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as one:
        one.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        one.shutdown(socket.SHUT_WR)
        said = b""
        try:
            while piece := one.recv(65536):
                said += piece
        except OSError:
            pass
    return [b"HTTP/1.1 " + part for part in said.split(b"HTTP/1.1 ")[1:]]


SMUGGLED = b"0\r\n\r\nDELETE /v1/bookings/x HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5", "Content-Length: 50"],
        [f"Content-Length: {len(SMUGGLED)}", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Content-Length: +5"],
        ["Content-Length: -1"],
        ["Content-Length: 5, 6"],
        ["X-A: b\r\n Transfer-Encoding: chunked", f"Content-Length: {len(SMUGGLED)}"],
        ["X A: b"],
        ["X-A\x00: b"],
    ],
)
def test_no_request_hides_a_second_one(world: Served, headers: list[str]) -> None:
    """A proxy in front may read such heads in another way: each is refused, or ends there."""
    token = str(world.all.session.headers["Authorization"])
    head = ["POST /v1/rooms/r1/bookings HTTP/1.1", "Host: x", f"Authorization: {token}"]
    answers = raw(world, *head, "Content-Type: application/json", *headers, body=SMUGGLED)
    assert len(answers) <= 1
    for answer in answers:
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    changes = world.all.get("/v1/changes").json()
    assert changes["changes"] == []


@pytest.mark.parametrize("host", ["evil.example", 'evil.example/"><script>', "127.0.0.1:1@evil"])
def test_the_host_of_a_request_is_believed_in_nothing(world: Served, host: str) -> None:
    token = str(world.all.session.headers["Authorization"])
    body = json.dumps(PLAIN).encode()
    for line, more in (
        ("POST /v1/rooms/r1/bookings HTTP/1.1", [f"Content-Length: {len(body)}"]),
        ("GET /docs HTTP/1.1", []),
        ("GET /openapi.json HTTP/1.1", []),
        ("GET /v1/changes?limit=1 HTTP/1.1", []),
        ("GET /v1/nothing/ HTTP/1.1", []),
    ):
        json_type = ["Content-Type: application/json"] if more else []
        sent = body if more else b""
        head = [line, f"Host: {host}", f"X-Forwarded-Host: {host}", f"Authorization: {token}"]
        for answer in raw(world, *head, *json_type, *more, "Connection: close", body=sent):
            assert b"evil" not in answer


def test_nothing_is_upgraded(world: Served) -> None:
    """No other protocol is spoken, whatever a client asks for."""
    token = world.all.session.headers["Authorization"]
    for protocol in ("websocket", "h2c"):
        answers = raw(
            world,
            "GET /v1/rooms HTTP/1.1",
            "Host: x",
            f"Authorization: {token!s}",
            "Connection: Upgrade, close",
            f"Upgrade: {protocol}",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        assert len(answers) == 1
        assert not answers[0].startswith(b"HTTP/1.1 101")


def test_no_other_origin_is_let_in(world: Served) -> None:
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = requests.request(method, f"{world.server.url}/v1/rooms", headers=origin, timeout=5)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_forged_line_gets_into_no_log(world: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forged_line = "%0d%0a2026-12-01 ERROR calsync forged"
    nobody = world.client()
    nobody.get(f"/v1/bookings/x{forged_line}")
    nobody.get(
        "/v1/rooms", headers={"Authorization": "Bearer calsync_x_y", "X-Request-Id": "forged"}
    )
    world.all.get(f"/v1/bookings/x{forged_line}")
    world.all.get(f"/v1/changes?room=x{forged_line}")
    raw(world, f"GET /{forged_line} HTTP/1.1", "Host: x", "User-Agent: forged \x1b[31m")
    ours = [r for r in caplog.records if not r.name.startswith("urllib3")]
    assert ours
    assert not [r for r in ours if "forged" in r.getMessage()]


def test_exchange_cannot_be_impersonated(world: Served) -> None:
    """calsync asks Exchange, and is called by nobody: there is no receiver of change notifications
    that could be forged, replayed or flooded, and none that reflects a validationToken."""
    for path in (
        "/notifications",
        "/v1/notifications",
        "/graph",
        "/listen",
        "/v1/webhooks",
        "/hook",
    ):
        for method in ("GET", "POST"):
            answer = requests.request(
                method,
                f"{world.server.url}{path}?validationToken=<script>reflect</script>",
                json={"value": [{"clientState": "x", "resource": "y"}]},
                timeout=5,
            )
            assert answer.status_code == 404
            assert "reflect" not in answer.text


# --- guessing --------------------------------------------------------------------------------


def test_nobody_is_somebody_else_by_saying_so(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who guesses is counted by where the request came from, not by what its headers claim."""
    world.limits._quota = 100
    monkeypatch.setattr(limits, "ANONYMOUS", 5)
    nobody = world.client()
    statuses = []
    for number in range(8):
        claim = f"203.0.113.{number}"
        headers = {"X-Forwarded-For": claim, "Forwarded": f"for={claim}", "X-Real-IP": claim}
        statuses.append(nobody.get("/v1/rooms", headers=headers).status_code)
    assert statuses == [401] * 5 + [429] * 3
    assert world.all.get("/v1/rooms").status_code == 200


def test_a_feed_is_not_found_by_time(world: Served) -> None:
    """A right id with a wrong secret, and an id that never was, take as long: what is compared is
    a hash, whether there is a row or not."""
    keys = world_feeds(world.hub)
    _, path = keys.create("r1", "door")
    secret = path.rpartition("/")[2]
    near = f"{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"
    far = "A" * len(secret)
    session = requests.Session()

    def cost(text: str) -> float:
        url = f"{world.server.url}{path.rpartition('/')[0]}/{text}.json"
        spent = []
        for _ in range(40):
            began = time.perf_counter()
            assert session.get(url, timeout=5).status_code == 404
            spent.append(time.perf_counter() - began)
        return sorted(spent)[len(spent) // 4]

    session.get(f"{world.server.url}{path}.json", timeout=5)
    one, other = cost(near), cost(far)
    session.close()
    assert abs(one - other) < 0.002


# --- callbacks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:7f00:1", "fec0::1", "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1", "fd00:ec2::254", "::",
        "5f00::1", "3fff::1", "ff0e::1", "0.0.0.0", "10.0.0.1", "100.100.100.200", "127.255.0.1",
        "168.63.129.16", "169.254.169.254", "192.0.0.192", "192.168.0.1", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_no_spelling_of_a_private_address_is_called(address: str) -> None:
    """As a literal and behind a name: this machine, its networks, what a cloud keeps for itself."""
    shown = f"[{address}]" if ":" in address else address
    guard = Guard(look_up=lambda *_: [address])
    for url in (f"https://{shown}/hook", "https://rooms.example.com/hook"):
        with pytest.raises(Forbidden):
            guard.addresses(read_url(url))


@pytest.mark.parametrize("mixed", [["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "::1"]])
def test_one_private_address_among_public_ones_is_enough(mixed: list[str]) -> None:
    with pytest.raises(Forbidden):
        Guard(look_up=lambda *_: mixed).addresses(read_url("https://rooms.example.com/"))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost.", "LOCALHOST"]
)
def test_numbers_that_mean_this_machine_are_not_called(host: str) -> None:
    """The machine's own resolver reads them; what it makes of them is what is checked."""
    with pytest.raises((Forbidden, OSError)):
        Guard().addresses(read_url(f"https://{host}/hook")) if host != "LOCALHOST" else Guard(
            look_up=lambda *_: ["127.0.0.1"]
        ).addresses(read_url("https://xlocalhost/hook"))


# --- sheets ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def admins(tmp_path_factory: pytest.TempPathFactory, opened: tuple[Door, ApiServer]) -> Path:
    """The settings of a database into which a platform put rooms with hostile names, by HTTP."""
    folder = tmp_path_factory.mktemp("sheets")
    path = folder / "calsync.toml"
    path.write_text(f'[database]\nurl = "sqlite:///{folder}/calsync.db"\n')
    home = open_home(load(path))
    opened[0].app = create_app(
        home.bookings,
        now=home.clock.now,
        sync_status=lambda _: (None, True),
        trigger=lambda _: None,
        version="0",
    )
    client = Client(opened[1].url, home.bookings.tokens.create("acme", ["rooms:write"])[1])
    for number, word in enumerate(HOSTILE):
        doc = {"name": f"{word}!A", "timeZone": "UTC", "building": word, "floor": word}
        assert client.put(f"/v1/rooms/h{number}", json=doc).status_code == 201
    client.session.close()
    home.close()
    return path


HOSTILE = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "|calc", "'=1", '"=1'),
    *("a\r\n=1", "a,=1", 'a",=1', "A\x1b]0;owned\x07B\u202eC"),
)


def test_a_room_named_by_a_platform_is_no_formula_in_a_sheet(admins: Path) -> None:
    """From the API to the admin's spreadsheet."""
    said = verb("rooms", "export", "--settings", str(admins))
    cells = [cell for row in csv.reader(io.StringIO(said)) for cell in row]
    assert sum("!A" in cell for cell in cells) == len(HOSTILE)
    for cell in cells:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        assert "\n" not in cell


@pytest.mark.parametrize("words", [("rooms", "list"), ("rooms", "list", "--json")])
def test_what_a_platform_says_steers_no_terminal(admins: Path, words: tuple[str, ...]) -> None:
    said = verb(*words, "--settings", str(admins))
    assert "h3" in said
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)


def test_clients_are_no_burden_on_each_other(world: Served) -> None:
    """A client whose requests are all wrong costs others nothing that they notice."""
    bad: Client = world.client("bookings:write")
    token = str(bad.session.headers["Authorization"])
    stop = threading.Event()

    def flood() -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = token
            while not stop.is_set():
                session.post(f"{bad.url}/v1/rooms/r1/bookings", data=b"[" * 9999, timeout=10)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        spent = []
        for _ in range(20):
            began = time.perf_counter()
            assert world.all.get("/v1/rooms").status_code == 200
            spent.append(time.perf_counter() - began)
        assert sorted(spent)[10] < 0.5
    finally:
        stop.set()
        for one in threads:
            one.join()

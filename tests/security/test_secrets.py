"""Who gets hold of the database, a file, a header or a log still has no secret and no rights."""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calsync import bootstrap
from calsync.adapters.graph.series import etag
from calsync.adapters.hub.tokens import SCOPES
from calsync.cli.logs import start_logging
from calsync.errors import BadAnswer, SideError, StoreError
from calsync.settings import Log, SecretRef, parse
from calsync.store.database import Database
from tests.integration.api_kit import Client, Served, open_door, served
from tests.security.hostile import (
    CALL,
    SECRET,
    TOKEN,
    answer,
    discovery,
    hostile,
    says,
    sign_in_at,
    transport_to,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- API tokens ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with open_door() as door:
        yield door


@pytest.fixture
def world(opened: Any, tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as made:
        yield made


def addresses(world: Served) -> list[tuple[str, str, str]]:
    """(method, path, scope) of everything below /v1, as the API describes itself."""
    doc = world.all.get("/openapi.json").json()
    found = []
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            needed = re.findall(r"`([a-z]+:[a-z]+)`", operation.get("description", ""))
            filled = re.sub(r"\{[a-z_]+\}", "x", path)
            found.append((method.upper(), filled, next(iter(needed), "")))
    return found


PUBLIC = {"/healthz", "/readyz", "/docs", "/openapi.json", "/problems/{code}"}
#: The address itself is the key: a wrong one is no address at all.
SECRET_ADDRESSES = {f"/feeds/{{room_id}}/{{key}}.{form}" for form in ("ics", "ifb", "json")}


def test_no_address_is_open_but_those_that_say_nothing(world: Served) -> None:
    """Also one that somebody adds later, described or not."""
    door = world.server._server.config.app
    app = getattr(door, "app", door)
    nobody = Client(world.server.url, "")
    world.clients.append(nobody)
    seen = set()
    for route in _routes(app):
        seen.add(route.path)
        for method in sorted(route.methods - {"HEAD"}):
            status = nobody.session.request(
                method, world.server.url + re.sub(r"\{[^}]+\}", "x", route.path), timeout=10
            ).status_code
            if route.path in SECRET_ADDRESSES:
                assert status == 404, (method, route.path)
            elif route.path not in PUBLIC:
                assert status == 401, (method, route.path)
    assert seen > PUBLIC | SECRET_ADDRESSES
    assert len(seen) > 10


def _routes(app: Any) -> Iterator[Any]:
    """Every route with a path of its own, those of routers within included."""
    for route in app.routes:
        if getattr(route, "methods", None):
            yield route
        else:
            for below in getattr(getattr(route, "original_router", route), "routes", ()):
                yield _Under(route, below)


class _Under:
    def __init__(self, outer: Any, inner: Any) -> None:
        prefix = getattr(getattr(outer, "include_context", None), "prefix", "")
        self.path = f"{prefix}{inner.path}"
        self.methods = inner.methods


def test_who_may_only_read_changes_nothing(world: Served) -> None:
    made = world.all.book()
    reader = world.client(*(scope for scope in SCOPES if scope.endswith(":read")))
    before = world.all.get("/v1/changes").json()["changes"]
    for method, path, _ in addresses(world):
        path = path.replace("/bookings/x", f"/bookings/{made['id']}")
        path = path.replace("/rooms/x", "/rooms/r1")
        if method not in ("GET", "HEAD"):
            refused = reader.call(method, path, json={}, headers={"If-Match": "*"})
            assert refused.status_code == 403, (method, path)
    assert world.all.get("/v1/changes").json()["changes"] == before
    assert world.triggered == ["r1"]


def test_a_stolen_database_holds_no_token(world: Served, tmp_path: Path) -> None:
    token, text = world.hub.service.tokens.create("door", list(SCOPES))
    secret = text.rpartition("_")[2]
    world.hub.database.dispose()
    stolen = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert token.id.encode() in stolen, "it is the right file"
    assert secret.encode() not in stolen
    assert text.encode() not in stolen
    # What is in it opens nothing.
    kept = token.secret_hash
    assert kept.encode() in stolen
    for guess in (kept, secret[:-1], secret.upper() + "0", ""):
        thief = Client(world.server.url, f"calsync_{token.id}_{guess}")
        world.clients.append(thief)
        assert thief.get("/v1/rooms").status_code == 401


def test_tokens_are_compared_in_constant_time_known_or_not(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def watched(one: str, other: str) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    tokens = world.hub.service.tokens
    token, text = tokens.create("door", ["rooms:read"])
    assert tokens.check(text) is not None
    assert tokens.check(text[:-1] + "x") is None
    assert tokens.check("calsync_nosuchid_" + "0" * 64) is None
    tokens.revoke(token.id)
    assert tokens.check(text) is None
    assert len(compared) == 4
    assert all(len(one) == len(other) == 64 for one, other in compared), "hashes, not secrets"


def test_tokens_are_long_and_never_alike(world: Served) -> None:
    made = [world.hub.service.tokens.create("x", ["rooms:read"])[1] for _ in range(50)]
    assert len({text.rpartition("_")[2] for text in made}) == 50
    assert all(re.fullmatch(r"calsync_[0-9a-f]{12}_[0-9a-f]{64}", text) for text in made)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A machine on which every new file is for everybody, unless it is said otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_the_database_is_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    home = bootstrap.open_home(parse(f'[database]\nurl = "sqlite:///{path}"'))
    try:
        with home.db.write() as writing:
            writing.exec_driver_sql("INSERT INTO meta VALUES ('x', 'y')")
            made = sorted(tmp_path.iterdir())
            assert len(made) >= 2, "the log of writes, too"
            assert {mode(one) for one in made} == {0o600}, made
    finally:
        home.close()


@pytest.mark.parametrize(
    ("bits", "said"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True), (0o606, True)]
)
def test_a_database_that_others_can_read_is_named(
    tmp_path: Path, bits: int, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calsync.db"
    path.touch(mode=0o600)
    path.chmod(bits)
    with caplog.at_level(logging.WARNING):
        Database(f"sqlite:///{path}").dispose()
    assert ("chmod 600" in caplog.text) is said
    assert mode(path) == bits, "it is the admin's to decide"


@pytest.mark.parametrize(("bits", "said"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_secret_that_everybody_can_read_is_named(
    tmp_path: Path, bits: int, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(bits)
    with caplog.at_level(logging.DEBUG):
        assert SecretRef(file=str(path), where="connection x").read() == SECRET
    assert ("chmod 600" in caplog.text) is said
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("open_umask")
def test_the_log_is_for_nobody_else(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    path = tmp_path / "calsync.log"
    try:
        start_logging(Log(file=str(path)))
        logging.getLogger("calsync").warning("x")
        assert mode(path) == 0o600
    finally:
        for handler in root.handlers:
            handler.close()
            if isinstance(handler, logging.StreamHandler):
                handler.stream.close()
        root.handlers[:], root.level = before


def test_an_error_of_the_database_shows_no_row(tmp_path: Path) -> None:
    """SQLAlchemy would print the values of the statement that failed."""
    home = bootstrap.open_home(parse(f'[database]\nurl = "sqlite:///{tmp_path}/calsync.db"'))
    statement = (
        "INSERT INTO notice (id, pair_id, kind, link_id, booking_key, revision, recipient,"
        " recipient_name, occupancy, state, tries, reason, queued_at, changed_at)"
        " VALUES (1, 'p', 'k', 'l', 'b', 'r', ?, 'n', 'o', 's', 0, '', 0, 0)"
    )
    try:
        for _ in range(2):
            try:
                with home.db.write() as writing:
                    writing.exec_driver_sql(statement, ("ada-canary@contoso.example",))
            except Exception as error:
                said = f"{error}{error!r}{error.__cause__}"
                assert "canary" not in said
                assert "UNIQUE" in said, "it is the error that was meant"
                return
        raise AssertionError("nothing failed")
    finally:
        home.close()


def test_a_broken_database_tells_what_and_not_whose(tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    path.write_bytes(b"SQLite format 3\x00" + b"ada-canary@contoso.example" * 500)
    with pytest.raises(StoreError) as caught:
        bootstrap.open_home(parse(f'[database]\nurl = "sqlite:///{path}"'))
    assert "canary" not in str(caught.value)


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["a\r\nX: y", "a\nX: y", "a b", "a\x00", "ä", "\ud800", "x" * 40_000, ""]
)
def test_a_token_that_would_write_headers_is_none(token: str) -> None:
    with hostile(says(b"")) as server:

        def play(connection: Any, request: bytes) -> None:
            granted = {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
            doc = granted if request.startswith(b"POST") else discovery(server.url)
            connection.sendall(answer(json.dumps(doc).encode()))

        server.play = play
        with sign_in_at(server.url) as tokens, pytest.raises(SideError):
            tokens.token()


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a b", "ä", "\x00", "\ud800", 1, None, []])
def test_a_version_that_would_write_headers_is_none(value: Any) -> None:
    assert etag({"@odata.etag": value}) == ""
    assert etag({"@odata.etag": 'W/"abc=="'}) == 'W/"abc=="'


def test_nothing_from_outside_ever_splits_a_request() -> None:
    """Whatever still came through: the last line before the wire."""
    with hostile(says(answer(b"{}"))) as server, transport_to(server.url) as graph:
        for header in ("a\r\nX: y", "a\nX: y"):
            call = replace(CALL, headers={"If-Match": header})
            with pytest.raises((SideError, ValueError)):
                graph.call(call)
        assert server.heard == []


def test_an_answer_of_the_sign_in_service_is_not_repeated() -> None:
    """It may hold what was sent to it."""
    said = {"error": "invalid_client", "error_description": f"bad secret {SECRET} {TOKEN}"}
    data = answer(json.dumps(said).encode(), status="401 No")
    with hostile(says(data)) as server, sign_in_at(server.url) as tokens:
        with pytest.raises((SideError, BadAnswer)) as caught:
            tokens.token()
        shown = f"{caught.value}{caught.value!r}{tokens!r}{tokens.__dict__.get('_credential')!r}"
    assert SECRET not in shown
    assert TOKEN not in shown


def test_addresses_of_channels_that_a_library_warns_of_reach_no_log(tmp_path: Path) -> None:
    """urllib3 names the whole address where an answer's head cannot be read."""
    path = tmp_path / "calsync.log"
    root, urllib3 = logging.getLogger(), logging.getLogger("urllib3")
    handlers, levels = root.handlers[:], (root.level, urllib3.level)
    root.handlers.clear()
    try:
        start_logging(Log(file=str(path), level="debug"))
        pool = logging.getLogger("urllib3.connectionpool")
        pool.warning("Failed to parse headers (url=%s): x", "https://h.example/canary-token")
        logging.getLogger("calsync.notices").warning("said")
    finally:
        for handler in root.handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.stream.close()
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        urllib3.setLevel(levels[1])
    text = path.read_text(encoding="utf-8")
    assert "said" in text
    assert "canary" not in text

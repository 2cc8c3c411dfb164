"""Links, redirects and names that try to lead calsync, its tokens or its credential elsewhere."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.adapters.graph.batch import Part, run_batch
from calsync.adapters.graph.clouds import GLOBAL
from calsync.adapters.graph.side import GraphSide
from calsync.adapters.graph.transport import Transport
from calsync.adapters.wrap import Call
from calsync.errors import CalsyncError, ForbiddenLink, NotSignedIn, SideError, UsageError
from calsync.model import Effect, EffectKind, Pair, Window
from tests.contract.sync_side import single
from tests.integration.graph_kit import WallClock
from tests.security.hostile import (
    CALL,
    SECRET,
    TENANT,
    TOKEN,
    FixedTokens,
    Hostile,
    Play,
    answer,
    discovery,
    hostile,
    says,
    sign_in_at,
    signs_in,
    transport_to,
)

WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 11, 1, tzinfo=UTC))
PAIR = Pair(
    id="p", room_id="r", connection="c", mailbox="room@contoso.example", zone="Europe/Berlin"
)


@dataclass(frozen=True)
class Trap:
    """``home`` is where calsync is to stay; ``evil`` is another server that can be reached."""

    home: Hostile
    evil: Hostile

    def link(self, pattern: str) -> str:
        return pattern.format(port=self.home.port, evil=self.evil.port)

    def check(self) -> None:
        assert self.evil.heard == [], "something was sent elsewhere"


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """Nobody looks a name up here: a link that was followed would."""

    def look_up(host: Any, *more: Any, **options: Any) -> Any:
        if host != "127.0.0.1":
            raise AssertionError(f"{host!r} was looked up")
        return real(host, *more, **options)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with hostile(says(answer(b"{}"))) as home, hostile(says(answer(b"{}"))) as evil:
        made = Trap(home, evil)
        yield made
        made.check()


@pytest.fixture
def graph(trap: Trap) -> Iterator[Transport]:
    with transport_to(trap.home.url) as made:
        yield made


#: Addresses that are not ``http://127.0.0.1:{port}``, however near they come.
ELSEWHERE = [
    "http://127.0.0.1:{evil}/v1.0/x",
    "http://127.0.0.1/v1.0/x",
    "https://127.0.0.1:{port}/v1.0/x",
    "HTTP://127.0.0.1:{port}/v1.0/x",
    "http:/127.0.0.1:{port}/x",
    "http:127.0.0.1:{port}/x",
    "http://localhost:{port}/x",
    "http://127.0.0.1.evil.example:{port}/x",
    "http://evil.example:{port}/x",
    "http://127.0.0.1.:{port}/x",
    "http://.127.0.0.1:{port}/x",
    # User names, fragments, backslashes: two parsers see two hosts.
    "http://127.0.0.1:{port}@127.0.0.1:{evil}/x",
    "http://127.0.0.1:{port}%40127.0.0.1:{evil}/x",
    "http://user:pass@127.0.0.1:{port}/x",
    "http://@127.0.0.1:{port}/x",
    "http://127.0.0.1:{evil}#@127.0.0.1:{port}/x",
    "http://127.0.0.1:{evil}?@127.0.0.1:{port}/x",
    "http://127.0.0.1:{evil}\\@127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}\\@127.0.0.1:{evil}/x",
    "http://127.0.0.1:{port}\\.evil.example/x",
    "http:\\\\127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}:{evil}/x",
    "http://127.0.0.1:{port}.evil.example/x",
    "http://127.0.0.1:99999/x",
    "http://127.0.0.1:-1/x",
    "http://127.0.0.1:/x",
    "http://127.0.0.1:{port}",
    # The same machine by other names, and machines that nobody outside may ask.
    "http://2130706433:{port}/x",
    "http://0x7f000001:{port}/x",
    "http://0177.0.0.1:{port}/x",
    "http://127.1:{port}/x",
    "http://0.0.0.0:{port}/x",
    "http://[::1]:{port}/x",
    "http://[::ffff:127.0.0.1]:{port}/x",
    "http://[::ffff:7f00:1]:{port}/x",
    "http://[127.0.0.1]:{port}/x",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://100.100.100.200/x",
    "http://10.0.0.1/x",
    "http://192.168.0.1/x",
    # Letters that a name service folds into others.
    "http://127\u30020\u30020\u30021:{port}/x",
    "http://\u2460\u2461\u2466.0.0.1:{port}/x",
    "http://127.0.0.1\u2024evil.example:{port}/x",
    "http://127.0.0.\u0661:{port}/x",
    "http://\u0131oca\u0131host:{port}/x",
    # Signs that end a line, a word, or a string in another language.
    "http://127.0.0.1:{port}/x\r\nHost: evil.example",
    "http://127.0.0.1:{port}/x\nX: y",
    "http://127.0.0.1:{port}/x y",
    "http://127.0.0.1:{port}/x\ty",
    "http://127.0.0.1:{port}/x\x00",
    "http://127.0.0.1:{port}/\ud800",
    "http://127.0.0.1:{port}/\u0130",
    "http://127.0.0.1\x00.evil.example:{port}/x",
    "http://127.0.0.1%00.evil.example:{port}/x",
    "http://127.0.0.1%2eevil.example:{port}/x",
    "\thttp://127.0.0.1:{port}/x",
    " http://127.0.0.1:{port}/x",
    # Other schemes.
    "file:///etc/passwd",
    "ftp://127.0.0.1:{evil}/x",
    "gopher://127.0.0.1:{evil}/_x",
    "javascript:alert(1)",
    "data:application/json,{{}}",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/x",
    "x",
    "?",
    "\\\\127.0.0.1\\share",
    "http://" + "a" * 100_000 + "/x",
]
#: These look like links elsewhere and are paths here.
HERE = ["//127.0.0.1:{evil}/x", "/\\127.0.0.1:{evil}/x", "/@127.0.0.1:{evil}/x", "/../../x"]

Follow = Callable[[GraphSide], object]


def _pages(**links: str) -> dict[str, Any]:
    return {"value": [], **{f"@odata.{name}": link for name, link in links.items()}}


def _master(key: str) -> dict[str, Any]:
    at = {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"}
    return {"id": key, "type": "seriesMaster", "start": at, "end": at, "isOrganizer": True}


def _by_path(*answers: tuple[str, dict[str, Any]]) -> Play:
    """The first answer whose text stands in the request line."""

    def play(connection: socket.socket, request: bytes) -> None:
        line = request.split(b"\r\n")[0].decode("latin-1")
        doc = next((doc for text, doc in answers if text in line), {"value": []})
        connection.sendall(answer(json.dumps(doc).encode()))

    return play


def _pull(side: GraphSide) -> object:
    return side.pull(PAIR, None, WINDOW)


#: Everything that follows an address it was given: what Graph says, and how calsync comes to it.
FOLLOWED: dict[str, tuple[Callable[[str], Play], Follow]] = {
    "delta, next": (lambda link: _by_path(("delta", _pages(nextLink=link))), _pull),
    "delta, end": (lambda link: _by_path(("delta", _pages(deltaLink=link))), _pull),
    "instances": (
        lambda link: _by_path(
            ("instances", _pages(nextLink=link)),
            ("delta", {**_pages(deltaLink="/x"), "value": [_master("m")]}),
            ("events/m", _master("m")),
        ),
        lambda side: side.read(PAIR, ["m"]),
    ),
    "found by tag": (
        lambda link: _by_path(("filter", _pages(nextLink=link))),
        lambda side: side.find(PAIR, ["0" * 32]),
    ),
    "rooms": (
        lambda link: _by_path(("/places/", _pages(nextLink=link))),
        lambda side: list(side.resource_calendars()),
    ),
}


def _side(graph: Transport, url: str) -> GraphSide:
    from calsync.adapters.graph.clouds import custom

    cloud = custom(login=url, graph=url)
    return GraphSide(connection="c", cloud=cloud, caller=graph, clock=WallClock(), tag_key=b"")


@pytest.mark.parametrize("follow", FOLLOWED)
def test_no_link_of_an_answer_leads_elsewhere(trap: Trap, graph: Transport, follow: str) -> None:
    says_so, act = FOLLOWED[follow]
    side = _side(graph, trap.home.url)
    for pattern in ELSEWHERE:
        trap.home.play = says_so(trap.link(pattern))
        with pytest.raises(ForbiddenLink, match="leads to") as caught:
            act(side)
        assert len(str(caught.value)) < 500, "the link is not repeated at length"
        assert str(caught.value).isprintable()
        trap.check()


@pytest.mark.parametrize("pattern", HERE)
def test_a_link_that_begins_with_a_slash_is_a_path_of_graph(
    trap: Trap, graph: Transport, pattern: str
) -> None:
    said = iter([_pages(nextLink=trap.link(pattern)), _pages(deltaLink=f"{trap.home.url}/end")])

    def play(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(answer(json.dumps(next(said)).encode()))

    trap.home.play = play
    try:
        _pull(_side(graph, trap.home.url))
    except ForbiddenLink:
        return
    assert len(trap.home.heard) == 2


def test_a_stored_link_is_checked_again_when_it_is_followed(trap: Trap, graph: Transport) -> None:
    """Whoever could write into the database must not get a token by it."""
    side = _side(graph, trap.home.url)
    end = f"{trap.home.url}/v1.0/delta?token=1"
    trap.home.play = _by_path(("delta", _pages(deltaLink=end)))
    cursor = json.loads(side.pull(PAIR, None, WINDOW).cursor)
    for pattern in ELSEWHERE:
        cursor["link"] = trap.link(pattern)
        with pytest.raises(ForbiddenLink):
            side.pull(PAIR, json.dumps(cursor), WINDOW)


def test_every_allowed_link_goes_to_the_configured_host_only(trap: Trap, graph: Transport) -> None:
    graph.call(Call(method="GET", target=f"{trap.home.url}/v1.0/x?y=%2F#z", operation="x"))
    (request,) = trap.home.heard
    assert request.startswith(b"GET /v1.0/x")
    assert f"Host: 127.0.0.1:{trap.home.port}".encode() in request


# --- redirects -------------------------------------------------------------------------------

REDIRECTS = ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent", "300 Many"]


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_no_redirect_is_followed_and_no_token_goes_with_it(
    trap: Trap, graph: Transport, status: str, method: str
) -> None:
    trap.home.play = says(answer(b"{}", status=status, Location=f"{trap.evil.url}/x"))
    body = {"a": 1} if method in ("POST", "PATCH") else None
    said = graph.call(Call(method=method, target="/x", operation="x", body=body))
    assert 300 <= said.status < 400
    assert len(trap.home.heard) == 1


def test_a_redirected_pull_is_a_forbidden_link(trap: Trap, graph: Transport) -> None:
    trap.home.play = says(answer(b"{}", status="302 Found", Location=f"{trap.evil.url}/x"))
    with pytest.raises(ForbiddenLink):
        _pull(_side(graph, trap.home.url))


@pytest.mark.parametrize("status", REDIRECTS)
def test_the_credential_follows_no_redirect(trap: Trap, status: str) -> None:
    def play(connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"POST"):
            connection.sendall(answer(b"{}", status=status, Location=f"{trap.evil.url}/x"))
        else:
            connection.sendall(answer(json.dumps(discovery(trap.home.url)).encode()))

    trap.home.play = play
    with sign_in_at(trap.home.url) as tokens, pytest.raises((SideError, NotSignedIn)):
        tokens.token()
    assert any(SECRET.encode() in request for request in trap.home.heard), "it did sign in"


# --- the sign-in service ---------------------------------------------------------------------


def test_no_discovery_document_leads_the_credential_elsewhere(trap: Trap) -> None:
    for pattern in ELSEWHERE:
        said = {**discovery(trap.home.url), "token_endpoint": trap.link(pattern)}
        trap.home.play = says(answer(json.dumps(said).encode()))
        with sign_in_at(trap.home.url) as tokens, pytest.raises((SideError, NotSignedIn)):
            tokens.token()
        trap.check()


@pytest.mark.parametrize(
    "tenant", ["../x", "a/b", "a?b", "a#b", "a@b", "a:b", "a b", "", ".", "a\r\nb", "a%2Fb", "ä"]
)
def test_no_tenant_changes_the_address_of_the_sign_in(tenant: str) -> None:
    from calsync.adapters.graph.auth import MsalTokens, Secret

    with pytest.raises(UsageError):
        MsalTokens(
            cloud=GLOBAL,
            tenant_id=tenant,
            client_id="a",
            credential=Secret("s"),
            clock=WallClock(),
        )


def test_a_proxy_of_the_environment_sees_neither_token_nor_credential(
    trap: Trap, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """It would: http_proxy is read by requests unless it is told not to. So is .netrc."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, trap.evil.url)
    monkeypatch.setenv("no_proxy", "")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    trap.home.play = signs_in(trap.home.url)
    with sign_in_at(trap.home.url) as tokens, transport_to(trap.home.url) as graph:
        assert tokens.token() == TOKEN
        graph.call(CALL)
    assert any(f"Bearer {TOKEN}".encode() in request for request in trap.home.heard)
    assert not any(b"Basic " in request for request in trap.home.heard)


# --- ids and addresses in paths --------------------------------------------------------------

NAMES = [
    "../../me/messages",
    "x/../../y",
    "x?$select=body",
    "x#y",
    "x\r\nHost: evil.example",
    "//evil.example",
    "http://evil.example/",
    "x%2F..%2Fy",
    "\u0130\u202e",
    "x\x00y",
    ".",
    "..",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_id_or_address_changes_the_path_it_stands_in(
    trap: Trap, graph: Transport, name: str
) -> None:
    """Ids of events come from answers; addresses of rooms from the directory."""
    side = _side(graph, trap.home.url)
    trap.home.play = _by_path(
        ("microsoft.graph.roomlist?", {"value": [{"emailAddress": name}]}),
        ("/places/", {"value": []}),
        ("", {"error": {"code": "ErrorDuplicateTransactionId", "@event.existingEventId": name}}),
    )
    effect = Effect(
        id="l:1", kind=EffectKind.CREATE_EVENT, link_id="l", revision=1, why="", target=single()
    )
    for act in (
        lambda: side.read(PAIR, [name]),
        lambda: list(side.resource_calendars()),
        lambda: side.apply(PAIR, [effect]),
    ):
        try:
            act()
        except CalsyncError:
            continue
    for request in trap.home.heard:
        line = request.split(b"\r\n")[0].decode("latin-1")
        path = line.split(" ")[1].partition("?")[0]
        assert path.startswith(("/v1.0/users/room@contoso.example", "/v1.0/places/")), line
        assert not {"..", "."} & set(path.split("/")), line
        assert line.count(" ") == 2
        assert b"evil" not in b"".join(request.split(b"\r\n")[1:4])


def test_a_link_within_a_batch_is_only_data(trap: Trap, graph: Transport) -> None:
    part = {"id": "0", "status": 302, "headers": {"Location": trap.evil.url}, "body": {}}
    other = {"id": "1", "status": 200, "body": {"id": "k", "@odata.nextLink": trap.evil.url}}
    trap.home.play = says(answer(json.dumps({"responses": [part, other]}).encode()))
    parts = [Part(method="GET", path="/users/a/events/1"), Part(method="GET", path="/x")]
    first, second = run_batch(
        graph, parts, operation="x", mailbox="a", now=WINDOW.start, repeatable=True
    )
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (302, 200)
    assert len(trap.home.heard) == 1


def test_no_address_found_in_an_event_is_opened(trap: Trap, graph: Transport) -> None:
    url = trap.evil.url
    event = {
        **_master("e"),
        "type": "singleInstance",
        "subject": url,
        "webLink": url,
        "onlineMeetingUrl": url,
        "onlineMeeting": {"joinUrl": url},
        "body": {"contentType": "html", "content": f"<img src='{url}'><script src='{url}'>"},
        "location": {"locationUri": url, "uniqueId": url},
        "attachments": [{"@odata.mediaReadLink": url, "sourceUrl": url}],
        "attendees@odata.navigationLink": url,
        "@odata.context": url,
        "@odata.id": url,
        "@odata.editLink": url,
    }
    event["calendar@odata.navigationLink"] = event["instances@odata.nextLink"] = url
    end = f"{trap.home.url}/v1.0/delta"
    trap.home.play = _by_path(
        ("calendarView/delta", {**_pages(deltaLink=end), "value": [event]}), ("events/e", event)
    )
    side = _side(graph, trap.home.url)
    assert len(side.pull(PAIR, None, WINDOW).observations) == 1
    assert len(side.read(PAIR, ["e"])) == 1
    assert len(trap.home.heard) == 2


def test_tokens_of_another_tenant_are_not_sent_at_all(trap: Trap) -> None:
    class Others(FixedTokens):
        tenant_id = TENANT.replace("1", "9")

    with transport_to(trap.home.url) as graph:
        graph._tokens = Others()
        with pytest.raises(UsageError, match="tenant"):
            graph.call(CALL)
    assert trap.home.heard == []

"""What the network, the limits, the sign-in and hostile answers do to the Graph side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from calsync.errors import (
    AccessDenied,
    BadAnswer,
    CursorExpired,
    ForbiddenLink,
    MailboxMissing,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
)
from calsync.model import (
    EffectKind,
    Gone,
    Occupancy,
    Seen,
    Unknown,
)
from calsync.sandbox import SandboxServer, create_sandbox
from calsync.sandbox.graph.request import Response
from tests.contract.sync_side import effect, single, weekly, with_exceptions
from tests.integration.graph_kit import GraphLab, graph_lab, live, rewrite

CREATE, CHANGE = EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT
DELETE, DECLINE = EffectKind.DELETE_EVENT, EffectKind.DECLINE_EVENT


@pytest.fixture
def lab() -> Iterator[GraphLab]:
    with graph_lab(page_size=2) as lab:
        yield lab


def put_days(lab: GraphLab, days: int) -> list[str]:
    return [lab.put(single(day=day)) for day in range(1, days + 1)]


def pull_twice(lab: GraphLab) -> None:
    found = lab.side.pull(lab.pair, None, lab.window)
    lab.side.pull(lab.pair, found.cursor, lab.window)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("lost_request", {}),
        ("reply_lost", {}),
        ("html_login", {}),
        ("html_after", {}),
        ("truncated_json", {}),
        ("garbage_json", {}),
        ("reset_mid_body", {}),
        ("error_before", {"status": 502}),
        ("error_after", {"status": 504}),
        ("throttled", {"seconds": 0.2, "form": "fractional"}),
        ("throttled", {"seconds": 1, "form": "date"}),
        ("token_expired", {}),
        ("mailbox_moved", {}),
    ],
)
def test_a_pull_gets_over_what_passes(lab: GraphLab, kind: str, params: dict[str, Any]) -> None:
    keys = put_days(lab, 5)
    if kind == "mailbox_moved":  # it asks for 30 s: longer than a call waits
        lab.fault(kind, path="delta")
        with pytest.raises(Unavailable):
            lab.side.pull(lab.pair, None, lab.window)
        return
    lab.fault(kind, params=params, path="delta", after=1)
    pulled = lab.side.pull(lab.pair, None, lab.window)
    assert [one.key for one in pulled.observations] == keys
    assert pulled.complete
    assert lab.control.front.faults.fired == {kind: 1}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html_login", BadAnswer),
        ("truncated_json", BadAnswer),
        ("garbage_json", BadAnswer),
        ("reply_lost", Unavailable),
        ("permission_removed", AccessDenied),
        ("not_found", MailboxMissing),
        ("gone", CursorExpired),
        ("sync_state_invalid", CursorExpired),
        ("redirect", ForbiddenLink),
        ("token_expired", NotSignedIn),
    ],
)
def test_what_stays_is_told_by_its_name(lab: GraphLab, kind: str, error: type[SideError]) -> None:
    first = lab.side.pull(lab.pair, None, lab.window)
    lab.fault(kind, count=None, path="delta")
    with pytest.raises(error) as raised:
        lab.side.pull(lab.pair, first.cursor, lab.window)
    assert type(raised.value) is error
    assert "Sign in to your account" not in str(raised.value)
    lab.calm()
    assert lab.side.pull(lab.pair, first.cursor, lab.window).observations == ()


def test_a_resume_point_that_is_refused_is_given_up(lab: GraphLab) -> None:
    """Graph names some codes, and says that there are others (40X, "delta query": Outlook drops old
    tokens). What is refused once is refused for ever: the room would stay closed."""
    first = lab.side.pull(lab.pair, None, lab.window)
    lab.fault("error_before", count=None, path="deltatoken", params={"status": 400})
    with pytest.raises(CursorExpired):
        lab.side.pull(lab.pair, first.cursor, lab.window)
    assert lab.side.pull(lab.pair, None, lab.window).complete
    lab.calm()
    lab.fault("error_before", count=None, path="delta", params={"status": 400})
    with pytest.raises(BadAnswer):
        lab.side.pull(lab.pair, None, lab.window)


@pytest.mark.parametrize("form", ["huge", "absent"])
def test_a_long_wait_is_handed_on(lab: GraphLab, form: str) -> None:
    lab.fault("throttled", count=None, params={"form": form}, path="delta")
    with pytest.raises(Throttled) as raised:
        lab.side.pull(lab.pair, None, lab.window)
    assert raised.value.retry_after > 3
    before = len(lab.requests())
    with pytest.raises(Throttled):
        lab.side.read(lab.pair, ["x"])
    assert len(lab.requests()) == before, "the mailbox is left alone until then"


def test_a_token_that_expires_between_pages_is_renewed_once(lab: GraphLab) -> None:
    keys = put_days(lab, 7)
    pages = 0

    def expire(path: str, body: dict[str, Any]) -> None:
        nonlocal pages
        if "delta" in path and "value" in body:
            pages += 1
            if pages == 2:
                lab.control.world.tokens.clear()

    rewrite(lab, expire)
    pulled = lab.side.pull(lab.pair, None, lab.window)
    assert [one.key for one in pulled.observations] == keys
    tokens = [key for key in lab.control.front.counts if key[1] == "token"]
    refused = sum(n for key, n in lab.control.front.counts.items() if key[3] == 401)
    assert (len(tokens), refused) == (1, 1)


def test_a_foreign_next_link_gets_neither_request_nor_token(lab: GraphLab) -> None:
    put_days(lab, 3)
    evil = create_sandbox(seed=2)
    heard: list[str] = []
    evil.handle = lambda *a, **k: heard.append(str(a)) or Response(200)  # type: ignore[func-returns-value, method-assign]
    server = SandboxServer(evil).start()
    try:
        for name in ("@odata.nextLink", "@odata.deltaLink"):

            def lead_astray(path: str, body: dict[str, Any], name: str = name) -> None:
                if name in body:
                    body[name] = body[name].replace(lab.server.url, server.url)

            rewrite(lab, lead_astray)
            with pytest.raises(ForbiddenLink):
                pull_twice(lab)
        lab.fault("redirect", params={"location": f"{server.url}/v1.0/x"}, path="calendar")
        with pytest.raises(ForbiddenLink):
            lab.side.pull(lab.pair, None, lab.window)
        assert heard == []
    finally:
        server.stop()


@pytest.mark.parametrize("damage", ["loop", "both", "neither", "no list"])
def test_pages_without_an_end_are_refused(lab: GraphLab, damage: str) -> None:
    put_days(lab, 5)

    def spoil(path: str, body: dict[str, Any]) -> None:
        if "delta" not in path:
            return
        if damage == "loop" and "$skiptoken" in path:
            body["@odata.nextLink"] = path if "://" in path else lab.server.url + path
            body.pop("@odata.deltaLink", None)
        elif damage == "both":
            body["@odata.deltaLink"] = body.get("@odata.nextLink", "") or body["@odata.deltaLink"]
        elif damage == "neither":
            body.pop("@odata.nextLink", None)
            body.pop("@odata.deltaLink", None)
        elif damage == "no list":
            body["value"] = {"a": 1}

    rewrite(lab, spoil)
    with pytest.raises(BadAnswer):
        lab.side.pull(lab.pair, None, lab.window)


def test_empty_pages_and_repeats_are_normal(lab: GraphLab) -> None:
    keys = put_days(lab, 4)
    lab.switch(delta_repeats=True)
    first = lab.side.pull(lab.pair, None, lab.window)
    lab.edit(keys[0], single(day=1, hour=20))
    emptied = False

    def empty(path: str, body: dict[str, Any]) -> None:
        nonlocal emptied
        if "@odata.nextLink" in body and not emptied:
            emptied, body["value"] = True, []

    rewrite(lab, empty)
    again = lab.side.pull(lab.pair, None, lab.window)
    assert emptied
    assert len(again.observations) == 2, "the page that was emptied is missing, no more"
    (changed,) = lab.side.pull(lab.pair, first.cursor, lab.window).observations
    assert isinstance(changed, Seen)
    assert changed.occupancy == single(day=1, hour=20)


def test_one_poison_item_stops_only_itself(lab: GraphLab) -> None:
    keys = put_days(lab, 4)
    series = lab.put(weekly())

    def poison(path: str, body: dict[str, Any]) -> None:
        for row in body.get("value", []) if "delta" in path else []:
            if row.get("id") == keys[1]:
                row["start"] = {"dateTime": "yesterday", "timeZone": 7}
            if row.get("id") == keys[2]:
                row["id"] = None

    rewrite(lab, poison)
    pulled = lab.side.pull(lab.pair, None, lab.window)
    shown = {one.key: one for one in pulled.observations}
    assert set(shown) == {keys[0], keys[1], keys[3], series}
    bad = shown[keys[1]]
    assert isinstance(bad, Unknown)
    assert bad.poison
    assert all(isinstance(one, Seen) for key, one in shown.items() if key != keys[1])
    assert pulled.cursor


def test_a_series_that_alone_cannot_be_read_is_unknown_and_asked_for_again(lab: GraphLab) -> None:
    bad, good = lab.put(weekly()), lab.put(with_exceptions())

    def break_part(path: str, body: dict[str, Any]) -> None:
        for part in body.get("responses", ()):
            if part["body"].get("id") == bad:
                part |= {"status": 500, "body": {"error": {"code": "x"}}}

    rewrite(lab, break_part)
    lab.fault(
        "error_before",
        count=None,
        path="/events/" + bad.rstrip("="),
        params={"status": 500, "code": "x"},
    )
    pulled = lab.side.pull(lab.pair, None, lab.window)
    shown = {one.key: one for one in pulled.observations}
    assert isinstance(shown[good], Seen)
    assert shown[bad] == Unknown(key=bad, reason="Graph is not well just now (x)")


@pytest.mark.parametrize("series", [1, 2])
def test_a_series_read_that_fails_in_passing_keeps_the_cursor(lab: GraphLab, series: int) -> None:
    for _ in range(series):
        lab.put(weekly())
    lab.fault("error_before", count=None, params={"status": 503}, path="batch|calendar\\?|/events/")
    with pytest.raises(Unavailable):
        lab.side.pull(lab.pair, None, lab.window)


def test_throttled_parts_of_a_batch_are_sent_again(lab: GraphLab) -> None:
    keys = put_days(lab, 6)
    lab.fault("batch_part_throttled", count=3, params={"seconds": 0.1, "form": "fractional"})
    found = lab.side.read(lab.pair, keys)
    assert [one.key for one in found] == keys
    assert all(isinstance(one, Seen) for one in found)
    made = lab.requests()[6:]
    batches = [one for one in lab.control.front.calls if one["operation"] == "$batch"]
    assert len(batches) == 2
    assert len(made) == 6 + 3 + 2, "only the throttled parts were sent again"


def test_a_lost_permission_is_never_a_deletion(lab: GraphLab) -> None:
    key = lab.put(single())
    lab.fault("permission_removed", count=None, params={"status": 404}, path="/users/")
    (found,) = lab.side.read(lab.pair, [key])
    assert isinstance(found, Unknown)
    assert not found.poison
    lab.calm()
    lab.fault("not_found", count=None, path="/events/")
    assert isinstance(lab.side.read(lab.pair, [key])[0], Gone), "the mailbox itself answers"


def test_an_id_of_one_date_is_no_item(lab: GraphLab) -> None:
    key = lab.put(weekly())
    date = next(iter(lab._ids(key).values()))
    (found,) = lab.side.read(lab.pair, [date])
    assert isinstance(found, Unknown)


def test_an_item_outside_the_window_is_a_hint_only(lab: GraphLab) -> None:
    key = lab.put(single())
    first = lab.side.pull(lab.pair, None, lab.window)
    far = Occupancy(start=datetime(2028, 1, 1, 9), end=datetime(2028, 1, 1, 10), zone="UTC")
    lab.edit(key, far)
    after = lab.side.pull(lab.pair, first.cursor, lab.window)
    assert (after.observations, after.hints) == ((), (key,))
    (read,) = lab.side.read(lab.pair, [key])
    assert isinstance(read, Seen)
    assert read.occupancy == far


def test_two_tenants_with_equal_ids_never_share_a_token() -> None:
    """The same client id, room address and event ids in two tenants, worked at once."""
    with graph_lab() as one, graph_lab() as two:
        heard: dict[str, set[str]] = {}
        for lab in (one, two):
            inner = lab.control.front.handle

            def handle(
                method: str,
                target: str,
                headers: Any,
                body: bytes = b"",
                inner: Any = inner,
                url: str = lab.server.url,
            ) -> Response:
                if "authorization" in headers:
                    heard.setdefault(url, set()).add(headers["authorization"])
                return inner(method, target, headers, body)  # type: ignore[no-any-return]

            lab.control.front.handle = handle  # type: ignore[method-assign]
            lab.put(single())
        heard.clear()
        failures: list[BaseException] = []

        def work(lab: GraphLab, number: int) -> None:
            try:
                for step in range(5):
                    lab.side.pull(lab.pair, None, lab.window)
                    lab.tokens.renew("") if step == 2 else None
                lab.side.apply(lab.pair, [effect(CREATE, f"l{number}", target=single(day=number))])
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=work, args=(lab, number + 2))
            for number in range(4)
            for lab in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(live(one)) == len(live(two)) == 5
        first, second = heard[one.server.url], heard[two.server.url]
        assert first
        assert second
        assert not first & second

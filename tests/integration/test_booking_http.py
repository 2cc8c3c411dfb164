"""What the booking_http side must do beyond the contract of every side, before a real API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from calsync.adapters.booking_http import answers, cursors
from calsync.adapters.booking_http.directory import NEEDED
from calsync.adapters.booking_http.side import HttpSide
from calsync.adapters.booking_http.transport import Transport
from calsync.adapters.shared.seal import Seal
from calsync.adapters.webhooks.guard import Guard
from calsync.adapters.wrap.port import Answer, Call
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    CalsyncError,
    CursorAhead,
    CursorExpired,
    ForbiddenLink,
    MailboxMissing,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
)
from calsync.mapping.booking_values import BookingStatus
from calsync.model import (
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Interval,
    Later,
    Occupancy,
    Person,
    Refusal,
    Refused,
    Seen,
    Stale,
    Unknown,
    Whole,
)
from tests.contract.sync_side import effect, single, weekly, with_exceptions
from tests.contract.test_hub_side import CROSSED
from tests.integration.api_kit import open_door
from tests.integration.booking_http_kit import HttpLab, http_lab
from tests.unit.hub.hub_kit import ANY


@pytest.fixture(scope="module")
def door() -> Iterator[Any]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def lab(door: Any, tmp_path: Path) -> Iterator[HttpLab]:
    with http_lab(door, tmp_path) as lab:
        yield lab


def create(link: str, target: Occupancy, **more: object) -> Effect:
    return effect(EffectKind.CREATE_BOOKING, link, target=target, **more)


def apply(lab: HttpLab, one: Effect) -> Any:
    (outcome,) = lab.side.apply(lab.pair, [one])
    return outcome


def done(outcome: object) -> Any:
    assert isinstance(outcome, Done), outcome
    return outcome.now


def seen(lab: HttpLab, key: str) -> Seen:
    (found,) = lab.side.read(lab.pair, [key])
    assert isinstance(found, Seen), found
    return found


def shown(lab: HttpLab, cursor: str | None = None) -> dict[str, Any]:
    pulled = lab.side.pull(lab.pair, cursor, lab.window)
    return {one.key: one for one in pulled.observations}


# --- what is written ---------------------------------------------------------------------------


def test_a_mirrored_meeting_is_confirmed_and_known_by_our_tag(lab: HttpLab) -> None:
    person = Person("Ada", "ada@example.com")
    one = create("l1", single(title="Plan"), owned=False, uid="ical-1", person=person)
    now = done(apply(lab, one))
    held = lab.hub.get(now.key)
    assert (held.status, held.editable, held.uid) == (BookingStatus.CONFIRMED, False, "ical-1")
    assert (held.person, held.origin.value, now.tag) == (person, "calendar", "l1")
    assert now.person == person


def test_nobody_on_the_platform_can_set_our_tag(lab: HttpLab) -> None:
    """Ids of links can be worked out; the seal beside them cannot."""
    theirs = Seal(b"of another installation").close("r1", "link-1")
    names = ["calsync-link-1", "link-1", f"calsync-{theirs}", "calsync-", "calsync--"]
    ours = Seal(b"a secret of the tests").close("r2", "link-1")
    for number, name in enumerate([*names, f"calsync-{ours}"]):
        lab.hub.book(start=f"2026-12-0{number + 1}T09:00:00", externalId=name)
    assert [one.tag for one in shown(lab).values()] == [None] * 6
    assert lab.side.find(lab.pair, ["link-1"]) == {}


def test_overlaps_of_the_calendar_are_mirrored(lab: HttpLab) -> None:
    outcomes = lab.side.apply(lab.pair, [create("l1", single()), create("l2", single())])
    assert all(isinstance(one, Done) for one in outcomes)
    span = Interval(lab.window.start, lab.window.end)
    busy = lab.side.busy(["r1", "r2"], span)
    assert [(len(spans)) for spans in busy.values()] == [1, 0]
    assert busy == lab.hub.side.busy(["r1", "r2"], span)
    assert [room.id for room in lab.side.rooms()] == ["r1", "r2", "r3", "r4"]


def test_a_write_stands_where_only_what_we_do_not_carry_was_changed(lab: HttpLab) -> None:
    """Seats, and the platform's own confirmation, move the revision and no content."""
    key = lab.put(weekly())
    before = seen(lab, key)
    lab.hub.service.patch(key, {"seats": 3}, ANY)
    change = effect(EffectKind.CHANGE_BOOKING, "l1", seen=before, target=with_exceptions())
    now = done(apply(lab, change))
    assert now.occupancy == with_exceptions()
    assert lab.hub.get(key).seats == 3
    lab.hub.service.patch(key, {"seats": 4}, ANY)
    gone = done(apply(lab, effect(EffectKind.DELETE_BOOKING, "l1", seen=now)))
    assert isinstance(gone, Gone)


def test_titles_that_are_not_carried_stay_on_the_platform(lab: HttpLab) -> None:
    key = lab.put(with_exceptions())
    lab.pair = replace(lab.pair, titles=False)
    before = seen(lab, key)
    assert before.occupancy.title is None
    target = replace(before.occupancy, start=before.occupancy.start, busy=before.occupancy.busy)
    assert before.occupancy.recurrence is not None
    fewer = replace(before.occupancy.recurrence, excluded=())
    target = replace(target, recurrence=fewer)
    now = done(apply(lab, effect(EffectKind.CHANGE_BOOKING, "l1", seen=before, target=target)))
    assert now.occupancy == target
    held = lab.hub.get(key).content
    assert held.title == "Review"
    assert held.recurrence is not None
    assert [one.title for one in held.recurrence.overrides] == ["Review, longer", "Review"]
    made = done(apply(lab, create("l2", single(title="Secret"))))
    assert lab.hub.get(made.key).content.title is None


# --- answers -----------------------------------------------------------------------------------

REFUSAL = Refusal(
    reason="The room was already booked.",
    conflicts=((datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)),),
)


def test_a_waiting_booking_is_confirmed_once(lab: HttpLab) -> None:
    key = lab.hub.book().id
    before = seen(lab, key)
    assert before.pending
    one = effect(EffectKind.CONFIRM_BOOKING, "l1", seen=before)
    now = done(apply(lab, one))
    assert (now.pending, now.fingerprint, now.mark) == (False, before.fingerprint, before.mark)
    assert lab.hub.get(key).status is BookingStatus.CONFIRMED
    assert done(apply(lab, one)) == now
    assert lab.hub.get(key).revision == 2, "confirmed twice is one visible change"
    moved = replace(one, version="1", was=single(hour=20))
    lab.hub.service.patch(key, {"start": "2026-12-01T15:00:00"}, ANY)
    assert isinstance(apply(lab, moved), Stale)
    assert lab.hub.get(key).status is BookingStatus.PENDING


def test_a_rejected_booking_is_gone_with_its_reason(lab: HttpLab) -> None:
    key = lab.hub.book().id
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    one = effect(EffectKind.REJECT_BOOKING, "l1", seen=seen(lab, key), refusal=REFUSAL)
    now = done(apply(lab, one))
    assert (type(now), now.absence) == (Gone, Absence.REFUSED)
    assert lab.hub.get(key).refusal == REFUSAL
    assert lab.side.read(lab.pair, [key]) == [now]
    assert shown(lab, cursor) == {key: now}
    assert done(apply(lab, one)) == now


def test_refused_dates_are_kept_with_the_change_that_gives_them_up(lab: HttpLab) -> None:
    key = lab.put(weekly())
    refusal = Refusal(reason="Taken on one date.", dates=(datetime(2026, 12, 8, 10),))
    change = effect(EffectKind.CHANGE_BOOKING, "l1", seen=seen(lab, key), target=with_exceptions())
    now = done(apply(lab, replace(change, refusal=refusal)))
    confirm = effect(EffectKind.CONFIRM_BOOKING, "l1", seen=now, refusal=refusal)
    done(apply(lab, confirm))
    held = lab.hub.get(key)
    assert (held.status, held.refusal) == (BookingStatus.CONFIRMED, refusal)


def test_a_platform_that_answers_by_itself_waits_for_nobody(lab: HttpLab) -> None:
    lab.world.mapped.add("r1")
    key = lab.hub.book().id
    assert not seen(lab, key).pending
    assert lab.hub.get(key).status is BookingStatus.PENDING


# --- parts ---------------------------------------------------------------------------------------


def test_a_series_in_parts_is_confirmed_changed_and_joined_again(lab: HttpLab) -> None:
    key = lab.hub.book(**CROSSED).id
    first = lab.side.pull(lab.pair, None, lab.window)
    parts = {one.key: one for one in first.observations}
    stray = f"{key}#x20261203T0900"
    assert set(parts) == {key, stray}
    main, moved = (parts[name] for name in (key, stray))
    assert isinstance(main, Seen)
    assert isinstance(moved, Seen)
    assert main.pending
    assert moved.pending
    now = done(apply(lab, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=main)))
    assert not now.pending
    content = lab.hub.get(key).content
    assert now.whole == Whole(content, waits=True)
    assert lab.hub.get(key).status is BookingStatus.PENDING
    assert (seen(lab, key).pending, seen(lab, stray).pending) == (False, True)
    last = done(apply(lab, effect(EffectKind.CONFIRM_BOOKING, "l2", seen=moved)))
    assert last.whole == Whole(content), "all of it has its answer"
    assert lab.hub.get(key).status is BookingStatus.CONFIRMED

    start = datetime(2026, 12, 7, 16)
    target = replace(moved.occupancy, start=start, end=start + timedelta(hours=1))
    change = effect(EffectKind.CHANGE_BOOKING, "l2", seen=moved, target=target)
    assert done(apply(lab, change)).occupancy == target
    assert isinstance(apply(lab, replace(change, target=single(day=7, hour=18))), Stale)
    assert seen(lab, key).version == main.version, "the other part is as it was"

    second = lab.side.pull(lab.pair, first.cursor, lab.window)
    patch: dict[str, Any] = {"recurrenceOverrides": {"2026-12-03T09:00:00": None}}
    lab.hub.service.patch(key, patch, ANY)
    third = shown(lab, second.cursor)
    assert isinstance(third[key], Seen)
    vanished = third[stray]
    assert isinstance(vanished, Gone), "a part that vanished is told as gone"
    assert vanished.absence is Absence.RESHAPED, "its date lives on in the series"
    cursor = lab.side.pull(lab.pair, second.cursor, lab.window).cursor
    assert shown(lab, cursor) == {}


def test_a_rejected_part_tells_of_all_that_is_rejected(lab: HttpLab) -> None:
    key = lab.hub.book(**CROSSED).id
    stray = seen(lab, f"{key}#x20261203T0900")
    no = Refusal(reason="taken")
    gone = done(apply(lab, effect(EffectKind.REJECT_BOOKING, "l2", seen=stray, refusal=no)))
    assert gone.whole == Whole(lab.hub.get(key).content)
    single = seen(lab, lab.hub.book(start="2026-12-20T09:00:00").id)
    gone = done(apply(lab, effect(EffectKind.REJECT_BOOKING, "l3", seen=single, refusal=no)))
    assert (single.whole, gone.whole) == (None, None)


def test_a_part_that_is_over_does_not_wait(lab: HttpLab) -> None:
    over = {"2026-11-03T09:00:00": {"start": "2026-11-06T14:00:00"}}
    series = {"start": "2026-11-02T09:00:00", "rrule": "FREQ=DAILY;COUNT=60"}
    key = lab.hub.book(**{**CROSSED, **series, "recurrenceOverrides": over}).id
    main = seen(lab, key)
    assert main.whole is not None
    assert not main.whole.waits
    done(apply(lab, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=main)))
    assert lab.hub.get(key).status is BookingStatus.CONFIRMED


def test_a_deleted_part_takes_its_dates_out_and_a_cancelled_booking_all(lab: HttpLab) -> None:
    key = lab.hub.book(**CROSSED).id
    stray = f"{key}#x20261203T0900"
    cursor = lab.side.pull(lab.pair, None, lab.window).cursor
    gone = done(apply(lab, effect(EffectKind.DELETE_BOOKING, "l2", seen=seen(lab, stray))))
    assert isinstance(gone, Gone)
    series = lab.hub.get(key).content.recurrence
    assert series is not None
    assert series.excluded == (datetime(2026, 12, 3, 9),)
    lab.hub.service.cancel(key, ANY)
    told = shown(lab, cursor)
    assert {type(one) for one in told.values()} == {Gone}
    assert set(told) == {key, stray}


# --- the feed ------------------------------------------------------------------------------------


def test_the_full_listing_keeps_to_the_window_and_the_room(lab: HttpLab) -> None:
    inside = lab.hub.book(start="2026-12-24T09:00:00").id
    lab.hub.book(start="2027-12-24T09:00:00")
    lab.hub.book("r2", start="2026-12-24T09:00:00")
    endless = lab.hub.book(start="2025-01-06T09:00:00", rrule="FREQ=WEEKLY").id
    assert set(shown(lab)) == {inside, endless}
    assert lab.side.read(lab.pair, [lab.hub.book("r2").id])[0] == Gone(
        key="b0005", absence=Absence.READ
    )


def test_many_pages_are_one_pull(lab: HttpLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calsync.adapters.booking_http.side.PAGE", 3)
    keys = {lab.put(single(day=day)) for day in range(1, 11)}
    first = lab.side.pull(lab.pair, None, lab.window)
    assert {one.key for one in first.observations} == keys
    for key in sorted(keys)[:7]:
        lab.hub.service.cancel(key, ANY)
    assert len(shown(lab, first.cursor)) == 7


def test_old_and_restored_cursors(lab: HttpLab) -> None:
    lab.put(single())
    old = lab.side.pull(lab.pair, None, lab.window).cursor
    lab.put(single(day=2))
    new = lab.side.pull(lab.pair, old, lab.window).cursor
    with lab.hub.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM hub_change WHERE number > 1")
        connection.exec_driver_sql("UPDATE hub_counter SET value = 1 WHERE name = 'number'")
    with pytest.raises(CursorAhead):
        lab.side.pull(lab.pair, new, lab.window)
    lab.hub.clock.at += timedelta(days=60)
    lab.put(single(day=3))
    lab.put(single(day=4))
    lab.hub.clock.at += timedelta(days=60)
    lab.hub.service.compact()
    with pytest.raises(CursorExpired) as expired:
        lab.side.pull(lab.pair, old, lab.window)
    assert not isinstance(expired.value, CursorAhead)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", '{"feed": 1}', '{"feed": "", "x": 1}', '{"feed":"a","parts":{"b":1}}']
)
def test_cursors_that_nobody_gave(text: str) -> None:
    assert cursors.decode(text) is None


def test_cursors_come_back_as_they_were() -> None:
    place = cursors.Place("abc", {"b1": ("", "x1"), "b2": ("s1",)})
    assert cursors.decode(cursors.encode(place)) == place
    assert cursors.decode(cursors.encode(cursors.Place("abc"))) == cursors.Place("abc")


# --- lost replies --------------------------------------------------------------------------------


class Losing(BaseAdapter):
    """Carries requests, and loses the replies to the next ``count`` writes after they arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = HTTPAdapter()
        self.count = 0
        self.writes: list[str] = []

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        answer = self.inner.send(request, *args, **options)
        if request.method != "GET":
            self.writes.append(request.method)
            if self.count > 0:
                self.count -= 1
                answer.close()
                raise requests.ConnectionError("the reply was lost")
        return answer

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def losing(lab: HttpLab) -> Iterator[Losing]:
    wire = Losing()
    lab.logged._inner = lab.connect(wire=wire)
    yield wire
    wire.close()


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_reply_makes_nothing_twice(lab: HttpLab, losing: Losing, lost: int) -> None:
    for number in range(20):
        losing.count = lost
        done(apply(lab, create(f"l{number}", single(day=1 + number))))
    assert len(shown(lab)) == 20
    revisions = []
    for key in list(shown(lab)):
        losing.count = lost
        before = seen(lab, key)
        later = replace(before.occupancy, title="Later")
        change = effect(EffectKind.CHANGE_BOOKING, "l", seen=before, target=later)
        assert done(apply(lab, change)).occupancy == later
        revisions.append(lab.hub.get(key).revision)
        losing.count = lost
        assert isinstance(
            done(apply(lab, effect(EffectKind.DELETE_BOOKING, "l", seen=seen(lab, key)))), Gone
        )
    assert revisions == [2] * 20
    assert shown(lab) == {}


def test_what_has_no_answer_at_all_is_in_doubt_and_found(lab: HttpLab, losing: Losing) -> None:
    losing.count = 3
    outcomes = lab.side.apply(lab.pair, [create("l1", single()), create("l2", single(day=2))])
    assert [type(one) for one in outcomes] == [InDoubt, Later]
    found = lab.side.find(lab.pair, ["l1", "l2"])
    assert list(found) == ["l1"]
    assert isinstance(found["l1"], Seen)
    assert done(apply(lab, create("l1", single()))) == found["l1"]
    lab.hub.service.cancel(found["l1"].key, ANY)
    assert isinstance(lab.side.find(lab.pair, ["l1"])["l1"], Gone)
    assert isinstance(done(apply(lab, create("l1", single()))), Gone), "it arrived, and went"


# --- the door ----------------------------------------------------------------------------------


def test_what_the_platform_cannot_carry_is_said(lab: HttpLab, door: Any, tmp_path: Path) -> None:
    lab.hub.service.set_titles("r1", titles=False)
    with pytest.raises(AccessDenied, match="keeps none for this room"):
        lab.side.pull(lab.pair, None, lab.window)
    with pytest.raises(MailboxMissing, match="no such room"):
        lab.side.pull(replace(lab.pair, room_id="nowhere"), None, lab.window)
    folder = tmp_path / "blind"
    folder.mkdir()
    with http_lab(door, folder, scopes=NEEDED) as blind:
        with pytest.raises(AccessDenied, match="details:read"):
            blind.side.pull(blind.pair, None, blind.window)
        blind.pair = replace(blind.pair, titles=False)
        blind.put(single(title="Secret"))
        (found,) = shown(blind).values()
        assert found.occupancy.title is None


def test_refused_tokens_and_missing_rights(lab: HttpLab) -> None:
    (token, *_) = [one for one in lab.hub.service.tokens.list() if one.name == "connector"]
    lab.side.pull(lab.pair, None, lab.window)
    lab.hub.service.tokens.revoke(token.id)
    with pytest.raises(NotSignedIn, match="does not take the token"):
        lab.side.pull(lab.pair, None, lab.window)
    outcome = apply(lab, create("l1", single()))
    assert isinstance(outcome, Later)
    lab.token = lab.hub.service.tokens.create("reader", ["rooms:read", "bookings:read"])[1]
    lab.logged._inner = lab.connect()
    outcome = apply(lab, create("l1", single()))
    assert isinstance(outcome, Later)
    assert "bookings:mirror" in outcome.reason


class Elsewhere(BaseHTTPRequestHandler):
    """Answers as it is told; keeps what it was asked, with the token."""

    status, headers_out, body = 200, {}, b""  # type: ignore[var-annotated]
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - set anew by each test

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.status)
        for name, value in self.headers_out.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, type[Elsewhere]]]:
    class Mine(Elsewhere):
        asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - a class of each test

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", Mine
    finally:
        server.shutdown()
        server.server_close()


def ask(lab: HttpLab, base: str, **options: Any) -> Answer:
    transport = lab.connect(base, **options)
    try:
        return transport.call(Call(method="GET", target="/v1/rooms", operation="rooms"))
    finally:
        transport.close()


def test_a_redirect_is_not_followed_and_the_token_stays_here(
    lab: HttpLab, elsewhere: tuple[str, type[Elsewhere]]
) -> None:
    base, server = elsewhere
    server.status = 302
    server.headers_out = {"Location": f"{base}/stolen"}
    with pytest.raises(BadAnswer, match="redirects are not followed"):
        ask(lab, base)
    assert [path for path, _ in server.asked] == ["/v1/rooms"]


def test_pages_of_proxies_and_endless_answers_are_no_answers(
    lab: HttpLab, elsewhere: tuple[str, type[Elsewhere]]
) -> None:
    base, server = elsewhere
    server.headers_out, server.body = {"Content-Type": "text/html"}, b"<html>sign in</html>"
    with pytest.raises(BadAnswer, match="no JSON object"):
        ask(lab, base)
    server.headers_out, server.body = {"Content-Type": "application/json"}, b'["' + b"x" * 5000
    with pytest.raises(BadAnswer, match="no JSON object"):
        ask(lab, base)
    with pytest.raises(BadAnswer, match="longer than 1000 bytes"):
        ask(lab, base, max_bytes=1000)
    # A proxy's 404 says nothing of a booking.
    server.status, server.headers_out = 404, {"Content-Type": "text/html"}
    side = HttpSide(lab.connect(base), clock=lab.clock, tag_key=b"k")
    side.directory._held = lab.side.directory.listing()
    side.directory._until = float("inf")
    with pytest.raises(SideError):
        side.read(lab.pair, ["b0001"])


@pytest.mark.parametrize(
    "base", ["https://10.1.2.3", "https://169.254.169.254", "https://[fd00::1]", "https://0.0.0.0"]
)
def test_private_addresses_need_the_admins_word(lab: HttpLab, base: str) -> None:
    with pytest.raises(ForbiddenLink, match="allowed_networks"):
        ask(lab, base)


def test_a_name_that_leads_inside_is_refused(lab: HttpLab) -> None:
    guard = Guard(look_up=lambda _host, _port: ["127.0.0.1"])
    transport = Transport(base="https://rooms.example.com", token="t", clock=lab.clock, guard=guard)
    with pytest.raises(ForbiddenLink, match="not a public address"):
        transport.call(Call(method="GET", target="/v1/rooms", operation="rooms"))
    with pytest.raises(ForbiddenLink, match="not a path"):
        transport.call(Call(method="GET", target="https://evil.example", operation="rooms"))
    transport.close()


# --- problems ------------------------------------------------------------------------------------


def problem(status: int, code: str = "", **more: Any) -> Answer:
    retry_after = more.pop("retry_after", None)
    body = {"code": code, "detail": "It says why.\x1b[2J", **more}
    return Answer(status=status, body=body, retry_after=retry_after, throttled=status == 429)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(400, "cursor-invalid"), CursorExpired),
        (problem(400, "malformed-request"), BadAnswer),
        (problem(403, "not-allowed"), AccessDenied),
        (problem(404, "not-found"), MailboxMissing),
        (problem(410, "resync-required"), CursorExpired),
        (problem(410, "resync-required", restored=True), CursorAhead),
        (problem(422, "invalid"), BadAnswer),
        (problem(429, "quota-exceeded", retry_after=7.0), Throttled),
        (problem(500, "internal"), Unavailable),
        (Answer(status=502), Unavailable),
    ],
)
def test_every_problem_is_one_of_our_errors(answer: Answer, kind: type[CalsyncError]) -> None:
    with pytest.raises(kind) as caught:
        answers.fail(answer, "room r1")
    assert type(caught.value) is kind
    assert "\x1b" not in str(caught.value)
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (problem(429, "quota-exceeded", retry_after=7.0), Later(7.0, "the booking platform asks")),
        (problem(409, "idempotency-key-running", retry_after=1.0), Later(1.0, "It says why.")),
        (problem(403, "not-allowed"), Later(0.0, "the booking platform: It says why.")),
        (problem(503, "database"), InDoubt("the booking platform failed (503: It says why.")),
        (problem(422, "invalid"), Refused("the booking platform refuses: It says", "invalid")),
        (Answer(status=418), Refused("the booking platform refuses: status 418", "http-418")),
    ],
)
def test_every_problem_of_a_write_is_an_outcome(answer: Answer, outcome: Any) -> None:
    found: Any = answers.outcome_of(answer)
    assert type(found) is type(outcome)
    assert found.reason.startswith(outcome.reason)
    if isinstance(outcome, Later):
        assert found.seconds == outcome.seconds
    if isinstance(outcome, Refused):
        assert found.code == outcome.code


def test_a_booking_that_cannot_be_read_is_poison_and_stops_no_other(lab: HttpLab) -> None:
    good, bad = lab.put(single()), lab.put(single(day=2))
    inner = lab.transport.call

    def spoilt(call: Call) -> Answer:
        answer = inner(call)
        for entry in (answer.body or {}).get("changes", ()):
            if entry["bookingId"] == bad:
                entry["booking"]["duration"] = "an hour"
        return answer

    lab.transport.call = spoilt  # type: ignore[method-assign]
    found = shown(lab)
    assert isinstance(found[good], Seen)
    assert isinstance(found[bad], Unknown)
    assert found[bad].poison
    assert "/duration" in found[bad].reason

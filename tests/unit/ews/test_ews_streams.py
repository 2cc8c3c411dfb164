"""The pure parts of streaming: where a document ends, what it says, and how hints are spared."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.adapters.ews import live
from calsync.adapters.ews.hints import Hints
from calsync.adapters.ews.live import documents
from calsync.adapters.ews.notifications import affinity_of, read_told, subscription_of
from calsync.adapters.ews.xml import read_envelope
from calsync.errors import BadAnswer
from tests.unit.ews.test_ews_transport import HEAD, TAIL, fault


def answer(inner: str, *, good: bool = True, code: str = "NoError") -> bytes:
    outcome = "Success" if good else "Error"
    return (
        f"{HEAD}<m:GetStreamingEventsResponse><m:ResponseMessages>"
        f'<m:GetStreamingEventsResponseMessage ResponseClass="{outcome}"><m:ResponseCode>{code}'
        f"</m:ResponseCode>{inner}</m:GetStreamingEventsResponseMessage></m:ResponseMessages>"
        f"</m:GetStreamingEventsResponse>{TAIL}"
    ).encode()


def notice(subscription: str, *events: str) -> str:
    rows = "".join(f"<t:{one}><t:TimeStamp/></t:{one}>" for one in events)
    return (
        "<t:Notification><t:SubscriptionId>"
        f"{subscription}</t:SubscriptionId>{rows}</t:Notification>"
    )


def body(*pieces: bytes) -> Any:
    left = list(pieces)

    def read1(size: int, decode_content: bool) -> bytes:
        assert decode_content
        assert size
        return left.pop(0) if left else b""

    return SimpleNamespace(raw=SimpleNamespace(read1=read1))


@given(st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_documents_are_found_wherever_the_pieces_end(cuts: list[int], spaced: bool) -> None:
    made = [b"<s:Envelope>%d</s:Envelope>" % n for n in range(6)]
    made[2] = b"<Envelope><x/></Envelope >"
    made[4] = b"<soap:Envelope>" + b"y" * 200 + b"</soap:Envelope\n>"
    whole = (b"\r\n" if spaced else b"").join(made)
    at = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    pieces = [whole[a:b] for a, b in itertools.pairwise(at)]
    assert list(documents(body(*pieces))) == made


def test_a_document_without_an_end_is_not_collected_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "MAX_DOCUMENT", 1000)
    with pytest.raises(BadAnswer, match="longer than 1000 bytes"):
        list(documents(body(*[b"x" * 100] * 50)))


def test_what_a_document_says() -> None:
    two = notice("a", "StatusEvent") + notice("b", "ModifiedEvent", "MovedEvent") + notice("b")
    told = read_told(answer(f"<m:Notifications>{two}</m:Notifications>"))
    assert (told.news, told.closed, told.refusal, told.lost) == (("b",), False, None, ())
    opened = read_told(answer("<m:ConnectionStatus>OK</m:ConnectionStatus>"))
    assert (opened.news, opened.closed) == ((), False)
    assert read_told(answer("<m:ConnectionStatus>Closed</m:ConnectionStatus>")).closed
    ids = (
        "<m:ErrorSubscriptionIds><t:SubscriptionId>a</t:SubscriptionId></m:ErrorSubscriptionIds>"
        "<m:ConnectionStatus>Closed</m:ConnectionStatus>"
    )
    lost = read_told(answer(ids, good=False, code="ErrorSubscriptionNotFound"))
    assert lost.refusal is not None
    assert (lost.lost, lost.closed, lost.refusal.code) == (
        ("a",),
        True,
        "ErrorSubscriptionNotFound",
    )
    busy = read_told(fault("ErrorServerBusy", "4000").encode())
    assert busy.refusal is not None
    assert (busy.refusal.seconds, busy.closed) == (4.0, True)
    for bad in (b"<html/>", b"", b"<s:Envelope>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'):
        with pytest.raises(BadAnswer):
            read_told(bad)


def test_a_subscription_id_that_no_request_could_carry_is_none() -> None:
    def said(text: str) -> str:
        row = f"<m:SubscriptionId>{text}</m:SubscriptionId>"
        (message,) = read_envelope(answer(row)).messages
        return subscription_of(message)

    assert said("JgBjbzFwcjA=") == "JgBjbzFwcjA="
    assert said("a b") == said("") == said("x" * 2000) == ""


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-BackEndOverrideCookie=mbx1~1941996295; path=/; secure; HttpOnly", "mbx1~1941996295"),
        (
            "exchangecookie=dd; expires=Thu, 25-Sep-2014 18:42:45 GMT; path=/; HttpOnly,"
            " X-BackEndOverrideCookie=m~1; path=/, X-BackEndCookie=a@b=Ox; path=/EWS",
            "m~1",
        ),
        ("X-BackEndCookie=a", ""),
        ("NoX-BackEndOverrideCookie=a", ""),
        ("X-BackEndOverrideCookie=", ""),
        ('X-BackEndOverrideCookie="a"', ""),
        ("", ""),
    ],
)
def test_the_cookie_of_affinity(header: str, value: str) -> None:
    assert affinity_of(header) == value


# --- hints -----------------------------------------------------------------------------------


class Told:
    def __init__(self) -> None:
        self.at: list[tuple[float, str]] = []
        self.now = 0.0
        self.hints = Hints(lambda room: self.at.append((self.now, room)), settle=2.0, longest=60.0)

    def until(self, end: float, step: float = 1.0, every: float = 0.0, room: str = "r") -> None:
        """Let time go by; ``every``: hear of ``room`` that often, in seconds."""
        while self.now <= end:
            if every and self.now % every == 0:
                self.hints.heard([room], self.now)
            self.hints.hand_on(self.now)
            self.now += step


def test_one_act_is_one_hint_after_a_moment() -> None:
    told = Told()
    for _ in range(300):
        told.hints.heard(["a", "b", "a"], 0.0)
    told.until(100.0)
    assert told.at == [(2.0, "a"), (2.0, "b")]


def test_who_is_heard_of_on_and_on_is_handed_on_ever_more_seldom() -> None:
    told = Told()
    told.until(600.0, every=1.0)
    times = [at for at, _ in told.at]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert times[0] == 2.0
    assert gaps == sorted(gaps), "it slows down"
    assert max(gaps) <= 61.0, "and never falls silent"
    assert len(times) <= 16


def test_a_quiet_room_is_handed_on_quickly_again() -> None:
    told = Told()
    told.until(300.0, every=1.0)
    told.at.clear()
    told.until(700.0)
    began = told.now
    told.at.clear()
    told.hints.heard(["r"], began)
    told.until(began + 10)
    assert told.at == [(began + 2.0, "r")]


def test_a_room_that_floods_does_not_slow_down_another() -> None:
    told = Told()
    told.until(300.0, every=1.0, room="loud")
    told.at.clear()
    told.hints.heard(["calm"], told.now)
    began = told.now
    told.until(began + 3)
    assert (began + 2.0, "calm") in told.at

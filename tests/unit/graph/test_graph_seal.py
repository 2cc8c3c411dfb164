"""Tags on events: only what this installation sealed, for this mailbox, is one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calsync.adapters.shared.seal import Mark, Seal

BOX = "room@contoso.example"
OURS = Seal(b"one secret")
TAG = "0123456789abcdef" * 2


@given(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True), st.binary(min_size=1, max_size=64))
def test_what_was_sealed_is_opened(tag: str, key: bytes) -> None:
    seal = Seal(key)
    assert seal.open(BOX.upper(), seal.close(BOX, tag)) == Mark(tag, seal.maker)


def test_a_seal_of_another_mailbox_or_installation_opens_nothing() -> None:
    theirs = Seal(b"another secret")
    assert OURS.open("other@contoso.example", OURS.close(BOX, TAG)).tag is None
    assert OURS.open(BOX, theirs.close(BOX, TAG)) == Mark(None, theirs.maker)
    assert OURS.maker != theirs.maker
    forged = theirs.close(BOX, TAG).replace(theirs.maker, OURS.maker)
    assert OURS.open(BOX, forged) == Mark(None, OURS.maker)


def test_every_other_letter_breaks_it() -> None:
    good = OURS.close(BOX, TAG)
    for at, sign in enumerate(good):
        other = good[:at] + ("0" if sign != "0" else "1") + good[at + 1 :]
        assert OURS.open(BOX, other).tag is None


@given(st.text() | st.from_regex(r"cs1-[0-9a-f]{32}(-[0-9a-f]{8})?(-[0-9a-f]{16})?"))
def test_nothing_else_is_a_tag(text: str) -> None:
    assert OURS.open(BOX, text).tag is None


def test_it_is_no_longer_than_a_short_property() -> None:
    assert len(f"cs1-{OURS.close(BOX, TAG)}~12345678") <= 80

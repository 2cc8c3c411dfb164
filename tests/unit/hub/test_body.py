"""What the API reads of a request: strict JSON, and headers with a meaning."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from calsync.adapters.hub import cursors
from calsync.adapters.hub.desk import Precondition
from calsync.adapters.hub.problems import CursorInvalid
from calsync.api import body
from calsync.api.problems import ApiProblem

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
objects = st.dictionaries(
    texts,
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(10**14), 10**14), texts),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
        max_leaves=8,
    ),
)


def request(**headers: str) -> Request:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return Request({"type": "http", "method": "PATCH", "headers": pairs})


@given(objects)
def test_plain_json_is_read_as_it_is(value: dict[str, object]) -> None:
    assert body.parse_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b"<html>",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": 99999999999999999999999}',
        b'{"a": ' + b"9" * 6000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a":' * 20 + b"1" + b"}" * 20,
        b"[" * 200_000,
        b'{"a":' * 50_000,
    ],
)
def test_hostile_json_is_refused(text: bytes) -> None:
    with pytest.raises(ApiProblem) as caught:
        body.parse_object(text)
    assert caught.value.code == "malformed-request"


@pytest.mark.parametrize(
    ("header", "revisions"),
    [
        ('"3"', {3}),
        ('"3", "4"', {3, 4}),
        ('W/"3"', set()),
        ("3", set()),
        ('"x"', set()),
        ("", set()),
    ],
)
def test_if_match_compares_strongly(header: str, revisions: set[int]) -> None:
    assert body.if_match(request(if_match=header)) == Precondition(frozenset(revisions))


def test_if_match_may_be_any_but_must_be_there() -> None:
    assert body.if_match(request(if_match="*")) == Precondition()
    with pytest.raises(ApiProblem) as caught:
        body.if_match(request())
    assert caught.value.code == "if-match-required"


@pytest.mark.parametrize(("header", "same"), [('"3"', True), ('W/"3"', True), ('"4"', False)])
def test_if_none_match_compares_weakly(header: str, same: bool) -> None:
    assert body.none_match(request(if_none_match=header), 3) is same


@pytest.mark.parametrize(("sent", "key"), [('"a b"', "a b"), ("abc", "abc")])
def test_idempotency_keys(sent: str, key: str) -> None:
    assert body.idempotency_key(request(idempotency_key=sent)) == key


@pytest.mark.parametrize("sent", ["", '""', "a b", '"a', "x" * 256, "a\u00e9"])
def test_idempotency_keys_that_are_none(sent: str) -> None:
    with pytest.raises(ApiProblem):
        body.idempotency_key(request(idempotency_key=sent))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-20T00:00:00", "2026-11-21T00:00:00Z"),
        ("2026-11-20", "2026-11-21T00:00:00Z"),
        ("2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z"),
        ("2026-11-20T00:00:00Z", "2028-11-20T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "2026-11-21T00:00:00Z"),
        ("2026-13-01T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("now", "then"),
    ],
)
def test_windows_that_are_refused(start: str, end: str) -> None:
    with pytest.raises(ApiProblem) as caught:
        body.window(start, end)
    assert caught.value.errors


def test_a_plus_that_became_a_blank_is_understood() -> None:
    span = body.window("2026-11-20T01:00:00 01:00", "2026-11-20T01:00:00z")
    assert (span.start.hour, span.end.hour) == (0, 1)


@given(st.integers(0, 10**12), st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
def test_cursors_read_back(number: int, room: str | None, after: str | None) -> None:
    cursor = cursors.Cursor(number, room, after)
    assert cursors.decode(cursors.encode(cursor), room) == cursor


@pytest.mark.parametrize(
    "text", ["", "x", "é", "W10", "WzEsMl0", "WzEsbnVsbCxbXV0", "bnVsbA", "W3RydWVd" * 50]
)
def test_strange_cursors_are_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        cursors.decode(text, None)


def test_a_cursor_belongs_to_its_rooms() -> None:
    with pytest.raises(CursorInvalid):
        cursors.decode(cursors.encode(cursors.Cursor(1, "r1")), None)

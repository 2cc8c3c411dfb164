"""One round of delta: whatever order and repeats, the last word about an id counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from graph_fakes import Script, page
from hypothesis import given
from hypothesis import strategies as st

from calsync.adapters.graph.delta import read_round
from calsync.adapters.wrap import Answer
from calsync.errors import BadAnswer, CursorExpired
from calsync.model import Window

WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC))
END = "https://graph.microsoft.com/v1.0/delta?$deltatoken=1"
ORPHAN = {"id": "e", "type": "exception"}
KEYS = [f"k{number}" for number in range(4)]
ROWS = st.lists(
    st.one_of(
        st.builds(
            lambda k, n: {"id": k, "type": "singleInstance", "n": n},
            st.sampled_from(KEYS),
            st.integers(),
        ),
        st.builds(lambda k: {"id": k, "@removed": {"reason": "deleted"}}, st.sampled_from(KEYS)),
        st.builds(lambda k: {"id": f"m-{k}", "type": "seriesMaster"}, st.sampled_from(KEYS)),
        st.builds(lambda k: {"id": f"o-{k}", "seriesMasterId": f"m-{k}"}, st.sampled_from(KEYS)),
        st.sampled_from([{"id": None}, {"id": 7}, {}, "x", None, 3, ORPHAN]),
    ),
    max_size=20,
)


def script(rows, cuts):
    """The rows on as many pages as there are cuts, some of them empty."""
    pieces, start = [], 0
    for cut in sorted(min(cut, len(rows)) for cut in cuts):
        pieces.append(rows[start:cut])
        start = cut
    pieces.append(rows[start:])
    links = [f"https://graph.microsoft.com/v1.0/p{number}" for number in range(len(pieces) - 1)]
    answers = [page(piece, nextLink=link) for piece, link in zip(pieces, links, strict=False)]
    return Script([*answers, page(pieces[-1], deltaLink=END)])


@given(ROWS, st.lists(st.integers(0, 20), max_size=4))
def test_the_last_word_counts(rows, cuts):
    caller = script(rows, cuts)
    found = read_round(caller, "room@x", None, WINDOW)
    last = {
        row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)
    }
    singles = {k: r for k, r in last.items() if r.get("type") == "singleInstance"}
    assert found.singles == singles
    assert set(found.removed) == {k for k, r in last.items() if "@removed" in r}
    masters = {k for k, r in last.items() if r.get("type") == "seriesMaster"}
    touched = {r["seriesMasterId"] for r in last.values() if "seriesMasterId" in r}
    assert set(found.series) == masters | touched
    assert found.full
    assert len(caller.calls) == len(cuts) + 1
    assert found.strange == sum(
        not isinstance(row, dict) or not isinstance(row.get("id"), str) or row is ORPHAN
        for row in rows
    )


def test_requests_of_a_round():
    caller = script([], [0])
    found = read_round(caller, "room@x", None, WINDOW, page_size=77)
    first, second = caller.calls
    assert first.target == (
        "/users/room@x/calendarView/delta"
        "?startDateTime=2026-11-01T00%3A00%3A00Z&endDateTime=2027-05-01T00%3A00%3A00Z"
    )
    assert {first.prefer, second.prefer} == {"odata.maxpagesize=77"}
    assert second.target == "https://graph.microsoft.com/v1.0/p0", "verbatim"
    again = Script([page([], deltaLink=END)])
    idle = read_round(again, "room@x", found.cursor, WINDOW)
    assert again.calls[0].target == END
    assert not idle.full
    assert idle.cursor == found.cursor


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        '{"m":"room@x","from":"a","to":"b"}',
        '{"link": 3, "m": 1, "from": 2, "to": 3}',
    ],
)
def test_a_cursor_that_is_none_is_void(cursor):
    with pytest.raises(CursorExpired):
        read_round(Script([]), "room@x", cursor, WINDOW)


@pytest.mark.parametrize("field", ["m", "from", "to"])
def test_a_cursor_is_bound_to_mailbox_and_window(field):
    good = json.loads(read_round(script([], []), "room@x", None, WINDOW).cursor)
    caller = script([], [])
    found = read_round(caller, "room@x", json.dumps({**good, field: "other"}), WINDOW)
    assert found.full
    assert caller.calls[0].target.startswith("/users/room@x/calendarView/delta?")


@pytest.mark.parametrize(
    "answers",
    [
        [page([], nextLink=END), page([], nextLink=END)],
        [page([])],
        [page([], nextLink=END, deltaLink=END)],
        [page([], nextLink=7)],
        [Answer(status=200, body={"value": 3, "@odata.deltaLink": END})],
        [Answer(status=200)],
    ],
)
def test_a_round_that_is_none_is_a_bad_answer(answers):
    with pytest.raises(BadAnswer):
        read_round(Script(answers), "room@x", None, WINDOW)

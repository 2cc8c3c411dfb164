"""Items of a mailbox that moved are known again by what a move keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.mapping.ews_uid import global_id_of, identity, uid_of
from calsync.model import (
    Absence,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Presence,
    Seen,
    Unknown,
    former_mark,
)
from calsync.reconcile.moved import (
    awaited,
    is_gone,
    put_in_place,
    rematch,
    under_new_keys,
    unlikely,
)
from calsync.reconcile.rebase import bury
from tests.unit.core.values import (
    NOW,
    WINDOW,
    agreed,
    at,
    buried,
    daily,
    gone,
    link,
    occ,
    seen,
    there,
)
from tests.unit.core.values import unknown as unread

HEAD = "040000008200E00074C5B7101A82E008"
REST = "00000000010203040000000000000000100000000123456789ABCDEF0123456789ABCDEF"
#: A series, and one of its dates as Graph names it where a room was invited to that alone.
SERIES, DATED = f"{HEAD}00000000{REST[8:]}{REST[:8]}", f"{HEAD}07EA0C01{REST[8:]}{REST[:8]}"


def was(number: int = 1, *, uid: str = "u", **more: Any) -> Link:
    """A link at rest, its event under the key of its former place."""
    what = occ(number, number + 1)
    event = there(what, key=f"old{number}", uid=uid, mark=90, **more)
    return link(there(what, key=f"b{number}"), event, base=what, id=f"x{number}")


def now(number: int = 1, *, uid: str = "u", key: str = "", **more: Any) -> Seen:
    return seen(occ(number, number + 1), key=key or f"new{number}", uid=uid, **more)


def keys(links: list[Link], rows: list[Any]) -> dict[str, str]:
    return {link_id: obs.key for link_id, obs in rematch(links, rows).found.items()}


def carried(links: list[Link], rows: list[Any]) -> dict[str, Link]:
    found = rematch(links, rows)
    changed = under_new_keys(links, found, window=WINDOW, zone="UTC", now=NOW)
    return {one.id: one for one in changed}


def test_by_its_global_id_and_with_nothing_else_changed() -> None:
    one = was()
    (moved,) = carried([one], [now()]).values()
    assert moved == replace(one, event=replace(one.event, key="new1", version="", mark=-1))
    assert rematch([one], [now()]).changed == ()


def test_what_people_changed_meanwhile_is_it_all_the_same() -> None:
    found = rematch([was()], [now(7, uid="u")])
    assert (found.found["x1"].key, found.changed) == ("new7", ("x1",))


def test_graph_names_the_date_and_ews_does_not() -> None:
    assert identity(SERIES) == identity(DATED)
    assert keys([was(uid=SERIES)], [now(uid=DATED)]) == {"x1": "new1"}
    assert keys([was(uid=DATED)], [now(uid=SERIES)]) == {"x1": "new1"}


@pytest.mark.parametrize("uid", ["cs1-a-b-c@calsync", SERIES, "", "{not hex", f"{HEAD}zz"])
def test_another_programs_uid_is_the_same_plain_and_wrapped(uid: str) -> None:
    assert identity(uid) == uid
    blob = global_id_of(uid)
    if blob is not None:
        from base64 import b64decode

        wrapped = b64decode(blob).hex().upper()
        assert identity(wrapped) == identity(uid_of(blob, "")) == uid


def test_among_several_of_one_id_each_is_what_stands_at_its_time() -> None:
    links = [was(1, uid=SERIES), was(3, uid=SERIES), was(5, uid=SERIES)]
    rows = [now(5, uid=DATED), now(3, uid=SERIES), now(1, uid=DATED)]
    assert keys(links, rows) == {"x1": "new1", "x3": "new3", "x5": "new5"}
    # One of them was moved: it is what is left.
    rows[1] = now(9, uid=SERIES)
    assert keys(links, rows) == {"x1": "new1", "x3": "new9", "x5": "new5"}
    # One item is never that of two links.
    assert keys(links, rows[:1]) == {"x5": "new5"}


def test_the_id_that_is_spelled_the_same_says_more_than_one_that_means_the_same() -> None:
    """Where both were moved, so that no time tells them apart."""
    rows = [now(7, uid=DATED, created=at(1)), now(8, uid=SERIES, created=at(2))]
    assert keys([was(1, uid=SERIES)], rows) == {"x1": "new8"}
    assert keys([was(1, uid=DATED)], rows) == {"x1": "new7"}
    assert keys([was(1, uid=SERIES)], rows[:1]) == {"x1": "new7"}, "it is the only one"


def test_of_two_at_its_time_it_is_the_one_that_says_all_the_same() -> None:
    renamed = seen(occ(1, 2, title="new"), key="old", uid=SERIES, created=at(1))
    same = now(1, key="same", uid=SERIES, created=at(2))
    assert keys([was(1, uid=SERIES)], [renamed, same]) == {"x1": "same"}
    other = now(1, key="other", uid=DATED, created=at(1))
    assert keys([was(1, uid=SERIES)], [other, same]) == {"x1": "same"}, "spelled the same, too"


def test_of_several_that_say_the_same_the_older_one_is_that_of_the_older_link() -> None:
    first, second = was(1, created=at(1)), replace(was(1, created=at(2)), id="x0")
    rows = [now(1, key="late", created=at(9)), now(1, key="early", created=at(8))]
    assert keys([second, first], rows) == {"x1": "early", "x0": "late"}
    alphabetical = [now(1, key="a", created=at(9)), now(1, key="b", created=at(8))]
    assert keys([second, first], alphabetical) == {"x1": "b", "x0": "a"}
    ageless = replace(was(1, created=None), id="z")
    assert keys([first, ageless], rows) == {"z": "early", "x1": "late"}
    for at_once in ([now(1, key="a"), now(1, key="b")], [now(1, key="b"), now(1, key="a")]):
        assert keys([was(1)], at_once) == {"x1": "a"}
    twins = [replace(was(1, created=at(1)), id=name) for name in ("b", "a")]
    for order in (twins, twins[::-1]):
        assert keys(order, rows) == {"a": "early", "b": "late"}


def test_what_shows_what_it_showed_last_is_not_changed_by_the_move() -> None:
    """Though the other side does not have it yet; and where it could not be read, what was agreed
    on is what is known."""
    edited = was(1)
    edited = replace(edited, event=there(occ(7, 8), key="old1", uid="u"))
    assert rematch([edited], [now(7)]).changed == ()
    assert rematch([edited], [now(1)]).changed == ("x1",)
    dark = replace(was(1), event=unread(key="old1", uid="u"))
    assert rematch([dark], [now(1)]).changed == ()
    assert rematch([dark], [now(7)]).changed == ("x1",)


def test_what_still_has_time_to_come_was_deleted() -> None:
    running = link(event=there(occ(-1, 1), key="r", uid="r"), base=occ(-1, 1), id="running")
    assert set(carried([running], [])) == {"running"}
    over = replace(running, event=there(occ(-1, 0), key="r", uid="r"), base=occ(-1, 0))
    assert carried([over], []) == {}
    endless = daily(-100, -99, count=None)
    always = link(event=there(endless, key="s", uid="s"), base=endless, id="series")
    assert set(carried([always], [])) == {"series"}


def test_where_no_id_was_known_the_tag_says_it() -> None:
    assert keys([was(uid="")], [now(7, uid="n", tag="x1")]) == {"x1": "new7"}
    assert keys([was(uid="")], [now(1, uid="n")]) == {}
    assert keys([was(uid="")], [now(1, uid="")]) == {}, "two without an id do not share it"


def test_of_what_was_never_understood_nothing_is_known_to_have_changed() -> None:
    dark = link(there(occ(1, 2), key="b"), unread(key="old", uid=SERIES))
    for uid in (SERIES, DATED):
        found = rematch([dark], [now(7, uid=uid)])
        assert (found.found["x"].key, found.changed) == ("new7", ())
    assert carried([dark], [])["x"].event.presence is Presence.GONE, "it may be yet to come"


def test_what_cannot_be_read_there_is_no_item_of_any_link() -> None:
    rows = [Unknown(key="dark", reason="corrupt"), now(), Gone(key="g", absence=Absence.READ)]
    assert keys([was()], rows) == {"x1": "new1"}


def test_what_is_not_there_any_more_was_deleted_unless_it_is_over() -> None:
    past = link(event=there(occ(-30, -29), key="p", uid="p"), base=occ(-30, -29), id="past")
    moved = carried([was(), past], [])
    assert set(moved) == {"x1"}
    reason = Absence.DELETED.value
    assert moved["x1"].event == gone(key="old1", mark=91, uid="u", version="v90", created=at(0),
                                     since=at(0), reason=reason)  # fmt: skip
    assert is_gone(there(occ(1, 2), key="k")) == Gone(key="k", absence=Absence.DELETED)
    assert is_gone(Half()) == Gone(key="", absence=Absence.DELETED)


def test_what_was_never_read_shows_as_new() -> None:
    secret = link(Half(), unread(key="s"), id="s")
    assert awaited([secret]) == []
    moved = carried([secret], [])["s"]
    assert (moved.state, moved.event.key) == (LinkState.BURIED, None)
    same = link(Half(), unread(key="new1"), id="s")
    moved = carried([same, was()], [now()])["s"]
    assert (moved.state, moved.event.key) == (LinkState.BURIED, None), "the key came again"


def test_a_tombstone_gives_up_a_key_that_comes_again() -> None:
    tomb = buried(id="t")
    assert carried([tomb, was()], [now(key="e")])["t"].event.key is None
    assert "t" not in carried([tomb, was()], [now()])


def test_what_cannot_be_read_at_the_new_place_is_unknown_there() -> None:
    found = replace(
        rematch([was()], []), found={"x1": Unknown(key="new", reason="corrupt")}, missing=()
    )
    (moved,) = under_new_keys([was()], found, window=WINDOW, zone="UTC", now=NOW)
    assert moved.event == unread(key="new", mark=-1, reason="corrupt", uid="u", created=at(0),
                                 since=at(0))  # fmt: skip


# --- made in place of another, in doubt ----------------------------------------------------------


def in_doubt() -> Link:
    """Its booking was moved to 7; the event is to be made anew there."""
    one = was()
    return replace(one, booking=there(occ(7, 8), key="b1"), in_flight=True)


def place(
    links: list[Link], rows: list[Any], *, maker: str = "us"
) -> tuple[dict[str, Link], set[str]]:
    wanted = seen(occ(7, 8)).fingerprint
    return put_in_place(links, rows, NOW, changing={"x1": wanted}, maker=maker)


def test_what_replaces_an_item_names_it() -> None:
    new = now(7, uid="other", tag="x1", replaces=former_mark("old1"))
    held, taken = place([in_doubt()], [new, now()])
    assert taken == {"new7"}
    assert held["x1"].event.key == "new7"
    (former,) = (one for one in held.values() if one.id != "x1")
    assert (former.event.key, former.booking.presence) == ("old1", Presence.GONE)


@pytest.mark.parametrize(
    ("new", "ours"),
    [
        (now(7, uid="n", maker="us", created=at(5)), True),
        (now(8, uid="n", maker="us", created=at(5)), False),
        (now(7, uid="n", maker="us", created=at(5), tag="x9"), False),
        (now(7, uid="n", maker="them", created=at(5)), False),
        (now(7, uid="n", created=at(5)), False),
        (now(7, uid="n", maker="us"), False),
        (now(7, uid="u", maker="us", created=at(5)), False),
        (now(7, uid="n", maker="us", created=at(5), owned=False), False),
    ],
    ids=[
        "it",
        "other time",
        "of another link",
        "another calsync",
        "a person",
        "older",
        "itself",
        "invited",
    ],
)
def test_what_ews_does_not_tell_of_an_item_that_graph_made(new: Seen, ours: bool) -> None:
    held, taken = place([in_doubt()], [new])
    assert taken == ({new.key} if ours else set())
    assert (held["x1"].event.key == new.key) is ours


@pytest.mark.parametrize("moved_on", [False, True])
def test_what_was_to_be_made_is_it_whatever_people_changed_since(moved_on: bool) -> None:
    """In the item (its title), or on the booking, which has moved on."""
    made = now(7, uid="n", maker="us", created=at(5))
    if moved_on:
        one = replace(in_doubt(), booking=there(occ(12, 13), key="b1"))
    else:
        one, renamed = in_doubt(), seen(occ(7, 8, title="new"))
        made = replace(made, occupancy=renamed.occupancy, fingerprint=renamed.fingerprint)
    assert place([one], [made])[1] == {"new7"}


def test_what_does_not_replace_it_is_not_put_in_its_place() -> None:
    one = in_doubt()
    dark: list[Observation] = [Unknown(key="d", reason="r"), Gone(key="g", absence=Absence.READ)]
    copy = now(7, uid="other", tag="x1", replaces=former_mark("another"))
    assert place([one], [*dark, copy, now(7, key="new", tag="x1")]) == ({"x1": one}, set())


def test_an_installation_without_a_mark_knows_nothing_as_its_own() -> None:
    made = now(7, uid="n", created=at(5))
    assert place([in_doubt()], [made], maker="")[1] == set()


@pytest.mark.parametrize(("booked", "evented", "ours"), [(9, 0, True), (0, 8, False)])
def test_it_was_made_after_the_event_whenever_it_was_booked(
    booked: int, evented: int, ours: bool
) -> None:
    one = in_doubt()
    one = replace(
        one,
        booking=replace(one.booking, created=at(booked)),
        event=replace(one.event, created=at(evented)),
    )
    made = now(7, uid="n", maker="us", created=at(5))
    assert place([one], [made])[1] == ({"new7"} if ours else set())


def test_without_its_booking_only_what_was_to_be_made_is_it() -> None:
    one = replace(in_doubt(), booking=gone(key="b1"))
    made = now(7, uid="n", maker="us", created=at(5))
    assert place([one], [made])[1] == {"new7"}
    assert place([one], [replace(now(8, uid="n", maker="us"), created=at(5))])[1] == set()


def test_what_was_never_there_is_replaced_by_nothing() -> None:
    one = replace(in_doubt(), event=Half(created=at(0)))
    assert place([one], [now(7, uid="n", maker="us", created=at(5))]) == ({"x1": one}, set())


def test_a_link_whose_age_is_not_known_waits_for_nothing_here() -> None:
    ageless = in_doubt()
    ageless = replace(ageless, event=replace(ageless.event, created=None))
    assert place([ageless], [now(7, uid="n", maker="us", created=at(5))])[1] == set()
    assert place([], [now(7, uid="n", maker="us", created=at(5))])[1] == set()
    nobodys = now(7, uid="n", tag="x9", replaces=former_mark("old1"))
    assert place([in_doubt()], [nobodys])[1] == set()


def test_a_copy_of_what_was_made_is_not_it() -> None:
    first = now(7, uid="n", maker="us", created=at(5))
    copy = now(7, uid="m", key="copy", maker="us", created=at(6))
    assert place([in_doubt()], [copy, first])[1] == {"new7"}
    at_once = replace(copy, created=at(5))
    for rows in ([first, at_once], [at_once, first]):
        assert place([in_doubt()], rows)[1] == {"copy"}, "by their keys, however they are listed"


# --- is it the mailbox that moved? ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "there_are", "asks"), [(0, 0, False), (1, 0, True), (5, 1, False), (6, 1, True)]
)
def test_a_mailbox_that_lacks_too_much_is_not_it(lost: int, there_are: int, asks: bool) -> None:
    links = [was(n, uid=f"u{n}") for n in range(lost + there_are)]
    rows = [now(n, uid=f"u{n}") for n in range(lost, lost + there_are)]
    says = unlikely(links, rematch(links, rows), lost, 5)
    told = f"of {len(links)} meetings that are linked, {lost} are not in that mailbox (at most 5 "
    assert says.startswith(told) if asks else says == ""


def test_what_is_gone_already_is_not_looked_for() -> None:
    gone_ = link(there(occ(1, 2), key="b"), gone(key="e"), base=occ(1, 2))
    theirs = link(there(occ(1, 2), key="b"), there(occ(1, 2), key="~e"), base=occ(1, 2))
    assert awaited([theirs, bury(agreed(occ(1, 2)))]) == []
    assert awaited([gone_, buried(id="t"), agreed(occ(3, 4), id="y")]) == [
        agreed(occ(3, 4), id="y")
    ]

"""Reading events: from raw JSON to observations, with a second look before "gone"."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calsync.adapters.graph.box import Box
from calsync.adapters.graph.errors import as_error, check, judge
from calsync.adapters.graph.links import is_id
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.seal import said_by_uid
from calsync.adapters.shared.theirs import dates_refused, with_answer, with_dates_refused
from calsync.adapters.wrap.port import Answer
from calsync.errors import BadAnswer
from calsync.mapping import zones
from calsync.mapping.event import TAG_PREFIX, home_name, needs_instances, read_event
from calsync.model import Absence, Gone, Observation, Seen, Unknown, Window, former_mark

log = logging.getLogger(__name__)
_DIGITS = re.compile(r"(\.\d{6})\d+")
_CLOSED = frozenset({Meaning.SIGN_IN, Meaning.DENIED, Meaning.MAILBOX})
#: About the way to the item, not about the item: it is asked for again.
_COMING_BACK = frozenset(
    {Meaning.THROTTLED, Meaning.PASSING, Meaning.DEPENDENCY, Meaning.REDIRECT, Meaning.FULL}
)
_MOST_PAGES = 200
#: Of a span that is listed at once.
_LONGEST_SPAN = timedelta(days=1825)
#: Sets off the part of a transactionId that tells a second creation of one link from the first.
_AGAIN = "~"


def as_it_lies(box: Box, raw: Mapping[str, Any]) -> Observation:
    """What a meeting in a person's calendar says, whether the room is asked to it or not."""
    return read_raw(box, raw, asked=False)


def read_raw(box: Box, raw: Mapping[str, Any], *, asked: bool = True) -> Observation:
    """What one event says. A master is read with its exceptions and removed dates: from its own
    members, or from its instances where the cloud (or the answer) lacks these, or where nothing
    else tells when it takes place."""
    listed: list[dict[str, Any]] | None = None
    span: Window | None = None
    raw = _by_its_own_clock(box, raw)
    zone = home_name(raw) or "UTC"
    try:
        raw = _with_all_changed(box, raw, zone)
        if raw.get("type") == "seriesMaster" and (
            not isinstance(raw.get("cancelledOccurrences"), list) or needs_instances(raw)
        ):
            span = _listing_span(box, raw)
            listed = list(instances(box, str(raw.get("id", "")), span, zone=zone))
    except _Refused as error:
        # Of this one item: the mailbox itself answers, and asking again says the same.
        return Unknown(key=str(raw.get("id", "")), reason=error.what, poison=True)
    if box.at:
        raw = with_dates_refused(raw, box.pair.mailbox)
    if box.at and listed is not None:
        listed = dates_refused(listed, box.pair.mailbox)
    seen = read_event(
        raw,
        titles=box.pair.titles,
        room_zone=box.pair.zone,
        instances=listed,
        span=span,
        subject_fallback=box.subject_fallback,
        people=box.counts_people,
        meeting=box.counts_people and bool(box.at),
    )
    if box.at and asked:
        seen = with_answer(raw, seen, box.pair.mailbox)
    return _marked(box, seen) if isinstance(seen, Seen) else seen


def _marked(box: Box, seen: Seen) -> Seen:
    """The tag is what the transactionId says; or, of an item that we made on an Exchange Server
    before its mailbox moved to the cloud, the uid."""
    if seen.tag is not None:
        if not seen.owned:
            return replace(seen, tag=None)
        sealed, _, former = seen.tag.partition(_AGAIN)
        mark = box.opened(sealed)
        replaces = former if mark.tag is not None else ""
        return replace(seen, tag=mark.tag, maker=mark.maker, replaces=replaces)
    named = said_by_uid(seen.uid, box.opened) if seen.owned else None
    if named is not None:
        mark, replaces = named
        return replace(seen, tag=mark.tag, maker=mark.maker, replaces=replaces)
    return seen


def _with_all_changed(box: Box, raw: Mapping[str, Any], zone: str) -> Mapping[str, Any]:
    """A master with all of its changed dates: a link says where those go on that did not come with
    it (OData JSON Format, nextLink). Without them the series would read as unchanged there."""
    told, link = raw.get("exceptionOccurrences"), raw.get("exceptionOccurrences@odata.nextLink")
    if not (isinstance(told, list) and isinstance(link, str) and link):
        return raw
    rest = pages(box, link, operation="changed dates", zone=zone)
    return {**raw, "exceptionOccurrences": [*told, *rest]}


def _by_its_own_clock(box: Box, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A timed series as told in the zone where its wall time repeats, anything else in UTC.

    The wall time is what a series is made of, and this host's table of the zone may be older or
    newer than the server's: turned into UTC by one and back by the other, the whole series
    would stand an hour off.
    """
    wanted = _other_zone(raw)
    if wanted is None:
        return raw
    answer = box.get_event(str(raw.get("id", "")), zone=wanted)
    if not answer.ok and judge(answer).meaning is Meaning.GONE:
        return raw
    return check(answer, box.mailbox)


def _other_zone(raw: Mapping[str, Any]) -> str | None:
    """The zone (by Graph's name) in which an event must be told, where it was told in another."""
    start = raw.get("start")
    told = start.get("timeZone") if isinstance(start, dict) else None
    wanted = home_name(raw) or "UTC"
    if not isinstance(start, dict) or not isinstance(told, str) or told == wanted:
        return None
    if raw.get("isAllDay") is True and str(start.get("dateTime"))[11:19] == "00:00:00":
        return None  # dates are the same everywhere
    return None if zones.canonical(told) == zones.canonical(wanted) else wanted


class _Refused(BadAnswer):
    """Graph will not take the request as it is, now or later."""


def _listing_span(box: Box, raw: Mapping[str, Any]) -> Window:
    """From the first date of the series, so that what was removed long ago stays removed, to a
    horizon that moves by months and not by the second: the instances are part of the version."""
    first = raw.get("start")
    began = utc(first.get("dateTime")) if isinstance(first, dict) else None
    month = box.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = month.replace(year=month.year + 2)
    oldest = month.replace(year=month.year - 10)
    start = min(max(began or oldest, oldest), month) - timedelta(days=1)
    return Window(start, end)


def instances(box: Box, key: str, span: Window, *, zone: str = "UTC") -> Iterator[dict[str, Any]]:
    """The occurrences and exceptions of a series that meet the span; removed ones are missing.

    In pieces: Graph lists five years of a calendar at most (microsoft-graph-docs #6284); whether it
    lists more of a series, no document says.
    """
    told: set[str] = set()
    start = span.start
    while start < span.end:
        end = min(start + _LONGEST_SPAN, span.end)
        for row in pages(box, box.instances(key, start, end), operation="instances", zone=zone):
            one = row.get("id")
            if not isinstance(one, str) or one not in told:
                yield row
            if isinstance(one, str):  # what lasts from a piece into the next comes twice
                told.add(one)
        start = end


def pages(box: Box, target: str, *, operation: str, zone: str = "UTC") -> Iterator[dict[str, Any]]:
    """All rows of a list. Raises what a refusal means (``_Refused`` for a wrong request), and
    BadAnswer for pages without an end."""
    followed: set[str] = set()
    link: Any = target
    while isinstance(link, str) and link:
        if link in followed or len(followed) >= _MOST_PAGES:
            raise BadAnswer("the pages do not come to an end", where=box.mailbox)
        followed.add(link)
        answer = box.get(link, operation=operation, zone=zone)
        if not answer.ok and (verdict := judge(answer)).meaning is Meaning.INPUT:
            what = f"{verdict.row.what} ({verdict.code or answer.status})"
            raise _Refused(what, where=box.mailbox, todo=verdict.row.todo)
        body = check(answer, box.mailbox)
        rows = body.get("value")
        if not isinstance(rows, list):
            raise BadAnswer("a page has no list of events", where=box.mailbox)
        yield from (row for row in rows if isinstance(row, dict))
        link = body.get("@odata.nextLink")


def read_keys(box: Box, keys: Sequence[str]) -> list[Observation]:
    """A targeted read of each key. ``Gone`` needs a 404 for the event while the mailbox itself
    still answers: a lost permission looks the same (ErrorItemNotFound). Raises where the
    mailbox is closed to us, or Graph asks to wait."""
    found: list[Observation] = []
    alive: bool | None = None
    for key, answer in zip(keys, box.get_events(keys, operation="read event"), strict=True):
        seen = one_answer(box, key, answer)
        if isinstance(seen, Gone) and seen.absence is Absence.READ:
            alive = box.answers() if alive is None else alive
            if not alive:
                seen = Unknown(key=key, reason="not found, but the mailbox does not answer either")
        found.append(seen)
    return found


def one_answer(box: Box, key: str, answer: Answer | None) -> Observation:
    """The observation an answer to a GET of one event amounts to. ``Gone(READ)`` is unconfirmed."""
    if answer is None:
        return Unknown(key=key, reason="the batch had no answer for it")
    if answer.ok:
        if answer.body is None or not is_id(answer.body.get("id")):
            return Unknown(key=key, reason="the answer was no event")
        # The id as we asked for it stays the key, also where a mailbox spells it anew.
        return _under(key, read_raw(box, answer.body))
    verdict = judge(answer)
    if verdict.meaning is Meaning.GONE:
        return Gone(key=key, absence=Absence.READ)
    if verdict.meaning in _CLOSED:
        raise as_error(verdict, box.mailbox)
    if answer.throttled:
        raise as_error(verdict, box.mailbox)
    if verdict.meaning in _COMING_BACK:
        return Unknown(key=key, reason=f"{verdict.row.what} ({verdict.code or answer.status})")
    if answer.status == 400 and box.cloud.series_parts:
        plain = box.get_plain(key)
        if plain.status != 400:
            return one_answer(box, key, plain)
    return Unknown(
        key=key, reason=f"{verdict.row.what} ({verdict.code or answer.status})", poison=True
    )


def _under(key: str, seen: Observation) -> Observation:
    return seen if seen.key == key else replace(seen, key=key)


def read_series(box: Box, keys: Iterable[str]) -> tuple[list[Observation], list[str]]:
    """Masters that a round touched: what they say, and the keys of those that are not found.

    A passing failure raises, because the cursor must not move past a change that was not read;
    only a master that fails alone, again and again, is left behind, unknown: it is then asked
    for in every cycle.
    """
    wanted = list(keys)
    found: list[Observation] = []
    missing: list[str] = []
    for key, answer in zip(wanted, _masters(box, wanted), strict=True):
        seen = one_answer(box, key, answer)
        if isinstance(seen, Unknown) and not seen.poison:
            seen = _once_more(box, key, seen)
        if isinstance(seen, Gone) and seen.absence is Absence.READ:
            missing.append(key)
        else:
            found.append(seen)
    return found, missing


def _masters(box: Box, keys: list[str]) -> list[Answer | None]:
    """Masters, each by the clock of its own zone: nearly all repeat in that of their room."""
    answers = box.get_events(keys, operation="read series", zone=box.zone)
    elsewhere: dict[str, list[int]] = {}
    for index, answer in enumerate(answers):
        zone = (
            _other_zone(answer.body) if answer is not None and answer.ok and answer.body else None
        )
        if zone is not None:
            elsewhere.setdefault(zone, []).append(index)
    for zone, places in elsewhere.items():
        again = box.get_events([keys[i] for i in places], operation="read series", zone=zone)
        for index, answer in zip(places, again, strict=True):
            answers[index] = answer
    return answers


def _once_more(box: Box, key: str, failed: Unknown) -> Observation:
    answer = box.get_events([key], operation="read series", zone=box.zone)[0]
    seen = one_answer(box, key, answer)
    if not isinstance(seen, Unknown) or seen.poison:
        return seen
    if not box.answers():
        assert answer is not None
        raise as_error(judge(answer), box.mailbox)
    log.warning("one series cannot be read while its mailbox answers: %s", failed.reason)
    # Not poison: it was not shown to be beyond reading. It is asked for again in every cycle.
    return seen


def find_tag(box: Box, tag: str) -> Observation | None:
    """The event that carries our tag: by the extended property, else by the transactionId it was
    created with (a create may be stored without its property). None if there is none.

    The property goes along with a copy made in Outlook, the transactionId does not: of several,
    the one that has both is ours, else the oldest. What somebody else organizes never is.
    """
    rows = pages(box, box.tagged(tag), operation="find")
    keys = [row["id"] for row in rows if is_id(row.get("id"))]
    if not keys:
        keys = by_transaction(box, transaction_id(box, tag))
    found = [s for s in read_keys(box, keys) if isinstance(s, Seen) and s.owned] if keys else []
    if not found:
        return None
    ours = min(found, key=lambda seen: (seen.tag != tag, seen.created, seen.key))
    return replace(ours, tag=tag)


def keys_of(box: Box, uids: Sequence[str]) -> list[str]:
    """Keys of the events that have these iCalUIds. Raises where that cannot be told just now; a
    uid that Graph will not look up counts as none."""
    answers = box.get_each([box.named(uid) for uid in uids], operation="find")
    keys: dict[str, None] = {}
    for answer in answers:
        if answer is None:
            raise BadAnswer("the batch had no answer for one of its parts", where=box.mailbox)
        if answer.status == 400:
            continue
        rows = check(answer, box.mailbox).get("value")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and is_id(row.get("id")):
                keys[row["id"]] = None
    return list(keys)


def by_transaction(box: Box, transaction: str) -> list[str]:
    """Keys of events created under a transactionId. That the member can be filtered is not
    documented: a refusal counts as none, and the caller looks further or tries again."""
    answer = box.get(box.created_by(transaction), operation="find")
    if answer.status == 400 or (answer.ok and answer.body is None):
        return []
    rows = check(answer, box.mailbox).get("value")
    return [row["id"] for row in rows or () if isinstance(row, dict) and is_id(row.get("id"))]


def transaction_id(box: Box, tag: str, former_key: str | None = None) -> str:
    """The idempotency key of a create. A link whose former event is gone for good is created
    again under another one: Graph refuses a key that was used, also by a deleted event."""
    plain = f"{TAG_PREFIX}{box.sealed(tag)}"
    if former_key is None:
        return plain
    return f"{plain}{_AGAIN}{former_mark(former_key)}"


def utc(text: object) -> datetime | None:
    """A Graph timestamp, or a dateTime told in UTC, as an aware datetime; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        # Seven digits come, six are read everywhere.
        at = datetime.fromisoformat(_DIGITS.sub(r"\1", text))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

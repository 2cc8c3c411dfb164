"""Laws of the forms: canonical text, RRULE, titles, zones."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tzlocal.windows_tz import tz_win, win_tz

from calsync.errors import MappingError
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical, canonical_occupancy
from calsync.mapping.fingerprint import dumps, fingerprint, loads
from calsync.mapping.rrule import format_rrule, parse_rrule
from calsync.mapping.text import clean_title
from calsync.model import Occupancy
from tests.properties.mapping_strategies import ZONES, law, occupancies, rules, series, starts

FAR = date(2040, 1, 1)


@law
@given(occupancies)
def test_canonical_text_comes_back_equal(occ: Occupancy) -> None:
    assert loads(dumps(occ)) == occ
    assert dumps(loads(dumps(occ))) == dumps(occ)


@law
@given(occupancies, occupancies)
def test_fingerprints_are_equal_just_where_occupancies_are(one: Occupancy, two: Occupancy) -> None:
    assert (one == two) == (fingerprint(one) == fingerprint(two))
    assert fingerprint(loads(dumps(one))) == fingerprint(one)


@law
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_title_has_its_own_fingerprint(one: str, two: str) -> None:
    def with_title(title: str) -> Occupancy:
        at = datetime(2026, 1, 1)
        return Occupancy(start=at, end=at, zone="UTC", title=title)

    assert (one == two) == (fingerprint(with_title(one)) == fingerprint(with_title(two)))
    assert loads(dumps(with_title(one))).title == one


@law
@given(st.data(), starts, st.sampled_from(ZONES), st.booleans())
def test_rrule_text_comes_back_equal(
    data: st.DataObject, start: datetime, zone: str, all_day: bool
) -> None:
    start = datetime.combine(start.date(), datetime.min.time()) if all_day else start
    rule = canonical(data.draw(rules(start.date())), start)
    if dates.first(rule, start.date()) is None:
        return
    text = format_rrule(rule, start=start, zone=zone, all_day=all_day)
    assert parse_rrule(text, start=start, zone=zone, all_day=all_day) == rule


@law
@given(st.data(), starts)
def test_canonical_form_keeps_the_dates_and_rests(data: st.DataObject, start: datetime) -> None:
    rule, day = data.draw(rules(start.date())), start.date()
    made = canonical(rule, start)
    assert list(dates.dates(made, day, day, FAR)) == list(dates.dates(rule, day, day, FAR))
    assert canonical(made, start) == made


@law
@given(series())
def test_canonical_occupancy_rests(occ: Occupancy) -> None:
    assert canonical_occupancy(occ) == occ


@law
@given(st.text())
def test_any_text_may_name_a_zone(name: str) -> None:
    zone = zones.resolve(name)
    assert zone.raw == name[:128]
    if zone.iana is not None:
        zones.zone_info(zone.iana)
    zones.to_windows(name)


def test_every_name_of_the_tables_resolves() -> None:
    for name, iana in win_tz.items():
        found = zones.resolve(name).iana
        assert found is not None
        assert found == (iana if iana != "Etc/UTC" else "UTC")
        assert zones.to_windows(found) == name
        assert zones.resolve(name.upper()).iana == found
    for iana, name in tz_win.items():
        if iana:
            assert zones.to_windows(iana) == name


@law
@given(st.sampled_from(ZONES), st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)))
def test_an_instant_survives_its_wall_time_except_in_the_second_hour(
    zone: str, at: datetime
) -> None:
    wall = zones.to_wall(at.replace(tzinfo=UTC), zone)
    lost = at.replace(tzinfo=UTC) - zones.to_utc(wall, zone)
    assert timedelta(0) <= lost <= timedelta(hours=1)
    assert zones.to_wall(zones.to_utc(wall, zone), zone) == wall


@law
@given(st.text(alphabet=st.characters(), max_size=600))
def test_a_clean_title_stays_as_it_is(raw: str) -> None:
    title = clean_title(raw)
    assert clean_title(title) == title
    if title is not None:
        assert title == title.strip()
        assert len(title.encode("utf-16-le")) <= 2 * 255
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in title)


BOMBS = (
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=10000",
    "FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=10000",
    "FREQ=MONTHLY;INTERVAL=999;BYDAY=5MO;BYMONTHDAY=29;COUNT=10000",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31;COUNT=10000",
    "FREQ=YEARLY;BYDAY=53MO;BYSETPOS=366",
    "FREQ=DAILY;COUNT=10000",
    "FREQ=WEEKLY;INTERVAL=999;BYDAY=MO;BYMONTH=2;BYSETPOS=-7;UNTIL=99991231",
    "FREQ=DAILY;COUNT=99999999999",
    "FREQ=SECONDLY",
    "FREQ=DAILY;" + "BYMONTHDAY=" + ",".join(["1"] * 5000),
    ";" * 500,
    "FREQ=DAILY;UNTIL=00010101",
)


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_costs_little(text: str) -> None:
    begun = perf_counter()
    start = datetime(1601, 1, 1, 9)
    try:
        rule = parse_rrule(text, start=start, zone="Europe/Berlin", all_day=False)
        list(dates.dates(rule, start.date(), date(2026, 1, 1), date(2026, 2, 1)))
    except MappingError:
        pass  # refused is as good: only the time counts here
    assert perf_counter() - begun < 1.5


@law
@given(st.text(max_size=80))
def test_garbage_is_refused_with_advice(text: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse_rrule(text, start=datetime(2026, 1, 1), zone=None, all_day=False)
    assert refused.value.todo

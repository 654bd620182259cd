"""Business days and deadlines, in the workspace's own time."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warning.hours import Hours, home_of, read_clock

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
PLACES = st.sampled_from(
    [Hours(), Hours("Asia/Shanghai", "CN"), Hours("America/New_York", "US"), Hours("Europe/Berlin", "DE")]
)


@settings(deadline=None)  # a calendar is read at its first use
@given(at=MOMENTS, hours=PLACES)
def test_a_deadline_is_the_next_closing_time_of_a_business_day(at: datetime, hours: Hours) -> None:
    found = hours.deadline(at)
    here = found.astimezone(hours.zone)
    assert here.time() == time(18)
    assert hours.is_business_day(here.date())
    assert found > at
    day = at.astimezone(hours.zone).date()
    while day < here.date():  # every day before is free, or had closed already
        closed = datetime.combine(day, time(18), hours.zone)
        assert not hours.is_business_day(day) or closed <= at
        day += timedelta(days=1)


def test_nothing_stays_overnight_but_nobody_works_on_a_holiday() -> None:
    shanghai = Hours("Asia/Shanghai", "CN")
    # 30 September 2024 was a Monday before a week of holidays; it was 09:00 there, 01:00 UTC.
    assert shanghai.deadline(datetime(2024, 9, 30, 1, tzinfo=UTC)) == datetime(2024, 9, 30, 10, tzinfo=UTC)
    # After closing: the next business day is the eighth of October.
    assert shanghai.deadline(datetime(2024, 9, 30, 10, tzinfo=UTC)) == datetime(2024, 10, 8, 10, tzinfo=UTC)
    assert not Hours("Europe/Berlin", "DE").is_business_day(date(2026, 10, 3))
    assert not Hours(country="DE").is_business_day(date(2026, 12, 25))
    assert Hours(country="XX").is_business_day(date(2026, 12, 25))  # nobody knows its holidays


def test_a_day_that_begins_or_ends_summer_time_closes_at_six_all_the_same() -> None:
    berlin = Hours("Europe/Berlin", workdays=("saturday", "sunday"))
    before = berlin.deadline(datetime(2026, 3, 28, 8, tzinfo=UTC))
    after = berlin.deadline(before)
    assert (after - before).total_seconds() == 23 * 3600


def test_a_country_has_the_time_zone_of_its_largest_part() -> None:
    assert home_of("JP") == "Asia/Tokyo"
    assert home_of("US") == "America/New_York"
    assert home_of("XX") == "UTC"


@pytest.mark.parametrize("text", ["7", "7:3o", "25:00", "noon", ""])
def test_a_time_of_day_is_written_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"07:30|hour must be"):
        read_clock(text)

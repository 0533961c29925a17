from __future__ import annotations

import pytest

from apps.finance_sentiment.rows import DAY, HOUR, MINUTE
from apps.finance_sentiment.windows import MOST_BUCKETS, STEPS, Window, instant, window
from core.errors import InputError

NOW = 1_772_442_123


def asked(start: str | None = None, end: str | None = None, bucket: str = "auto") -> Window:
    return window(start, end, bucket, NOW, minute_days=35)


def test_times_are_seconds_or_iso_and_without_an_offset_utc() -> None:
    assert instant("start", "1772442000") == 1_772_442_000
    assert instant("start", "2026-03-02T09:00:00Z") == 1_772_442_000
    assert instant("start", "2026-03-02T09:00:00") == 1_772_442_000
    assert instant("start", "2026-03-02T17:00:00+08:00") == 1_772_442_000


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "1e9", "١٧٧٢٤٤٢٠٠٠", "12", "9" * 12, "0001-01-01", "2026-13-01", "9999-12-31T23:59:59-23:59"],
)
def test_no_time_or_one_outside_the_years_is_named(text: str) -> None:
    with pytest.raises(InputError, match="start is"):
        instant("start", text)


def test_nothing_given_is_the_last_day_in_whole_buckets() -> None:
    found = asked()
    assert found.seconds == 15 * MINUTE
    assert found.start <= NOW - DAY < found.start + found.seconds
    assert found.end - found.seconds < NOW <= found.end


@pytest.mark.parametrize("days", [0.01, 0.3, 1, 3, 10, 34, 90, 400, 3000])
def test_auto_makes_a_picture_of_at_most_some_hundred_buckets(days: float) -> None:
    found = asked(str(int(NOW - days * DAY)))
    assert found.seconds in STEPS
    assert 1 <= found.buckets <= 500


def test_minutes_that_are_forgotten_are_not_shown_as_empty() -> None:
    old = str(NOW - 40 * DAY)
    assert asked(old, str(NOW - 40 * DAY + HOUR)).seconds == HOUR
    with pytest.raises(InputError, match="kept for 35 days"):
        asked(old, str(NOW - 40 * DAY + HOUR), "60")
    assert asked(old, str(NOW - 40 * DAY + HOUR), "7200").seconds == 7200


@pytest.mark.parametrize("bucket", ["", "0", "59", "90", "86401", "864000", "-60", "60.0", "hour"])
def test_a_bucket_of_no_use_is_refused(bucket: str) -> None:
    with pytest.raises(InputError, match="bucket is"):
        asked(bucket=bucket)


def test_bounds_the_wrong_way_round_and_too_many_buckets_are_refused() -> None:
    with pytest.raises(InputError, match="not before"):
        asked(str(NOW), str(NOW - 1))
    with pytest.raises(InputError, match=str(MOST_BUCKETS)):
        asked(str(NOW - 30 * DAY), bucket="60")


def test_the_time_before_touches_and_is_as_long() -> None:
    found = asked()
    assert found.before().end == found.start
    assert found.before().buckets == found.buckets


def test_coarser_buckets_cover_the_same_time_and_end_where_few_are_left() -> None:
    found: Window | None = asked()
    seen = []
    while found:
        seen.append(found.seconds)
        assert found.start <= NOW - DAY and found.end >= NOW and not found.start % found.seconds
        found = found.coarser()
    assert seen == [900, 1800, 3600]

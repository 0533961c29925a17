from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.finance_sentiment.demo import DAYS, PREFIX, demo_texts

NOW = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)


def test_the_demonstration_ends_now_and_says_that_it_is_one() -> None:
    texts = demo_texts(NOW)
    assert 500 < len(texts) < 3000
    assert all(text.source.startswith(PREFIX) for text in texts)
    arrivals = [text.received_at for text in texts]
    assert arrivals == sorted(arrivals)
    assert NOW - timedelta(hours=6) < arrivals[-1] <= NOW
    assert NOW - timedelta(days=DAYS) <= arrivals[0] < NOW - timedelta(days=DAYS - 1)
    assert {text.language for text in texts} == {"en", "zh"}


def test_it_is_the_same_every_time() -> None:
    assert demo_texts(NOW) == demo_texts(NOW)

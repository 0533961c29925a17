from __future__ import annotations

import pytest

from apps.finance_sentiment.marks import marks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("net sales totalled eur 42.3 mn , down from eur 47.0 mn", ["#down"]),
        ("operating profit was eur 7.4 mn ( eur 5.6 mn )", ["#up"]),
        ("sales rose from 1,200 to 1,350 units", ["#up"]),
        ("turnover of 27.4 million against 27.4 million a year ago", ["#same"]),
        ("a loss of 0.7m compared with 2.9m", ["#up", "#less-loss"]),
        ("the loss grew to eur 3 mn from eur 1 mn", ["#down", "#more-loss"]),
        ("pretax profit of 1.5 mln eur from a year earlier loss of 1.2 mln", ["#up", "#turned-profit"]),
        ("a loss of 5m, against a profit of 2m", ["#down", "#turned-loss"]),
        ("净利润3.2亿元，上年同期为4.5亿元", ["#down"]),
        ("毛利率由30%提高到35%", ["#up"]),
    ],
)
def test_figures_that_are_compared_say_which_way_they_went(text: str, found: list[str]) -> None:
    assert marks(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "the office opened in 2009 from a base of 2004",
        "a stake of 39.8 mln euro ( $ 56.8 mln )",
        "sales were 12 mn. a year before, 30 people worked there",
        "12 trucks and 400 staff",
        "15 % of eur 3 mn compared with plan",
        "",
        "1" * 10_000,
        "from " * 5_000,
    ],
)
def test_figures_that_are_not_compared_say_nothing(text: str) -> None:
    assert marks(text) == []

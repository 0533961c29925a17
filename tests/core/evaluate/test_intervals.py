from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.evaluate.intervals import bootstrap_mean, paired_difference, wilson_interval


def test_the_interval_holds_the_true_mean_about_as_often_as_promised() -> None:
    random = np.random.default_rng(1)
    found = [bootstrap_mean(random.normal(0.5, 0.2, 80), resamples=400, seed=i) for i in range(200)]
    assert 0.89 <= np.mean([interval.low <= 0.5 <= interval.high for interval in found]) <= 0.99


def test_the_interval_is_as_wide_as_the_normal_one_on_many_rows() -> None:
    values = np.random.default_rng(2).random(1000)
    interval = bootstrap_mean(values, resamples=4000)
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 1000**0.5, rel=0.05)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(3).random(50)
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


def test_many_rows_are_drawn_in_blocks_that_fit_into_memory() -> None:
    interval = bootstrap_mean(np.full(50_000, 0.25, np.float32), resamples=100)
    assert (interval.low, interval.value, interval.high, interval.n) == (0.25, 0.25, 0.25, 50_000)


def test_pairing_finds_a_small_steady_difference_in_noisy_figures() -> None:
    random = np.random.default_rng(5)
    base = random.random(200)
    better = base + 0.02 + random.normal(0, 0.02, 200)
    difference = paired_difference(better, base)
    assert 0 < difference.low < difference.value < difference.high
    assert difference.p_value < 0.001
    apart = bootstrap_mean(better), bootstrap_mean(base)
    assert apart[0].low < apart[1].high  # without pairing the two cannot be told apart


def test_no_difference_is_not_called_one() -> None:
    random = np.random.default_rng(6)
    low = sum(paired_difference(random.random(60), random.random(60), resamples=300).p_value < 0.05 for _ in range(200))
    assert 2 <= low <= 22
    assert paired_difference([1.0, 2.0], [1.0, 2.0]).p_value == 1.0


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for successes, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        interval = wilson_interval(successes, n)
        assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert wilson_interval(29, 29).high == 1.0


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([], {}, "0 rows"),
        ([0.1, float("nan")], {}, "row 1 is not a finite"),
        ([[0.1]], {}, "shape"),
        ([0.1], {"confidence": 95}, r"as in 0\.95"),
        ([0.1], {"resamples": 1}, "at least 100"),
    ],
)
def test_wrong_figures_are_refused(values: list[float], options: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bootstrap_mean(values, **options)


def test_pairs_must_be_pairs_and_shares_must_be_shares() -> None:
    with pytest.raises(InputError, match="2 and 1"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="5 of 4"):
        wilson_interval(5, 4)

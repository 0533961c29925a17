from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from apps.finance_sentiment.detectors.tails import (
    beta_binomial_tail,
    least_count,
    negative_binomial_limit,
    negative_binomial_tail,
    normal_tail,
    poisson_tail,
)


def test_tails_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        mean = 10 ** rng.uniform(-3, 4)
        k = int(mean * rng.uniform(0.2, 3) + rng.integers(0, 12))
        variance = mean * rng.uniform(1.01, 8)
        if (right := stats.poisson.sf(k - 1, mean)) > 1e-200:
            assert poisson_tail(k, mean) == pytest.approx(right, rel=1e-7, abs=1e-12 if right > 0.5 else 0)
        if (right := stats.nbinom.sf(k - 1, mean * mean / (variance - mean), mean / variance)) > 1e-200:
            assert negative_binomial_tail(k, mean, variance) == pytest.approx(right, rel=1e-7)
        n, a, b = int(10 ** rng.uniform(0, 3)), 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-1, 2)
        k = int(rng.integers(0, n + 1))
        right = float(stats.betabinom.pmf(np.arange(k, n + 1), n, a, b).sum())
        assert beta_binomial_tail(k, n, a, b) == pytest.approx(right, rel=1e-7)
    assert normal_tail(1.96) == pytest.approx(stats.norm.sf(1.96))


def test_many_draws_are_close_to_the_exact_tail() -> None:
    right = float(stats.betabinom.sf(899, 3000, 30, 90))
    assert beta_binomial_tail(900, 3000, 30, 90) == pytest.approx(right, rel=0.15)


def test_the_limit_is_where_the_tail_falls_to_the_chance() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        mean, chance = 10 ** rng.uniform(-3, 3), 10 ** rng.uniform(-12, -1)
        variance = mean * (1 + 10 ** rng.uniform(-9, 1)) + mean * mean * 10 ** rng.uniform(-4, 0)
        count = int(abs(mean + rng.normal() * 3 * variance**0.5))
        tail, limit = negative_binomial_limit(count, mean, variance, chance)
        assert negative_binomial_tail(limit, mean, variance) <= chance * 1.001
        assert limit == 1 or negative_binomial_tail(limit - 1, mean, variance) > chance * 0.999
        exact = negative_binomial_tail(count, mean, variance)
        if exact > chance / 100:
            assert tail == pytest.approx(exact, rel=0.1)


def test_edges() -> None:
    assert poisson_tail(0, 3.0) == 1.0 and poisson_tail(2, 0.0) == 0.0
    assert beta_binomial_tail(5, 4, 1, 1) == 0.0 and beta_binomial_tail(0, 4, 1, 1) == 1.0
    assert negative_binomial_limit(0, 0.0, 0.0, 1e-6) == (1.0, 1)
    assert least_count(lambda k: 0.5**k, 0.1, 1) == 4 == least_count(lambda k: 0.5**k, 0.1, 400)

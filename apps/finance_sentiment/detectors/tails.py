"""How unlikely a count is: upper tails of the Poisson, negative binomial and beta-binomial distributions.

Knows numbers only, and no library but `math`, so that rules can be judged wherever the monitor runs. Each function
returns P(X >= k). Accurate to about ten digits; `tests` hold them against scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_STEPS = 500


def poisson_tail(k: int, mean: float) -> float:
    """P(X >= k) of a Poisson count: the regularised lower incomplete gamma function P(k, mean).

    :param mean: expected count, >= 0.

    Press et al. 2007, "Numerical Recipes", 3rd ed., 6.2.
    """
    if k <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    front = math.exp(k * math.log(mean) - mean - math.lgamma(k))
    if mean < k + 1:
        term = total = 1.0 / k
        for step in range(1, _STEPS * 20):
            term *= mean / (k + step)
            total += term
            if term < total * 1e-14:
                break
        return min(1.0, front * total)
    return max(0.0, 1.0 - front * _upper_gamma(k, mean))


def _upper_gamma(shape: float, x: float) -> float:
    """Continued fraction of Gamma(shape, x) / (x^shape exp(-x)), by Lentz's method."""
    b = x + 1.0 - shape
    c, d = 1.0 / _TINY, 1.0 / b
    value = d
    for step in range(1, _STEPS * 20):
        a = -step * (step - shape)
        b += 2.0
        d = 1.0 / _away(a * d + b)
        c = _away(b + a / c)
        value *= d * c
        if abs(d * c - 1.0) < 1e-12:
            break
    return value


def negative_binomial_tail(k: int, mean: float, variance: float) -> float:
    """P(X >= k) of a count that scatters more than a Poisson one.

    :param mean: expected count, >= 0.
    :param variance: if it does not exceed the mean, the Poisson tail is returned.

    With r = mean^2 / (variance - mean) and p = (variance - mean) / variance the tail is the regularised incomplete
    beta function I_p(k, r) (Johnson, Kemp, Kotz 2005, "Univariate Discrete Distributions", 5.6).
    """
    if k <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    excess = variance - mean
    if excess <= 1e-6 * mean:
        return poisson_tail(k, mean)
    return incomplete_beta(float(k), mean * mean / excess, excess / variance)


def negative_binomial_limit(count: int, mean: float, variance: float, p_value: float) -> tuple[float, int]:
    """The tail at a count, and the least count whose tail is at most `p_value`.

    :returns: (P(X >= count), limit).

    Sums the masses from the far end, where they are small, so that nothing is lost by subtraction; where the
    distribution is so broad that this takes long, the closed form is searched.
    """
    spread = math.sqrt(max(variance, mean))
    if mean <= 0 or spread > 60 or count > mean + 60 * spread + 60:
        tail = negative_binomial_tail(count, mean, variance)
        return tail, least_count(
            lambda k: negative_binomial_tail(k, mean, variance), p_value, int(mean + 5 * spread) + 1
        )
    masses, first = _masses(mean, variance, min(count, int(mean)), max(count, mean), p_value * 1e-4)
    summed, limit, at = 0.0, first + len(masses), first + len(masses)
    tail = 0.0
    for mass in reversed(masses):
        at -= 1
        summed += mass
        if summed <= p_value:
            limit = at
        if at == count:
            tail = summed
            if summed > p_value:
                break
        elif at < count and summed > p_value:
            break
    return min(1.0, tail if count > 0 else 1.0), max(limit, 1)


def _masses(mean: float, variance: float, first: int, last: float, least: float) -> tuple[list[float], int]:
    """Probabilities of the counts from `first` on, beyond `last` and until they are below `least`."""
    excess = variance - mean
    if excess <= 1e-6 * mean:
        mass = math.exp(first * math.log(mean) - mean - math.lgamma(first + 1))
        size, scale = 0.0, mean
    else:
        size, p = mean * mean / excess, excess / variance
        mass = math.exp(
            math.lgamma(first + size) - math.lgamma(size) - math.lgamma(first + 1)
            + size * math.log1p(-p) + first * math.log(p)
        )  # fmt: skip
        scale = p
        least *= 1.0 - p  # beyond it the masses fall at least like powers of p
    masses, at = [mass], first
    while mass > least or at <= last:
        mass *= scale * (at + size if size else 1.0) / (at + 1)
        at += 1
        masses.append(mass)
    return masses, first


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    :param x: in [0, 1].

    Press et al. 2007, "Numerical Recipes", 3rd ed., 6.4.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _beta_fraction(a, b, x) / a)
    return max(0.0, 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _STEPS * 20):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / _away(1.0 + factor * d)
            c = _away(1.0 + factor / c)
            value *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return value


def beta_binomial_tail(k: int, n: int, a: float, b: float) -> float:
    """P(X >= k) of `n` draws whose chance is itself uncertain, Beta(a, b).

    :param n: draws; above 2,000 the tail of a normal distribution with the same mean and variance is returned.
    :param a: earlier hits, > 0; `b`: earlier misses, > 0.

    Skellam 1948, "A probability distribution derived from the binomial distribution".
    """
    if k <= 0:
        return 1.0
    if k > n:
        return 0.0
    total = a + b
    if n > 2000:
        mean = n * a / total
        variance = n * a * b * (total + n) / (total * total * (total + 1.0))
        return normal_tail((k - 0.5 - mean) / math.sqrt(variance))
    mass = math.exp(
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + math.lgamma(k + a) + math.lgamma(n - k + b) - math.lgamma(n + total)
        + math.lgamma(total) - math.lgamma(a) - math.lgamma(b)
    )  # fmt: skip
    summed = mass
    for x in range(k, n):
        mass *= (n - x) * (x + a) / ((x + 1) * (n - x - 1 + b))
        summed += mass
        if b >= 1.0 and mass < summed * 1e-15:
            break
    return min(1.0, summed)


def normal_tail(z: float) -> float:
    """P(Z >= z) of the standard normal distribution."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def least_count(tail: Callable[[int], float], p_value: float, start: int) -> int:
    """The smallest k >= 1 whose `tail` is at most `p_value`; -1 if there is none below 2^30.

    :param start: where to look first.
    """
    low, high = max(0, start - 1), max(1, start)
    if low and tail(low) <= p_value:
        low, high = 0, low
    while tail(high) > p_value:
        low, high = high, high * 2
        if high > 1 << 30:
            return -1
    while high - low > 1:
        middle = (low + high) // 2
        if tail(middle) > p_value:
            low = middle
        else:
            high = middle
    return high


def _away(x: float) -> float:
    return x if abs(x) > _TINY else _TINY

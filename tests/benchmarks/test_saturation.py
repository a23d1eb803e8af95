"""The search for the highest rate that a server bears."""

from math import inf, sqrt

import pytest

from benchmarks.saturation import next_rate


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(100, inf, 200), (0, 100, 50), (100, 200, sqrt(20_000))],
    ids=["nothing was too much", "nothing was borne", "between"],
)
def test_rates_grow_until_one_is_too_much_and_close_in_on_it(low: float, high: float, expected: float) -> None:
    assert next_rate(low, high, growth=2.0) == expected


@pytest.mark.parametrize("limit", [3.0, 777.0, 50_000.0])
def test_the_search_ends_next_to_the_limit(limit: float) -> None:
    low, high, rate = 0.0, inf, 100.0
    for _ in range(30):
        low, high = (rate, high) if rate <= limit else (low, rate)
        rate = next_rate(low, high, growth=2.0)
    assert low <= limit < high
    assert high / low < 1.01

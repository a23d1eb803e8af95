"""When to come again."""

from collabdoc.client.backoff import Backoff


def test_delays_are_drawn_from_a_range_that_doubles_up_to_its_cap() -> None:
    backoff = Backoff(lambda: 0.5, cap_s=3)
    assert [backoff.take_delay_s() for _ in range(5)] == [0.25, 0.5, 1.0, 1.5, 1.5]
    backoff.reset()
    assert backoff.take_delay_s() == 0.25


def test_the_servers_word_replaces_one_delay() -> None:
    backoff = Backoff(lambda: 0.5)
    backoff.ask(7)
    assert [backoff.take_delay_s(), backoff.take_delay_s()] == [7, 0.5]


def test_ten_thousand_failures_are_no_overflow() -> None:
    backoff = Backoff(lambda: 0.5)
    assert {backoff.take_delay_s() for _ in range(10_000)} <= {0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0}

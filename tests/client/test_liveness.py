"""Whether somebody is at the other end."""

from collabdoc.client.liveness import LATE_S, PATIENCE_AWAKE_S, PATIENCE_S, QUIET_S, Liveness


def test_a_line_that_answers_nothing_is_dead_within_ten_seconds() -> None:
    liveness = Liveness(0.0)
    assert liveness.check(QUIET_S - 0.1) == "fine"
    assert liveness.check(QUIET_S) == "ping"
    assert liveness.check(QUIET_S + PATIENCE_S - 0.1) == "fine"
    assert liveness.check(QUIET_S + PATIENCE_S) == "dead"
    assert QUIET_S + PATIENCE_S < 10


def test_whatever_is_heard_counts_as_an_answer() -> None:
    liveness = Liveness(0.0)
    assert liveness.check(QUIET_S) == "ping"
    liveness.heard(QUIET_S + 1)
    assert liveness.wake_at_s == 2 * QUIET_S + 1


def test_a_timer_that_comes_late_asks_once_more_before_it_gives_up() -> None:
    liveness = Liveness(0.0)
    assert liveness.check(QUIET_S) == "ping"
    late_s = QUIET_S + PATIENCE_S + LATE_S
    assert liveness.check(late_s) == "ping"
    assert liveness.check(late_s + PATIENCE_AWAKE_S + LATE_S) == "dead"

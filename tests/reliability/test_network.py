"""The short form of `network.py`."""

from tests.reliability import network


def test_people_of_every_dialect_agree_after_all_that_lines_do() -> None:
    total = network.run_batch(range(1, 17), tell=False)
    assert (total.runs, total.failures) == (16, 0)
    assert total.edits > 0
    assert total.troubles > 0

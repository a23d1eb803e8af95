"""The short form of `damage.py`."""

from pathlib import Path

from tests.reliability import damage


def test_damage_heals_or_is_found_and_repair_tells_the_truth(tmp_path: Path) -> None:
    rounds = damage.Rounds(1, tmp_path)
    for number in range(100):
        rounds.run(number)
    assert rounds.faults == []
    assert any("found" in outcome for outcomes in rounds.outcomes.values() for outcome in outcomes)

"""`python -m benchmarks.beside`, as a developer runs it."""

from pathlib import Path

import pytest

from benchmarks import beside
from benchmarks.install import Cache

CHECKOUT = Path(beside.__file__).parent.parent


def test_a_version_is_compared_with_itself(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    beside.main(
        [str(CHECKOUT), *("--runs", "2", "--seconds", "0.5", "--clients", "3"), *("--cache", str(cache.folder))]
    )
    runs = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in runs] == ["run 1", "run 2", "median"]
    for line in runs:
        words = line.replace(",", "").split()
        assert all(float(words[words.index(figure) + 1]) > 0 for figure in ("CPU", "p50", "p99"))


def test_a_folder_without_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no collabdoc in"):
        beside.main([str(tmp_path)])

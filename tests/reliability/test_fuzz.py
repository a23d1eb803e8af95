"""The short forms of `fuzz.py` and `fuzz_server.py`."""

import asyncio
from pathlib import Path

import pytest

from tests.reliability import fuzz, fuzz_server


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_hostile_bytes_do_no_harm(target: str) -> None:
    assert fuzz.run_apart(target, inputs=3_000, seed=1)


@pytest.mark.parametrize("bad", ["raises", "never ends"])
def test_harm_is_found(bad: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def take() -> str:
        while bad == "never ends":
            pass
        raise RuntimeError("a fault")

    monkeypatch.setitem(fuzz.TARGETS, "bad", lambda _: iter([(b"\xab\xcd", take)]))
    monkeypatch.setattr(fuzz, "ENDED_AFTER_S", 1)
    assert not fuzz.run_apart("bad", inputs=1, seed=1)
    assert "abcd" in capfd.readouterr().out


def test_bystanders_of_an_attack_lose_nothing(tmp_path: Path) -> None:
    assert asyncio.run(fuzz_server.run(seconds=3, seed=1, data=tmp_path / "data")) == []

"""The short forms of `fuzz.py` and `fuzz_server.py`."""

import asyncio
from functools import partial
from pathlib import Path

import msgpack
import pytest

from tests.protocol import crafting
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


def test_an_update_that_did_harm_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = crafting.update(crafting.section(1, 0, crafting.first("a")))
    second = crafting.update(crafting.section(2, 0, crafting.after(1, 0, "b")))
    for known, became in (([first, second], "accepted"), ([second], "refused")):
        monkeypatch.setitem(fuzz.TARGETS, "again", partial(fuzz.again, msgpack.packb(known)))
        assert fuzz.run_apart("again", inputs=3, seed=1)
        assert f"3 {became}" in capfd.readouterr().out


def test_bystanders_of_an_attack_lose_nothing(tmp_path: Path) -> None:
    assert asyncio.run(fuzz_server.run(seconds=3, seed=1, data=tmp_path / "data")) == []

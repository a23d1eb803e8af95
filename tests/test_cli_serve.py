"""What the server's process does beside serving."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from collabdoc import cli_serve

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_what_a_crowd_leaves_is_let_go_until_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, stop = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(cli_serve, "let_go", let_go.set)
    monkeypatch.setattr(cli_serve, "BEAT_S", 0.0001)
    looked = asyncio.Event()

    class Sockets(set[int]):
        def __len__(self) -> int:
            looked.set()
            return super().__len__()

    sockets = Sockets(range(100))
    server: Any = SimpleNamespace(context=SimpleNamespace(sockets=sockets), rooms=SimpleNamespace(count=0))
    beating = asyncio.create_task(cli_serve._beat_until(stop, None, server))
    await looked.wait()
    assert not let_go.is_set(), "nobody has left"
    sockets.clear()
    await let_go.wait()
    stop.set()
    await beating

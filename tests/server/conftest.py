"""What the tests of the server share."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.conftest import ServerFactory
from tests.server.wire import Wire


@pytest.fixture(autouse=True)
def hang_up(io_loop: IOLoop, start_server: ServerFactory) -> Iterator[None]:
    """Close the test's sockets before its servers stop."""
    Wire.connected.clear()  # of tests elsewhere, whose loop is no more
    yield

    async def close() -> None:
        for wire in Wire.connected:
            protocol = wire.socket.protocol
            wire.socket.close()
            # One with unread messages does not look for an answer to its close.
            if protocol is not None:
                protocol._abort()

    io_loop.run_sync(close)
    Wire.connected.clear()


@pytest.fixture(autouse=True)
def tell_closes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What y-websocket's clients are told late they are told at once: no test waits for it."""
    monkeypatch.setattr("collabdoc.server.yjs._LATE_S", 0)

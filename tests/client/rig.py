"""A client without a network: a clock that a test moves, and sockets whose other end the test holds."""

import heapq
import itertools
from collections.abc import Callable
from typing import TypeVar

from collabdoc.client.document import LiveDocument
from collabdoc.client.line import SocketLine, SocketUser
from collabdoc.document import EMPTY_UPDATE, Document
from collabdoc.protocol import native
from collabdoc.protocol.messages import ClientMessage, Mode, Open, Opened, ServerMessage

_Message = TypeVar("_Message", bound=ClientMessage)


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    """Stands still but for `advance`; chance is always the same."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.chance = 0.5
        self._order = itertools.count()
        self._timers: list[tuple[float, int, FakeTimer]] = []

    def now_s(self) -> float:
        return self.time_s

    def random(self) -> float:
        return self.chance

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (self.time_s + delay_s, next(self._order), timer))
        return timer

    def advance(self, by_s: float = 0.0) -> None:
        end_s = self.time_s + by_s
        while self._timers and self._timers[0][0] <= end_s:
            due_s, _, timer = heapq.heappop(self._timers)
            self.time_s = max(self.time_s, due_s)
            if timer.callback is not None:
                timer.callback()
        self.time_s = end_s

    def oversleep(self, by_s: float) -> None:
        """Time passes while the program is busy: timers come late, and all at once."""
        self.time_s += by_s
        self.advance()


class FakeSocket:
    def __init__(self, user: SocketUser) -> None:
        self.user = user
        self.sent: list[ClientMessage] = []
        self.hung_up: int | None = None
        self.is_hung_up = False

    def send(self, frame: bytes) -> None:
        message = native.decode_client(frame)
        assert message is not None
        self.sent.append(message)

    def hang_up(self, code: int | None = None) -> None:
        self.is_hung_up, self.hung_up = True, code


class Rig:
    """A line and the documents on it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sockets: list[FakeSocket] = []
        self.line = SocketLine(self._dial, self.clock, max_backoff_s=30)
        self.closed: list[LiveDocument] = []

    @property
    def socket(self) -> FakeSocket:
        return self.sockets[-1]

    def document(self, name: str = "a", *, token: str | None = None) -> LiveDocument:
        document = LiveDocument(name, self.line, self.clock, token=token, max_backoff_s=30, closed=self.closed.append)
        document.connect()
        return document

    def is_up(self) -> None:
        self.socket.user.opened()

    def breaks(self, code: int = 1006, reason: str = "") -> None:
        self.socket.user.closed(code, reason)

    def says(self, *messages: ServerMessage) -> None:
        for message in messages:
            self.socket.user.received(native.encode_server(message))

    def opens(
        self,
        *,
        epoch: str = "e",
        seq: int = 1,
        mode: Mode = "write",
        state: bytes | None = None,
        update: bytes = EMPTY_UPDATE,
    ) -> int:
        """Answer the last OPEN, as a server that has no more than `update`; the channel."""
        channel = self.last(Open).channel
        state = Document(update).state_vector() if state is None else state
        self.says(Opened(channel, epoch, mode, seq, False, "test", state, update))
        return channel

    def heard(self, kind: type[_Message]) -> list[_Message]:
        """What came on the last socket, after a turn of the loop."""
        self.clock.advance()
        return [message for message in self.socket.sent if isinstance(message, kind)]

    def last(self, kind: type[_Message]) -> _Message:
        return self.heard(kind)[-1]

    def _dial(self, user: SocketUser) -> FakeSocket:
        self.sockets.append(FakeSocket(user))
        return self.sockets[-1]

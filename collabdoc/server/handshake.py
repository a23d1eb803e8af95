"""The request that becomes a WebSocket, whatever the dialect: checked by Tornado and by us, then let go."""

from abc import abstractmethod
from typing import Any

from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from collabdoc.server.address import client_address
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.context import NOTHING_RUNS, Context, host_allowed, origin_allowed
from collabdoc.server.frames import TOO_BIG


class Handshake(WebSocketHandler):
    """Ends where the connection begins; a dialect says who speaks on it."""

    too_big_code = TOO_BIG
    """How a connection is closed over a message that is too big."""

    def initialize(self, context: Context) -> None:
        self.context = context

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", NOTHING_RUNS)
        self.set_header("X-Content-Type-Options", "nosniff")

    @abstractmethod
    def speak(self, connection: Connection, subprotocol: str | None) -> Speaker:
        """Hands were shaken: who speaks from now on."""

    def prepare(self) -> None:
        if not host_allowed(self.request, self.context.settings):
            raise HTTPError(403)
        if self.context.draining:
            raise HTTPError(503)
        origin = self.request.headers.get("Origin")
        if origin is not None and not origin_allowed(self.request, origin, self.context.settings.allow_origin):
            raise HTTPError(403)
        self._address = client_address(self.request, self.context.settings.trusted_proxies)
        if not self.context.has_place_for(self._address):
            self.context.refused[429] += 1
            raise HTTPError(429)

    def check_origin(self, origin: str) -> bool:
        return True  # `prepare` has looked: Tornado answers 500 to an origin that is no address

    def get_websocket_protocol(self) -> Any:
        # Of Tornado's own protocol object the connection has what a handler asks of it, and nothing else.
        if self.request.headers.get("Sec-WebSocket-Version") != "13":
            return None
        limits, lane = self.context.settings.limits, self.context.lane
        return Connection(limits.frame_bytes, lane, too_big_code=self.too_big_code, address=self._address)

    def _break_cycles(self) -> None:
        # Tornado's own waits for the end of the WebSocket, of which this handler never hears.
        RequestHandler._break_cycles(self)

    def on_message(self, message: str | bytes) -> None:
        raise AssertionError("it is the speaker that hears messages")

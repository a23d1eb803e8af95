"""What one writes first: a Tornado handler that gives each frame to the others, by `write_message`, with no document.

`tornado_relay.py PORT`
"""

import asyncio
import sys
from collections import defaultdict

from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

rooms: defaultdict[str, set["Relay"]] = defaultdict(set)


class Relay(WebSocketHandler):
    def open(self, document: str) -> None:
        self.room = rooms[document]
        self.room.add(self)
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        for peer in self.room:
            if peer is not self:
                try:
                    peer.write_message(message, binary=True)
                except WebSocketClosedError:
                    continue  # its on_close comes soon

    def on_close(self) -> None:
        self.room.discard(self)


async def main(port: int) -> None:
    Application([(r"/(.+)", Relay)]).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

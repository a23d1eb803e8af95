"""pycrdt-websocket's ASGI server under uvicorn: `pycrdt_websocket.py PORT [FILE]`, with its SQLite store in FILE."""

import asyncio
import sys
from contextlib import suppress

import uvicorn
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom


class StoringServer(WebsocketServer):
    """Gives each room a store, and loads what is in it before anybody is served."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._store = type("Store", (SQLiteYStore,), {"db_path": file})

    async def get_room(self, name: str) -> YRoom:
        if name not in self.rooms:
            store = self._store(name)
            room = self.rooms[name] = YRoom(ready=False, ystore=store)
            await self.start_room(room)
            await store.started.wait()
            with suppress(YDocNotFound):
                await store.apply_updates(room.ydoc)
            room.ready = True
        return await super().get_room(name)


async def main(port: int, file: str | None) -> None:
    async with StoringServer(file) if file else WebsocketServer() as documents:
        app = ASGIServer(documents)
        config = uvicorn.Config(app, port=port, log_level="error", loop="uvloop", ws="websockets", lifespan="off")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    # uvicorn's own event loop, which its command line would choose where it is installed.
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), *sys.argv[2:] or [None]))

"""pycrdt-websocket's ASGI server under uvicorn, without persistence: `pycrdt_websocket.py PORT`."""

import asyncio
import sys

import uvicorn
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main(port: int) -> None:
    async with WebsocketServer() as documents:
        app = ASGIServer(documents)
        config = uvicorn.Config(app, port=port, log_level="error", loop="uvloop", ws="websockets", lifespan="off")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    # uvicorn's own event loop, which its command line would choose where it is installed.
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))

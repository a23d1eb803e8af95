"""`collabdoc serve`: the server's process, and the watchdog's beside it."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING

import click

from collabdoc.config import Settings
from collabdoc.memory import Ebb, let_go
from collabdoc.quarantine import Quarantine
from collabdoc.underway import Underway
from collabdoc.watchdog import BEAT_S, Heart, Watchdog

if TYPE_CHECKING:
    from collabdoc.server.app import Server

STOPPING = (signal.SIGINT, signal.SIGTERM)
_BEATS_OF_EBB = 8
"""Between two looks whether people leave: 2 s, in which whatever leaves by the second has begun to."""


def serve(settings: Settings) -> None:
    """Run the server until it is asked to stop; in a process of its own where the settings want a watchdog."""
    from collabdoc.server.files import raise_limit

    raise_limit()
    if not (settings.watchdog and hasattr(os, "fork")):
        _run(_serve(settings))
        return
    from collabdoc.server.app import bind

    sockets = bind(settings)
    underway = Underway(settings.limits.update_bytes)
    quarantine = Quarantine(settings.data, settings.limits.standstills_per_document)
    # Here it returns in the server's process alone, once for each start.
    heart = Watchdog(sockets, underway, quarantine, stall_s=settings.limits.stall_s).run()
    _run(_serve(settings, sockets, underway, heart))


def _run(server: Coroutine[None, None, None]) -> None:
    from collabdoc.server.loop import ServerLoop

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        runner.run(server)


async def _serve(
    settings: Settings,
    sockets: Sequence[socket.socket] | None = None,
    underway: Underway | None = None,
    heart: Heart | None = None,
) -> None:
    from collabdoc.server.app import Server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        # With a watchdog it is that one which counts: a supervisor may send the signal to both.
        loop.add_signal_handler(number, stop.set if heart else lambda: _stop_once(loop, stop))
    async with Server(settings, sockets=sockets, underway=underway) as server:
        # With Python's own thresholds a thousand sockets are looked through several times a second: p99 from edit to
        # peer was 87 ms with 500 documents of two clients, and is 4 ms with these. The first two say how much of the
        # new is looked through at once: 200,000 objects, as of an edit of 150,000 pieces, took 40 ms, 25,000 take 4 ms.
        gc.freeze()
        gc.set_threshold(2_000, 4, 1_250)
        if heart is None or heart.is_first:
            click.echo(f"listening on {server.url}")
            if settings.open:  # some browsers run in this terminal until they are left
                threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        await _beat_until(stop, heart, server)
        logging.getLogger(__name__).info("stopping: committing what is on its way")


def _stop_once(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """A second Ctrl-C ends a shutdown that takes too long."""
    stop.set()
    for number in STOPPING:
        loop.remove_signal_handler(number)


async def _beat_until(stop: asyncio.Event, heart: Heart | None, server: "Server") -> None:
    pulse = _Pulse(stop, heart, server)
    pulse.beat()
    try:
        await stop.wait()
    finally:
        pulse.end()
    if heart is not None:
        heart.rest()


class _Pulse:
    """Four times a second, by a timer alone: a task that waits for that takes five turns of the loop each time.

    What crowds leave is let go of here: an engine may be in another application, whose objects are not frozen.
    """

    def __init__(self, stop: asyncio.Event, heart: Heart | None, server: "Server") -> None:
        self._stop = stop
        self._heart = heart
        self._server = server
        self._ebb = Ebb()
        self._beats = 0
        self._next: asyncio.TimerHandle | None = None

    def beat(self) -> None:
        if self._heart is not None and not self._heart.beat():
            self._stop.set()
            return
        self._next = asyncio.get_running_loop().call_later(BEAT_S, self.beat)
        self._beats += 1
        if self._beats % _BEATS_OF_EBB == 0 and self._ebb.is_over(
            len(self._server.context.sockets) + self._server.rooms.count
        ):
            let_go()

    def end(self) -> None:
        if self._next is not None:
            self._next.cancel()

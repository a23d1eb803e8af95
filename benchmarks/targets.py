"""The servers that are compared, and how each is started and spoken to."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.install import PEERS, Cache


@dataclass(frozen=True, slots=True)
class Target:
    """`acknowledges`: it answers each edit. `has_document`: it is more than a relay."""

    name: str
    dialect: str
    path: str
    persists: bool = False
    acknowledges: bool = False
    is_ours: bool = False
    has_document: bool = True


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, with what it needs in its environment."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Knows where the programs are. `python` runs the collabdoc that is measured, with `environment` added."""

    cache: Cache
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    def launch(self, target: Target, port: int, folder: Path) -> Launch:
        """How to start the target, with its data in `folder`."""
        match target.name:
            case "collabdoc" | "collabdoc-yjs":
                serve = ["-m", "collabdoc", "serve", "--auth", "open", "--log-level", "warning", "--no-watchdog"]
                command = [self.python, *serve, "--port", str(port), "--data", str(folder / "data")]
                return Launch(command, self.environment)
            case "y-websocket" | "y-websocket-leveldb":
                persistence = {"YPERSISTENCE": str(folder / "leveldb")} if target.persists else {}
                return self._node("node_modules/@y/websocket-server/src/server.js", port, persistence)
            case "hocuspocus" | "hocuspocus-sqlite":
                persistence = {"SQLITE": str(folder / "documents.sqlite")} if target.persists else {}
                return self._node("hocuspocus.mjs", port, persistence)
            case "pycrdt-websocket" | "pycrdt-websocket-sqlite":
                file = [str(folder / "documents.sqlite")] if target.persists else []
                return Launch([str(self.cache.python), str(PEERS / "pycrdt_websocket.py"), str(port), *file])
            case "tornado":
                return Launch([str(self.cache.python), str(PEERS / "tornado_relay.py"), str(port)])
            case "relay":
                return Launch([str(self.cache.relay), str(port)])
        raise AssertionError(target.name)

    def _node(self, script: str, port: int, persistence: dict[str, str]) -> Launch:
        environment = {"HOST": "127.0.0.1", "PORT": str(port), "NODE_ENV": "production", **persistence}
        return Launch(["node", str(self.cache.node / script)], environment)


TARGETS = {
    target.name: target
    for target in (
        Target("collabdoc", "native", "/ws", persists=True, acknowledges=True, is_ours=True),
        Target("collabdoc-yjs", "yjs", "/yjs/", persists=True, is_ours=True),
        Target("y-websocket", "yjs", "/"),
        Target("y-websocket-leveldb", "yjs", "/", persists=True),
        Target("hocuspocus", "hocuspocus", "/", acknowledges=True),
        Target("hocuspocus-sqlite", "hocuspocus", "/", persists=True, acknowledges=True),
        Target("pycrdt-websocket", "yjs", "/"),
        Target("tornado", "relay", "/", has_document=False),
        Target("relay", "relay", "/", has_document=False),
    )
}

PYCRDT_STORING = Target("pycrdt-websocket-sqlite", "yjs", "/", persists=True)
"""Not in the benchmark, for what it loses says enough (tests/reliability/peers.py)."""

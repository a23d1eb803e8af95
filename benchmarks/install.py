"""The cache folder: the peers from npm and PyPI, and the C programs; each is made anew when its source changes."""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / "peers"
GENERATOR = HERE / "generator"
CC = ("cc", "-O2", "-Wall", "-Wextra", "-Werror")


class Missing(Exception):
    """A tool that the machine lacks, or an installation that failed."""


def say(text: str) -> None:
    """A line of progress; the results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


class Cache:
    """Where the programs are. Properties make what is not there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def generator(self) -> Path:
        return self._program("generator", sorted(GENERATOR.glob("*.[ch]")))

    @property
    def relay(self) -> Path:
        return self._program("relay", [PEERS / "relay.c"])

    @property
    def python(self) -> Path:
        """The Python of an environment of its own, with the Python peers."""
        return self._once("python", [PEERS / "requirements.txt"], self._install_python) / "bin" / "python"

    @property
    def node(self) -> Path:
        """The folder with the JavaScript peers and what they need."""
        sources = [PEERS / name for name in ("package.json", "package-lock.json", ".npmrc")]
        return self._once("node", [*sources, *sorted(PEERS.glob("*.mjs"))], self._install_node)

    def _program(self, name: str, sources: list[Path]) -> Path:
        def build(folder: Path) -> None:
            compiled = [str(source) for source in sources if source.suffix == ".c"]
            _run([*CC, "-o", str(folder / name), *compiled])

        return self._once(name, sources, build) / name

    def _once(self, name: str, sources: Iterable[Path], make: Callable[[Path], None]) -> Path:
        digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
        folder, stamp = self.folder / name, self.folder / f"{name}.made-of"
        if not (stamp.exists() and stamp.read_text() == digest):
            say(f"making {folder}")
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            stamp.write_text(digest)
        return folder

    def _install_python(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--requirement", str(PEERS / "requirements.txt")])

    def _install_node(self, folder: Path) -> None:
        for source in PEERS.iterdir():
            if source.suffix in {".json", ".mjs"} or source.name == ".npmrc":
                shutil.copy(source, folder)
        say("npm ci: may compile its SQLite for a minute or two")
        _run(["npm", "ci", "--no-progress"], cwd=folder)


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise Missing(f"{command[0]} is not on the path") from None
    if done.returncode != 0:
        raise Missing(f"{' '.join(command)} failed with code {done.returncode}:\n{done.stdout[-3000:]}")

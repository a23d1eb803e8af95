"""A JavaScript project in a fresh folder: the packages of `package-lock.json`, and our provider from its tarball."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

CLIENTS = Path(__file__).parent
WEB = CLIENTS.parent.parent / "web"
PROVIDER = WEB / "provider"

# What npm has in its cache it need not fetch.
_NPM = ("npm", "--prefer-offline", "--no-audit", "--no-fund")
# Tests run in several processes, and install and build in folders that are the same for all.
_INSTALLING = FileLock(CLIENTS / ".install.lock")


def run(*command: str | Path, cwd: Path) -> str:
    """What a program wrote to its standard output; one that fails fails the test with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def web_tool(name: str) -> Path:
    """A program that the editor is built with, `tsc` or `vite`."""
    with _INSTALLING:
        if not (WEB / "node_modules").is_dir():
            run(*_NPM, "ci", cwd=WEB)
    return WEB / "node_modules" / ".bin" / name


def install_clients() -> None:
    """The packages of this folder: once, and again when the lock file changes."""
    lock, stamp = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / "made-of.json"
    with _INSTALLING:
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            run(*_NPM, "ci", cwd=CLIENTS)
            shutil.copy(lock, stamp)


class Project:
    """Ready once it is installed, which takes some seconds where nobody has done it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with _INSTALLING:
            if not folder.exists():
                self._install()
        (self.tarball,) = folder.glob("collabdoc-provider-*.tgz")

    def _install(self) -> None:
        self.folder.mkdir()
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(CLIENTS / name, self.folder)
        run(*_NPM, "ci", cwd=self.folder)
        # Packing builds it, with what builds the editor.
        web_tool("vite")
        run(*_NPM, "pack", "--pack-destination", self.folder, cwd=PROVIDER)
        (tarball,) = self.folder.glob("collabdoc-provider-*.tgz")
        run(*_NPM, "install", "--no-save", f"./{tarball.name}", cwd=self.folder)

    def part(self, name: str) -> Path:
        """A new folder in it, whose scripts find its packages."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def compile(self, folder: Path) -> None:
        """The TypeScript of a folder, as its `tsconfig.json` says."""
        run(web_tool("tsc"), "-p", folder, cwd=self.folder)

    def run(self, script: Path, *arguments: str) -> str:
        """What a script wrote to its standard output."""
        return run("node", script, *arguments, cwd=self.folder)

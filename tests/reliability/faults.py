"""A disk and a clock that fail when told to: `faults.c`, built here, and loaded into a process by its environment."""

import mmap
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("faults.c")
_CONTROL = struct.Struct("<iiiiqqqq")
_NAMES = (
    *("sync_error", "write_error", "read_error", "sync_delay_ms"),
    *("clock_offset_s", "clock_rate", "clock_start_s", "syncs"),
)


def build(folder: Path) -> Path:
    """The library, in a folder of the caller's. Needs `cc`."""
    library = folder / "faults.so"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


class Faults:
    """What a process that runs with `environment` meets; may be changed while it runs."""

    def __init__(self, library: Path, data: Path, control: Path) -> None:
        control.write_bytes(_CONTROL.pack(*[0] * len(_NAMES)))
        with control.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), _CONTROL.size)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_FOLDER": str(data),
            "FAULTS_CONTROL": str(control),
        }

    def set(self, **values: int) -> None:
        """`sync_error`, `write_error` and `read_error` are an errno; 0 is well."""
        state = dict(zip(_NAMES, _CONTROL.unpack(self._mapped[:]), strict=True))
        assert values.keys() <= state.keys()
        self._mapped[: _CONTROL.size - 8] = _CONTROL.pack(*(state | values).values())[:-8]

    @property
    def syncs(self) -> int:
        """How often something was forced to the disk."""
        return int(_CONTROL.unpack(self._mapped[:])[-1])

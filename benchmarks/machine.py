"""What the operating system knows: cores, and the time and memory that a process has taken with all its children."""

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

PROC = Path("/proc")

SERVER_CORE, *_, GENERATOR_CORE = sorted(os.sched_getaffinity(0)) * 2
"""The first core and the last; the same one where there is no other."""


def pinned_to(core: int) -> Callable[[], None]:
    """For `preexec_fn`: the new process and all that it starts stay on this core."""
    return partial(os.sched_setaffinity, 0, {core})


@contextmanager
def staying_on(core: int) -> Iterator[None]:
    """This process itself, for as long."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """The process and its living descendants."""
    found = [pid]
    for parent in found:
        for children in PROC.glob(f"{parent}/task/*/children"):
            try:
                found += map(int, children.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that has just ended
    return found


def is_running(pid: int) -> bool:
    """Not so for a process that has ended and is not yet waited for."""
    state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    return state not in {"Z", "X"}


def cpu_s(pid: int) -> float:
    """CPU time of the process with all its threads and children, user and system, those that ended included."""
    return sum(map(_process_cpu_s, family(pid)))


def _process_cpu_s(pid: int) -> float:
    try:
        # utime + stime of /proc/<pid>/stat count in ticks of 10 ms; the same account in nanoseconds is the process's
        # CPU clock (clock_getcpuclockid(3) makes its number like this).
        own = time.clock_gettime((~pid << 3) | 2)
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ProcessLookupError):
        return 0.0
    waited_for = int(fields[13]) + int(fields[14])  # cutime and cstime, proc(5) fields 16 and 17
    return own + waited_for / os.sysconf("SC_CLK_TCK")


def core_busy_s(core: int) -> float:
    """Time that a core has not been idle, whoever used it; a guest's time that its host took counts too."""
    line = next(line for line in _lines("/proc/stat") if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> dict[str, int]:
    """`Rss` and `Pss` of the process and its children."""
    total = {"Rss": 0, "Pss": 0}
    for member in family(pid):
        for line in (PROC / str(member) / "smaps_rollup").read_text().splitlines()[1:]:
            name, amount, *_ = line.split()
            if name.rstrip(":") in total:
                total[name.rstrip(":")] += int(amount) * 1024
    return total


def raise_file_limit() -> None:
    """For this process and all that it starts: thousands of connections need as many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def facts() -> dict[str, object]:
    """The machine, for the record of a run."""
    models = {line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")}
    memory_kib = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "server_core": SERVER_CORE,
        "generator_core": GENERATOR_CORE,
        "processor": ", ".join(sorted(models)),
        "memory_gib": round(memory_kib / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()

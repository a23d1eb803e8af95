"""The operating system's accounts."""

import subprocess
import sys

from benchmarks import machine

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
living = subprocess.Popen([sys.executable, "-c", {BURN!r} + "print(flush=True); input()"], stdin=subprocess.PIPE)
living.wait()
"""


def test_cpu_time_counts_children_that_live_and_those_that_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert machine.cpu_s(parent.pid) >= 0.6
        living = machine.family(parent.pid)
        assert len(living) == 2
        assert machine.memory_bytes(parent.pid)["Rss"] > machine.memory_bytes(living[1])["Rss"] > 0
        parent.kill()
        subprocess.run(["kill", str(living[1])], check=True)

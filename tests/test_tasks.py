"""The helper process as a program, without its server."""

import signal
import struct
import subprocess
import sys

import msgpack

from collabdoc.helper import PROGRAM
from tests.test_helper import ENDLESS, MIB, TYPED


def test_it_ends_by_itself_where_a_task_has_no_end_and_its_server_is_gone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(1024 * MIB), "1.0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    task = msgpack.packb(["compact", [len(TYPED), len(ENDLESS)], []])
    process.communicate(struct.pack(">I", len(task)) + task + TYPED + ENDLESS, timeout=20)
    assert process.returncode == -signal.SIGALRM


def test_without_tasks_it_ends_with_its_input() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(1024 * MIB), "1.0"],
        input=b"",
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert process.stdout == b""

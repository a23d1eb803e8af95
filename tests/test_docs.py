"""The programs in the documentation run as they stand there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.process import ServerProcess
from tests.test_imports import ROOT

PAGES = ("README.md", "docs/python.md")
_BLOCK = re.compile(r"^(?:<!-- (\S+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ADDRESS = "http://127.0.0.1:8080"


def blocks(page: str) -> list[tuple[str, str]]:
    """The Python of a page; each with the file that it was taken from, if it was."""
    return _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


PROGRAMS = [(page, number, code) for page in PAGES for number, (file, code) in enumerate(blocks(page)) if not file]
EXCERPTS = [(file, code) for page in PAGES for file, code in blocks(page) if file]


@pytest.mark.parametrize(("page", "number", "code"), PROGRAMS, ids=[f"{page}-{number}" for page, number, _ in PROGRAMS])
def test_a_program_runs(page: str, number: int, code: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "server") as server:
        code = code.replace(_ADDRESS, server.url)
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("file", "code"), EXCERPTS)
def test_an_excerpt_stands_in_its_file(file: str, code: str) -> None:
    assert textwrap.indent(code, "    ") in (ROOT / file).read_text(encoding="utf-8")


def test_there_is_something_to_run() -> None:
    assert {page for page, _, _ in PROGRAMS} == set(PAGES)
    assert EXCERPTS

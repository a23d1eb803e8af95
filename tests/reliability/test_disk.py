"""The short form of `disk.py`; what takes its seconds, a slow disk, is left to the long one."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.conftest import skip_without
from tests.reliability.disk import Company


@pytest.mark.parametrize("fault", ["full", "read errors", "unconfirmed"])
def test_a_disk_that_fails_costs_nothing_saved_and_edits_are_refused_with_a_reason(fault: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        skip_without("cc")
    company = Company(fault, 1, tmp_path)
    asyncio.run(company.run(seconds=1))
    assert company.broken == []
    assert company.refusals or fault == "read errors"

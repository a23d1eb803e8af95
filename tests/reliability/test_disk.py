"""The short form of `disk.py`: the full disk is a real one where that can be had; the slow one takes too long."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.conftest import skip_without
from tests.reliability.disk import SMALL, Company, disk_that_fails
from tests.reliability.small_disk import no_small_disk


@pytest.mark.parametrize("fault", ["full", "read errors", "unconfirmed"])
def test_a_disk_that_fails_costs_nothing_saved_and_edits_are_refused_with_a_reason(fault: str, tmp_path: Path) -> None:
    if fault == "full" and no_small_disk() is None:
        fault = SMALL
    if fault != SMALL and shutil.which("cc") is None:
        skip_without("cc")
    with disk_that_fails(fault, 1, tmp_path) as disk:
        company = Company(fault, 1, disk)
        asyncio.run(company.run(seconds=1))
    assert company.broken == []
    assert company.refusals or fault == "read errors"

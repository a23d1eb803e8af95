"""The benchmark's own programs, made once."""

import shutil

import pytest

from benchmarks.install import Cache
from tests.conftest import skip_without


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    if shutil.which("cc") is None:
        skip_without("cc")
    return Cache(tmp_path_factory.mktemp("benchmarks"))

"""One JavaScript project for all tests of this folder."""

import shutil

import pytest

from tests.clients.project import Project
from tests.conftest import skip_without


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    if shutil.which("npm") is None:
        skip_without("npm")
    project = Project(tmp_path_factory.mktemp("project"))
    project.install()
    return project

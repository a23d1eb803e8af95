"""Every limit is held by a test that goes just under and just over it."""

from pathlib import Path

from collabdoc.config import Limits
from tests.limits import bounding_tests

TESTS = Path(__file__).parent


def test_every_limit_has_a_test_that_goes_just_under_and_just_over_it() -> None:
    assert Limits.model_fields.keys() - bounding_tests(TESTS).keys() == set()

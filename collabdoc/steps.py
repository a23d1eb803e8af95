"""Work in short steps, so that whoever does it may do other things between two of them."""

from collections.abc import Generator
from typing import TypeVar

_Result = TypeVar("_Result")

Steps = Generator[None, None, _Result]
"""Each `next` is one step; what comes of it all is returned at the end."""


def finish(steps: Steps[_Result]) -> _Result:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: _Result = end.value
            return result

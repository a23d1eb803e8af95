"""Tests say which limits they hold; `test_limits.py` sees that none is left out."""

import ast
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from collabdoc.config import Limits

_Test = TypeVar("_Test", bound=Callable[..., object])


def bounds(*names: str) -> Callable[[_Test], _Test]:
    """The test goes just under these limits, where all is well, and just over them."""
    assert set(names) <= Limits.model_fields.keys()
    return lambda test: test


def bounding_tests(folder: Path) -> dict[str, list[str]]:
    """For each limit the tests of a folder that say they hold it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    match decorator:
                        case ast.Call(ast.Name("bounds"), names):
                            for name in names:
                                assert isinstance(name, ast.Constant)
                                found[str(name.value)].append(f"{path.relative_to(folder)}::{node.name}")
    return found

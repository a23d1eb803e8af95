"""`python -m tests.standing serve ...`: a server whose CRDT library stands still over a text that says so.

No update is known over which the real one does; there were some, and there may be others.
"""

import time
from collections.abc import Iterable
from typing import Any

from pycrdt import Doc

from collabdoc import document
from collabdoc.cli import main
from collabdoc.steps import Steps

WATCHED = ("-m", "tests.standing", "serve")
STILL = "stand still"

_apply, _load_in_steps = document._apply, document._load_in_steps


def _stand_still_over(content: bytes) -> None:
    while STILL.encode() in content:
        time.sleep(1)


def _apply_or_not(doc: Doc[Any], updates: Iterable[bytes]) -> None:
    each = list(updates)
    _stand_still_over(b"".join(each))
    _apply(doc, each)


def _load_or_not(doc: Doc[Any], snapshot: bytes, tail: Iterable[bytes], *, in_one_go: bool = False) -> Steps[None]:
    _stand_still_over(snapshot)
    yield from _load_in_steps(doc, snapshot, tail, in_one_go=in_one_go)


if __name__ == "__main__":
    document._apply = _apply_or_not
    document._load_in_steps = _load_or_not
    main()

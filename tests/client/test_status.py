"""What is told of a document, from facts alone."""

import re
from dataclasses import replace
from typing import Any, get_args

import pytest

from collabdoc.client.status import Facts, Status, StatusKind, Trouble, derive_status
from tests.test_imports import WEB

WELL = Facts("up", None, "open", None, "write", unsaved=False, holding=False)
LINE, CHANNEL = Trouble(1006, "line", 3.0), Trouble(1013, "channel", 4.0)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Status("saved")),
        ({"unsaved": True}, Status("saving", unsaved=True)),
        ({"mode": "read"}, Status("readonly")),
        ({"channel": "opening"}, Status("connecting")),
        ({"channel": "away"}, Status("connecting")),
        ({"channel": "waiting"}, Status("reconnecting", trouble=CHANNEL)),
        ({"holding": True, "unsaved": True}, Status("unsaveable", unsaved=True, trouble=CHANNEL)),
        ({"channel": "refused"}, Status("refused", trouble=CHANNEL)),
        ({"channel": "replaced", "line": "waiting"}, Status("replaced", trouble=CHANNEL)),
        ({"line": "refused", "channel": "away"}, Status("refused", trouble=LINE)),
        ({"line": "waiting", "channel": "away"}, Status("reconnecting", trouble=LINE)),
        ({"line": "connecting", "channel": "away"}, Status("connecting")),
        ({"line": "idle", "channel": "away", "unsaved": True}, Status("offline", unsaved=True)),
    ],
)
def test_facts_make_a_status(facts: dict[str, Any], expected: Status) -> None:
    assert derive_status(replace(WELL, line_trouble=LINE, channel_trouble=CHANNEL, **facts)) == expected


def test_the_words_are_the_browsers() -> None:
    source = (WEB / "sync" / "status.ts").read_text(encoding="utf-8")
    assert set(re.findall(r"\| \{ kind: '(\w+)'", source)) == set(get_args(StatusKind))

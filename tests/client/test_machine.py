"""The two tables, beside those of the browser's provider."""

import re
from collections.abc import Mapping

from collabdoc.client.machine import CHANNEL, LINE, move
from tests.test_imports import WEB

Table = Mapping[str, Mapping[str, str]]


def browsers_table(name: str) -> dict[str, dict[str, str]]:
    source = (WEB / "sync" / "machine.ts").read_text(encoding="utf-8")
    found = re.search(rf"export const {name}: .*? = \{{\n(.*?)\n\}}", source, re.DOTALL)
    assert found
    return {
        state: dict(re.findall(r"'?([\w-]+)'?: '(\w+)'", moves))
        for state, moves in re.findall(r"^  (\w+): \{(.*?)\},$", found[1], re.MULTILINE)
    }


def without_offline(table: dict[str, dict[str, str]]) -> Table:
    return {
        state: {event: after for event, after in moves.items() if event != "cut"}
        for state, moves in table.items()
        if state != "offline"
    }


def test_the_line_moves_as_in_the_browser_but_for_what_only_a_browser_knows() -> None:
    assert without_offline(browsers_table("LINE")) == LINE


def test_the_channel_moves_as_in_the_browser() -> None:
    assert browsers_table("CHANNEL") == CHANNEL


def test_a_stale_event_moves_nothing() -> None:
    assert move(CHANNEL, "replaced", "open") is None
    assert move(LINE, "up", "lose") == "waiting"

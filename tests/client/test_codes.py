"""What a close code asks of the client."""

import pytest

from collabdoc.client.codes import action_of


@pytest.mark.parametrize(
    ("code", "action"),
    [
        *((code, "retry") for code in (1000, 1001, 1006, 1011, 1012, 1013, 4000, 4408, 4429, 4500)),
        *((code, "stop") for code in (1003, 1009, 4400, 4401, 4403, 4404, 4413, 4423, 4499)),
        (4409, "replaced"),
    ],
)
def test_a_code_asks_for_one_of_three_things(code: int, action: str) -> None:
    assert action_of(code) == action

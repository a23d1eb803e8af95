"""What a close code asks of the client (docs/protocol.md, "Close codes"), for the socket as for one channel."""

from typing import Literal

Action = Literal["stop", "retry", "replaced"]

STOP_CODES = frozenset((1003, 1009))
RETRY_CODES = frozenset((4408, 4429))
REPLACED_CODE = 4409
LOST = 1006
"""What a line that broke without a word is closed with (RFC 6455, section 7.4.1)."""


def action_of(code: int) -> Action:
    """Codes from 4400 that this version does not know stop the client: a newer server means by them what trying again
    will not mend. Any other code is a lost line."""
    if code == REPLACED_CODE:
        return "replaced"
    return "stop" if code in STOP_CODES or (4400 <= code <= 4499 and code not in RETRY_CODES) else "retry"

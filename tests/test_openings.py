"""What clients that come together lack is made once."""

from collabdoc.config import Limits
from collabdoc.openings import Openings
from collabdoc.protocol.messages import DEFLATE


def test_what_is_deflated_is_deflated_once_until_it_is_forgotten() -> None:
    openings = Openings(Limits(deflate_least_bytes=100))
    update = openings.get(b"\x00", lambda: b"update" * 1000)
    deflated, encoding = openings.encode(update, DEFLATE)
    assert (len(deflated) < len(update), encoding) == (True, DEFLATE)
    assert openings.encode(openings.get(b"\x00", lambda: b""), DEFLATE)[0] is deflated
    openings.forget()
    assert openings.encode(openings.get(b"\x00", lambda: b"update" * 1000), DEFLATE)[0] is not deflated

"""What clients that come together lack is made once."""

from collabdoc.openings import Openings


def test_what_is_deflated_is_deflated_once_until_it_is_forgotten() -> None:
    openings = Openings()
    update = openings.get(b"\x00", lambda: b"update" * 1000)
    deflated = openings.deflate(update)
    assert len(deflated) < len(update)
    assert openings.deflate(openings.get(b"\x00", lambda: b"")) is deflated
    openings.forget()
    assert openings.deflate(openings.get(b"\x00", lambda: b"update" * 1000)) is not deflated

"""What may be the name of a document, in every dialect."""

import unicodedata

from collabdoc.errors import Malformed

MAX_NAME_CHARACTERS = 200


def check_name(name: str) -> str:
    """Give the document's name back, or say why it is none.

    1 to 200 characters of Unicode letters and digits and `._~-/`; no segment is empty, `.` or `..`.
    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise Malformed(f"a document's name has {len(name)} characters, expected 1 to {MAX_NAME_CHARACTERS}")
    for character in name:
        category = unicodedata.category(character)
        if character not in "._~-/" and category[0] != "L" and category != "Nd":
            raise Malformed(f"a document's name holds {character!a}, expected letters, digits and ._~-/")
    for segment in name.split("/"):
        if segment in ("", ".", ".."):
            raise Malformed(f"a document's name has the segment {segment!a}")
    return name

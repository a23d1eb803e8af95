"""Live documents in a Python program, over the native protocol.

    async with connect("http://127.0.0.1:8080") as client:
        note = await client.open("notes/today")
        note.text().insert(0, "Good morning. ")
        await note.saved()

1. A lost line is taken up again by itself; what was edited meanwhile is sent then.
2. `saved()` returns only once the server has said that everything is committed.
"""

from collabdoc.characters import CharacterText
from collabdoc.client.connection import Client, connect
from collabdoc.client.document import Edit, LiveDocument, Refused
from collabdoc.client.presence import Presence
from collabdoc.client.script import edit
from collabdoc.client.status import Status, StatusKind, Trouble

__all__ = [
    "CharacterText",
    "Client",
    "Edit",
    "LiveDocument",
    "Presence",
    "Refused",
    "Status",
    "StatusKind",
    "Trouble",
    "connect",
    "edit",
]

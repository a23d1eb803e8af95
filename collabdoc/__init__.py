"""A collaborative document server that acknowledges an edit only once it is committed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collabdoc.client import connect, edit

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "edit"]


def __getattr__(name: str) -> Any:
    """The client's verbs, loaded by whoever asks for them: the server and the commands do not."""
    if name in ("connect", "edit"):
        from collabdoc import client

        return getattr(client, name)
    raise AttributeError(f"module 'collabdoc' has no attribute {name!r}")

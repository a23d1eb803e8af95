"""The error tree: our misuse, the peer's violation and the world's failure are different classes.

A `ProtocolError` carries the close code that tells the peer what to do next (docs/protocol.md, "Close codes").
"""


class CollabdocError(Exception):
    """Root of every error that collabdoc raises on purpose."""


class UsageError(CollabdocError):
    """The operator asked for something that cannot be done; the text is one line that says what to change."""


class StoreError(CollabdocError):
    """The store could not be read or written: never the same thing as "no such document"."""


class StoreDamaged(StoreError):
    """What the store holds of a document is not what was written to it."""


class StoreStopped(StoreError):
    """The store failed in a way that a retry would hide, or the server is stopping."""


class HelperError(CollabdocError):
    """The helper process died, ran out of memory or took too long over a document."""


class DocumentBroken(CollabdocError):
    """pycrdt failed inside a document; its memory is not to be trusted and it is loaded anew."""

    @property
    def told(self) -> str:
        """What the author of the update over which it broke is told."""
        return "the update could not be applied"


class TooSlow(DocumentBroken):
    """An update was given up halfway, because it took pycrdt too long."""

    @property
    def told(self) -> str:
        return str(self)


class ProtocolError(CollabdocError):
    """The peer did something that its protocol does not allow, or asked for what it cannot have."""

    code = 4400

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(ProtocolError):
    """Bytes that are not a message, or a message out of its place."""

    code = 4400


class MissingDependencies(ProtocolError):
    """An update that builds on edits which the server has not seen."""

    code = 4400


class NotAuthenticated(ProtocolError):
    code = 4401


class NotAllowed(ProtocolError):
    code = 4403


class NoSuchDocument(ProtocolError):
    code = 4404


class SilentTooLong(ProtocolError):
    code = 4408


class EpochDiffers(ProtocolError):
    code = 4409


class TooLarge(ProtocolError):
    code = 4413


class Unreadable(ProtocolError):
    """The document is there, and nobody gets it until the server's operator has seen to it."""

    code = 4423


class RateLimited(ProtocolError):
    code = 4429


class Restarting(ProtocolError):
    code = 1012


class PermissionChanged(ProtocolError):
    """What a client may do is not what it was told: it opens the document again and is told anew."""

    code = 1012


class Overloaded(ProtocolError):
    """The server cannot take this now; the same request may succeed later."""

    code = 1013

"""What can be wrong with content that somebody wants in or out of a document."""

from collabdoc.errors import CollabdocError


class ContentError(CollabdocError, ValueError):
    """Content that cannot be taken or made; the text is one sentence for the person who sent it."""


class UnknownFormat(ContentError):
    """A format or kind that does not exist, or that does not fit the other."""


class InvalidContent(ContentError):
    """Bytes that are not what their format says, with the place where they stop being it."""


class ContentTooLarge(ContentError):
    """Content over its limit of size, nesting or number of nodes."""

"""A collaborative document server that acknowledges an edit only once it is committed."""

__version__ = "0.1.0"

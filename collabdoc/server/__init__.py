"""The server on Tornado: sockets, HTTP and pages, in a process of its own or within another application."""

from collabdoc.server.app import Server, routes
from collabdoc.server.engine import Engine

__all__ = ["Engine", "Server", "routes"]

"""Tornado, and nothing else: sockets, HTTP, pages, and the composition root."""

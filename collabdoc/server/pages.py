"""The editor's page and its assets, as the web build left them in `collabdoc/static`.

Assets have a hash of their content in their names, so they may be kept for ever; the page names them and may not.
"""

import mimetypes
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from tornado.web import HTTPError, RequestHandler

from collabdoc.server.context import NOTHING_RUNS

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Styles may stand in the page because editors set them on elements; scripts may not."""

_ENCODINGS = ((".br", "br"), (".gz", "gzip"))
_NOT_BUILT = (
    b"<!doctype html><title>collabdoc</title><p>The editor is not built. "
    b"Run: npm ci &amp;&amp; npm run build, in web/.\n"
)


@dataclass(frozen=True, slots=True)
class Asset:
    media_type: str
    body: bytes
    encoded: dict[str, bytes]
    """Content encoding -> body."""


def load_assets() -> dict[str, Asset]:
    """Path below `static/` -> asset. They are some MB at most, and read once."""
    files = {path: file.read_bytes() for path, file in _walk(resources.files("collabdoc") / "static", "")}
    suffixes = tuple(suffix for suffix, _ in _ENCODINGS)
    return {
        path: Asset(
            mimetypes.guess_type(path)[0] or "application/octet-stream",
            body,
            {name: files[path + suffix] for suffix, name in _ENCODINGS if path + suffix in files},
        )
        for path, body in files.items()
        if not path.endswith(suffixes)
    }


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        found += _walk(entry, path + "/") if entry.is_dir() else [(path, entry)]
    return found


class _AssetHandler(RequestHandler):
    def initialize(self, assets: dict[str, Asset]) -> None:
        self.assets = assets

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", NOTHING_RUNS)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")

    def send(self, asset: Asset) -> None:
        body = asset.body
        accepted = {
            part.partition(";")[0].strip() for part in self.request.headers.get("Accept-Encoding", "").split(",")
        }
        for _, name in _ENCODINGS:
            if name in accepted and name in asset.encoded:
                body = asset.encoded[name]
                self.set_header("Content-Encoding", name)
                break
        self.set_header("Content-Type", asset.media_type)
        self.set_header("Vary", "Accept-Encoding")
        self.finish(body)

    def head(self, *arguments: str) -> None:
        self.get(*arguments)  # Tornado leaves the body out

    def get(self, *arguments: str) -> None:
        raise NotImplementedError


class StaticHandler(_AssetHandler):
    """`GET /static/<path>`."""

    def get(self, *arguments: str) -> None:
        asset = self.assets.get(arguments[0])
        if asset is None:
            raise HTTPError(404)
        hashed = arguments[0].startswith("assets/")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if hashed else "no-cache")
        self.send(asset)


class PageHandler(_AssetHandler):
    """`GET /` and `GET /d/<document>`: the one page, which finds its way by its address."""

    def get(self, *arguments: str) -> None:
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("Cache-Control", "no-cache")
        page = self.assets.get("index.html")
        if page is None:
            self.set_status(503)
            page = Asset("text/html; charset=utf-8", _NOT_BUILT, {})
        self.send(page)

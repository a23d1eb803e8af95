"""Keys that verify tokens: one from a file or the environment, or a set (JWKS) that rotates behind a file or a URL.

A key carries the algorithms that it may be used with: a token does not choose.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from collabdoc.errors import UsageError

MIN_SECRET_BYTES = 32
_FETCH_S = 5
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True, slots=True)
class Key:
    """What verifies a token, and the algorithms that it may be used with."""

    material: Any
    algorithms: tuple[str, ...]

    async def find(self, token: str) -> "Key":
        """One key for every token: a `KeySource` by itself."""
        return self


class KeySource(Protocol):
    async def find(self, token: str) -> Key:
        """The key that this token says it was signed with. Raises `jwt.InvalidTokenError` where there is none."""


class JwksFile:
    """A key set in a file; a new one that takes its place is read when the next token comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at_ns = -1
        self._keys: dict[str | None, Key] = {}
        self._refresh()

    async def find(self, token: str) -> Key:
        self._refresh()
        return _choose(self._keys, jwt.get_unverified_header(token).get("kid"))

    def _refresh(self) -> None:
        try:
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns != self._read_at_ns:
                self._keys = _usable(jwt.PyJWKSet.from_dict(json.loads(self._path.read_bytes())).keys)
                self._read_at_ns = changed_ns
        except (OSError, ValueError, AttributeError, jwt.PyJWTError) as error:
            if self._read_at_ns < 0:
                raise UsageError(f"the key set {self._path} cannot be read: {error}") from None
            # A set that is just being replaced: the last good one serves on.


class JwksUrl:
    """A key set behind a URL, kept for five minutes and fetched anew, at most twice a minute, for a key unheard of."""

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, timeout=_FETCH_S)

    async def find(self, token: str) -> Key:
        try:
            # The library's client blocks while it fetches.
            found = await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)
        except jwt.PyJWKClientError as error:
            raise jwt.InvalidTokenError(str(error)) from None
        return _choose(_usable([found]), found.key_id)


def open_key_set(location: str) -> KeySource:
    """A key set at a URL or in a file."""
    if location.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        return JwksUrl(location)
    if "://" in location:
        raise UsageError(f"the key set {location} would be fetched without protection: use https")
    return JwksFile(Path(location))


def read_key(material: bytes) -> Key:
    """A key from a file or the environment: a public key in PEM, or else a shared secret of at least 32 bytes."""
    stripped = material.strip()
    if not stripped.startswith(b"-----BEGIN"):
        if len(stripped) < MIN_SECRET_BYTES:
            raise UsageError(f"the token secret has {len(stripped)} bytes, expected at least {MIN_SECRET_BYTES}")
        return Key(stripped, ("HS256", "HS384", "HS512"))
    if b"PRIVATE KEY" in stripped:
        raise UsageError("the token key is a private key: the server verifies tokens and needs the public one")
    try:
        key = _public(load_pem_public_key(stripped))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"the token key is not a public key in PEM: {error}") from None
    if key is None:
        raise UsageError("the token key is of a kind that signs no tokens: use RSA, P-256, P-384, P-521 or Ed25519")
    return key


def _public(key: object) -> Key | None:
    match key:
        case RSAPublicKey():
            return Key(key, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
        case EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return Key(key, (_CURVES[key.curve.name],))
        case Ed25519PublicKey() | Ed448PublicKey():
            return Key(key, ("EdDSA",))
    return None


def _usable(found: list[jwt.PyJWK]) -> dict[str | None, Key]:
    """Key id -> key, of those that are public and sign tokens; a secret has no place in a set that is published."""
    return {each.key_id: key for each in found if (key := _public(each.key)) is not None}


def _choose(keys: dict[str | None, Key], key_id: object) -> Key:
    if key_id is None and len(keys) == 1:
        return next(iter(keys.values()))
    if not isinstance(key_id, str) or key_id not in keys:
        raise jwt.InvalidTokenError("it is signed with a key that is not in the key set")
    return keys[key_id]

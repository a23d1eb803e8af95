"""Signed tokens (JWT) to grants, through PyJWT: the most used library of its field in Python, typed and kept up.

1. The key decides the algorithms: a public key never verifies an HMAC, and `none` is no algorithm.
2. What cannot be verified is refused before any of its claims is looked at, and no token is ever logged.
3. A token grants what its claim `docs` says: `{"notes/*": "write", "public/readme": "read"}`. `*` stands for any
   characters, `/` included; where several patterns match, the strongest permission counts.
4. Who somebody is stands in `sub`; `name` and `color` (`#rrggbb`) are how others see them.
"""

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from collabdoc.auth import NEEDED, Action, Credentials, Grant, Identity, Permission, User
from collabdoc.errors import NotAllowed, NotAuthenticated, UsageError
from collabdoc.keys import KeySource, read_key

log = logging.getLogger(__name__)

MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_PATTERNS = 1_000
MAX_ID_CHARACTERS = 200
MAX_NAME_CHARACTERS = 100
LEEWAY_S = 10
"""The clocks of servers differ a little."""
VERIFIED_S = 60.0
"""For so long a signature is not verified again; a key that was taken away counts for so long."""
_REMEMBERED = 1_000
_LAST_S = 253_402_300_000
"""Of the last year that a date can have; what ends later is taken to end then."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_PERMISSIONS = {permission.name.lower(): permission for permission in Permission}


class TokenAuthenticator:
    """Implements `Authenticator` with signed tokens."""

    def __init__(
        self,
        keys: KeySource,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        revoked: Callable[[str, str | None, float], bool] = lambda user, token_id, issued_s: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._verified: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._audience = audience
        self._issuer = issuer
        self._revoked = revoked
        self._now = now
        self._refused: OrderedDict[bytes, None] = OrderedDict()

    async def authenticate(self, credentials: Credentials, document: str) -> Grant:
        claims = await self._read(credentials.token)
        permission = permission_for(claims.get("docs", {}), document)
        if permission is None:
            raise NotAllowed("you may not open this document")
        return Grant(_user(claims), permission, _expires(claims))

    async def identify(self, credentials: Credentials) -> Identity:
        claims = await self._read(credentials.token)
        return Identity(_user(claims), _expires(claims), may_create=_may_create(claims))

    async def _read(self, token: str | None) -> Mapping[str, Any]:
        """The claims of a token that counts now."""
        if token is None:
            raise NotAuthenticated("sign in to open this document")
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        try:
            claims = self._recall(digest) or self._remember(digest, await self._verify(token))
            self._check_times(claims)
        except (jwt.InvalidTokenError, UnicodeEncodeError) as error:
            self._log_once(digest, error)
            reason = "has expired" if isinstance(error, jwt.ExpiredSignatureError) else "is not valid"
            raise NotAuthenticated(f"your sign-in {reason}: sign in again") from None
        if self._revoked(claims["sub"], claims.get("jti"), claims.get("iat", 0)):
            raise NotAuthenticated("your sign-in was taken back: sign in again, or ask who runs this server")
        return claims

    async def _verify(self, token: str) -> Mapping[str, Any]:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise jwt.InvalidTokenError(f"it has {len(token)} characters, expected at most {MAX_TOKEN_CHARACTERS}")
        key = await self._keys.find(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.material,
            algorithms=list(key.algorithms),
            audience=self._audience,
            issuer=self._issuer,
            # Times are checked at each use, by the clock that was passed in.
            options={"require": ["sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        _check_claims(claims)
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._now()
        if _time(claims, "exp", now + 1) + LEEWAY_S <= now:
            raise jwt.ExpiredSignatureError("it has expired")
        if _time(claims, "nbf", now) - LEEWAY_S > now:
            raise jwt.ImmatureSignatureError("it is not valid yet")
        if _time(claims, "iat", now) - LEEWAY_S > now:
            # Else no revocation would reach it until then.
            raise jwt.ImmatureSignatureError("it was made in the future")

    def _recall(self, digest: bytes) -> Mapping[str, Any] | None:
        verified_at, claims = self._verified.get(digest, (0.0, None))
        return claims if 0 <= self._now() - verified_at < VERIFIED_S else None

    def _remember(self, digest: bytes, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """A signature is verified once, not for every document that is opened or listed with it."""
        self._verified[digest] = (self._now(), claims)
        self._verified.move_to_end(digest)
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def _log_once(self, digest: bytes, error: Exception) -> None:
        """One line a token, however often its owner tries: never the token, but what tells it from others."""
        if digest in self._refused:
            return
        self._refused[digest] = None
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
        log.warning("a token was refused (sha256 %s...): %a", digest.hex()[:12], str(error)[:200])


def _check_claims(claims: Mapping[str, Any]) -> None:
    """Once, when a token is verified: what is not as expected is refused before anything is made of it."""
    permission_for(claims.get("docs", {}), "")
    _check_id(claims, "sub")
    if "jti" in claims:
        _check_id(claims, "jti")
    for name in ("exp", "nbf", "iat"):
        _time(claims, name, 0)


def _check_id(claims: Mapping[str, Any], name: str) -> None:
    value = claims[name]
    # JSON can say half of a surrogate pair, which neither the store nor a socket can.
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS or _SURROGATE.search(value):
        raise jwt.InvalidTokenError(f"its claim {name} is not a string of 1 to {MAX_ID_CHARACTERS} characters")


def _user(claims: Mapping[str, Any]) -> User:
    name, color = claims.get("name"), claims.get("color")
    # One line, whatever the claim says: it is shown in others' pages.
    shown = " ".join(_SURROGATE.sub("", name).split())[:MAX_NAME_CHARACTERS] if isinstance(name, str) else ""
    painted = isinstance(color, str) and _COLOR.fullmatch(color)
    return User(claims["sub"], shown, color if painted else None)


def _may_create(claims: Mapping[str, Any]) -> bool:
    return any(_PERMISSIONS[name] >= NEEDED[Action.CREATE] for name in claims.get("docs", {}).values())


def _expires(claims: Mapping[str, Any]) -> float | None:
    expires = claims.get("exp")
    return None if expires is None else min(expires, _LAST_S) + LEEWAY_S


def sign_token(material: bytes, claims: Mapping[str, Any]) -> str:
    """A token signed with a shared secret or a private key in PEM."""
    stripped = material.strip()
    if not stripped.startswith(b"-----BEGIN"):
        read_key(stripped)
        return jwt.encode(dict(claims), stripped, algorithm="HS256")
    try:
        key = load_pem_private_key(stripped, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"the key to sign with is not a private key in PEM: {error}") from None
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return jwt.encode(dict(claims), stripped, algorithm=read_key(public).algorithms[0])


def permission_for(docs: object, document: str) -> Permission | None:
    """The strongest permission that the claim `docs` gives for a document; None where it gives none."""
    if not isinstance(docs, dict) or len(docs) > MAX_PATTERNS:
        raise jwt.InvalidTokenError(f"its claim docs is no map of at most {MAX_PATTERNS} patterns")
    found: Permission | None = None
    for pattern, name in docs.items():
        permission = _PERMISSIONS.get(name) if isinstance(name, str) else None
        if permission is None:
            raise jwt.InvalidTokenError(f"its claim docs gives {name!a:.40}, expected one of {', '.join(_PERMISSIONS)}")
        if (found is None or permission > found) and _matches(pattern, document):
            found = permission
    return found


def _matches(pattern: str, document: str) -> bool:
    head, *parts = pattern.split("*")
    if not parts:
        return pattern == document
    if not document.startswith(head):
        return False
    position = len(head)
    for part in parts[:-1]:
        found = document.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return document.endswith(parts[-1]) and len(document) - len(parts[-1]) >= position


def _time(claims: Mapping[str, Any], name: str, default: float) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # NaN
        raise jwt.InvalidTokenError(f"its claim {name} is no time")
    return value

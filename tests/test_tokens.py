"""Signed tokens: which are taken, what they grant, and which are refused, logged once without the token."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from collabdoc.auth import Credentials, Grant, Permission, User
from collabdoc.errors import NotAllowed, NotAuthenticated, UsageError
from collabdoc.keys import Key, read_key
from collabdoc.tokens import LEEWAY_S, MAX_TOKEN_CHARACTERS, TokenAuthenticator, permission_for, sign_token

NOW = 1_800_000_000.0
SECRET = b"s" * 32
CLAIMS: dict[str, Any] = {"sub": "ana", "docs": {"notes/*": "write"}, "exp": NOW + 60}


def pem_pair(key: Any) -> tuple[bytes, bytes]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


RSA_PRIVATE, RSA_PUBLIC = pem_pair(rsa.generate_private_key(65537, 2048))
PAIRS = {
    "RS256": (RSA_PRIVATE, RSA_PUBLIC),
    "ES256": pem_pair(ec.generate_private_key(ec.SECP256R1())),
    "ES384": pem_pair(ec.generate_private_key(ec.SECP384R1())),
    "EdDSA": pem_pair(ed25519.Ed25519PrivateKey.generate()),
    "HS256": (SECRET, SECRET),
}


def authenticate(token: str | None, document: str = "notes/a", key: bytes = SECRET, **options: Any) -> Grant:
    authenticator = TokenAuthenticator(read_key(key), now=lambda: NOW, **options)
    return asyncio.run(authenticator.authenticate(Credentials(token), document))


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_token_of_each_algorithm_is_taken(algorithm: str) -> None:
    private, public = PAIRS[algorithm]
    token = sign_token(private, CLAIMS)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert authenticate(token, key=public) == Grant(User("ana"), Permission.WRITE, NOW + 60 + LEEWAY_S)


def forged(header: Any, claims: dict[str, Any], signature: bytes = b"x") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed(payload: bytes, secret: bytes = SECRET, header: bytes = b'{"alg": "HS256", "typ": "JWT"}') -> str:
    """A genuine signature over bytes that a library might not sign."""
    said = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload))
    signature = hmac.new(secret, said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def saying(claims: str) -> str:
    """A genuine token that grants everything, with more claims in JSON as they stand."""
    return signed(b'{"docs": {"*": "admin"}, %s}' % claims.encode())


def hmac_with_public_key() -> str:
    """RS to HS confusion: the public key, known to everybody, used as an HMAC secret."""
    return signed(json.dumps(CLAIMS).encode(), RSA_PUBLIC)


BAD = {
    "another secret": sign_token(b"t" * 32, CLAIMS),
    "alg none": forged({"alg": "none", "typ": "JWT"}, CLAIMS, b""),
    "alg None": forged({"alg": "None", "typ": "JWT"}, CLAIMS, b""),
    "expired": sign_token(SECRET, {**CLAIMS, "exp": NOW - 60}),
    "not yet valid": sign_token(SECRET, {**CLAIMS, "nbf": NOW + 60}),
    "an audience that nobody asked for": sign_token(SECRET, {**CLAIMS, "aud": "other"}),
    "no subject": sign_token(SECRET, {"docs": {"*": "write"}}),
    "not three parts": "abc",
    "empty": "",
    "not JSON": f"{base64.urlsafe_b64encode(b'no json').decode()}.e30.eA",
    "huge": "a" * (MAX_TOKEN_CHARACTERS + 1),
    "not ASCII": "ü.ü.ü",
    "docs is a list": sign_token(SECRET, {**CLAIMS, "docs": ["*"]}),
    "an unknown permission": sign_token(SECRET, {**CLAIMS, "docs": {"*": "own"}}),
    "docs is nothing": saying('"sub": "ana", "docs": null'),
    "a permission in a list": saying('"sub": "ana", "docs": {"*": ["write"]}'),
    "too many patterns": signed(
        b'{"sub": "ana", "docs": {%s}}' % b", ".join(b'"%d": "read"' % n for n in range(1_001))
    ),
    "exp is text": saying('"sub": "ana", "exp": "tomorrow"'),
    "exp is no number": saying('"sub": "ana", "exp": NaN'),
    "exp is true": saying('"sub": "ana", "exp": true'),
    "exp is null": saying('"sub": "ana", "exp": null'),
    "nbf is a list": saying('"sub": "ana", "nbf": [1]'),
    "iat is text": saying('"sub": "ana", "iat": "now"'),
    "made in the future": saying(f'"sub": "ana", "iat": {NOW + 60}'),
    "sub is a number": saying('"sub": 5'),
    "sub is empty": saying('"sub": ""'),
    "sub is too long": saying(f'"sub": "{"a" * 201}"'),
    "sub is no text": saying(r'"sub": "\ud800"'),
    "jti is a number": saying('"sub": "ana", "jti": 5'),
    "jti is too long": saying(f'"sub": "ana", "jti": "{"a" * 201}"'),
    "aud is a number": saying('"sub": "ana", "aud": 5'),
    "claims that are a list": signed(b"[]"),
    "claims that are no JSON": signed(b"ana may do everything"),
    "claims nested without end": signed(b"[" * 10_000),
    "a header nested without end": forged([], {}).replace("W10", base64.b64encode(b"[" * 9_000).decode(), 1),
    "a header that is a list": forged([], CLAIMS),
    "an algorithm that is a list": forged({"alg": ["HS256"]}, CLAIMS),
    "a critical extension": signed(b'{"sub": "ana"}', header=b'{"alg": "HS256", "crit": ["new"], "new": 1}'),
    "half of a surrogate pair": "\ud800.e30.eA",
    "nul bytes": "\x00.\x00.\x00",
    "four parts": "a.b.c.d",
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_token_is_refused_and_logged_once_without_itself(what: str, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = TokenAuthenticator(read_key(SECRET), now=lambda: NOW)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(NotAuthenticated, match="sign in again"):
                asyncio.run(authenticator.authenticate(Credentials(BAD[what]), "notes/a"))
    (record,) = caplog.records
    said = record.getMessage() + repr(record.__dict__)
    assert not [part for part in BAD[what].split(".") if len(part) > 4 and part[:40] in said]


def test_what_ends_beyond_all_dates_still_has_an_end() -> None:
    for exp in ("1e999", "9" * 400):
        expires = authenticate(saying(f'"sub": "ana", "exp": {exp}')).expires
        assert expires is not None
        assert 253_402_300_000 <= expires < 253_402_300_800


def test_a_name_is_one_line_and_a_color_is_a_color() -> None:
    user = authenticate(saying(r'"sub": "ana", "name": " Ana\n\ud800 B. ", "color": "#12AB9f"')).user
    assert user == User("ana", "Ana B.", "#12AB9f")
    for claims in ('"name": 5, "color": 5', '"name": null, "color": "red"', '"color": "#123456;}"'):
        assert authenticate(saying(f'"sub": "ana", {claims}')).user == User("ana")


def test_a_pattern_of_many_stars_takes_no_longer_than_it_is_long() -> None:
    """A matcher that tries every split would need more steps than there are atoms."""
    document = "a" * 199 + "b"
    for pattern in ("*a" * 4_000 + "c", "a*" * 4_000, "*" * 8_000 + "c", "*".join("a" * 8_000) + "*c"):
        began_s = time.thread_time()
        assert permission_for({pattern: "read"}, document) is None
        assert time.thread_time() - began_s < 0.1


def test_a_public_key_never_verifies_an_hmac() -> None:
    with pytest.raises(NotAuthenticated):
        authenticate(hmac_with_public_key(), key=RSA_PUBLIC)


def test_no_token_is_told_to_sign_in() -> None:
    with pytest.raises(NotAuthenticated, match="sign in"):
        authenticate(None)


def test_an_audience_and_an_issuer_are_asked_for_where_they_are_set() -> None:
    good = sign_token(SECRET, {**CLAIMS, "aud": "collabdoc", "iss": "https://id.example"})
    assert authenticate(good, audience="collabdoc", issuer="https://id.example").user.id == "ana"
    wrong: list[dict[str, Any]] = [{"audience": "other"}, {"audience": "collabdoc", "issuer": "https://other.example"}]
    for options in wrong:
        with pytest.raises(NotAuthenticated):
            authenticate(good, **options)
    with pytest.raises(NotAuthenticated):
        authenticate(sign_token(SECRET, CLAIMS), audience="collabdoc")


def test_clocks_may_differ_a_little() -> None:
    assert authenticate(sign_token(SECRET, {**CLAIMS, "exp": NOW - 5, "nbf": NOW + 5})).user.id == "ana"


def test_a_document_that_no_pattern_names_is_not_allowed() -> None:
    with pytest.raises(NotAllowed):
        authenticate(sign_token(SECRET, CLAIMS), document="other/a")


@pytest.mark.parametrize(
    ("docs", "document", "permission"),
    [
        ({"notes/*": "write"}, "notes/a", Permission.WRITE),
        ({"notes/*": "write"}, "notes/a/b", Permission.WRITE),
        ({"notes/*": "write"}, "notes", None),
        ({"notes/*": "write"}, "my/notes/a", None),
        ({"*": "read", "notes/*": "admin"}, "notes/a", Permission.ADMIN),
        ({"notes/*": "admin", "*": "read"}, "else", Permission.READ),
        ({"notes/a": "comment"}, "notes/a", Permission.COMMENT),
        ({"notes/a": "comment"}, "notes/ab", None),
        ({"*/a": "read"}, "x/y/a", Permission.READ),
        ({"a*a": "read"}, "a", None),
        ({"a*b*c": "read"}, "aXbYc", Permission.READ),
        ({"a*b*c": "read"}, "aXcYb", None),
        ({"a.c": "read"}, "abc", None),
        ({"": "read"}, "a", None),
        ({}, "a", None),
    ],
)
def test_the_strongest_pattern_that_matches_counts(
    docs: dict[str, str], document: str, permission: Permission | None
) -> None:
    assert permission_for(docs, document) is permission


@pytest.mark.parametrize(
    ("material", "says"),
    [
        (b"short", "32"),
        (RSA_PRIVATE, "private"),
        (b"-----BEGIN PUBLIC KEY-----\nno\n-----END PUBLIC KEY-----", "PEM"),
        (pem_pair(ec.generate_private_key(ec.SECP256K1()))[1], "kind"),
    ],
)
def test_a_key_that_cannot_serve_is_named(material: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_key(material)


def test_a_signature_is_verified_again_after_a_minute() -> None:
    now = NOW
    keys = [read_key(SECRET)]

    class Rotating:
        async def find(self, token: str) -> Key:
            return keys[0]

    authenticator = TokenAuthenticator(Rotating(), now=lambda: now)
    token = sign_token(SECRET, {**CLAIMS, "exp": NOW + 10_000})
    asyncio.run(authenticator.authenticate(Credentials(token), "notes/a"))
    keys[0] = read_key(b"t" * 32)
    now += 61
    with pytest.raises(NotAuthenticated):
        asyncio.run(authenticator.authenticate(Credentials(token), "notes/a"))

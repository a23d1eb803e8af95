"""Signed tokens: which are taken, what they grant, and which are refused, logged once without the token."""

import asyncio
import base64
import json
import logging
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


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"x") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def hmac_with_public_key() -> str:
    """RS to HS confusion: the public key, known to everybody, used as an HMAC secret."""
    token: str = jwt.api_jws.PyJWS().encode(json.dumps(CLAIMS).encode(), SECRET, algorithm="HS256")
    import hashlib
    import hmac

    signed = token.rpartition(".")[0]
    signature = hmac.new(RSA_PUBLIC, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


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
    "exp is text": forged({"alg": "HS256"}, {**CLAIMS, "exp": "tomorrow"}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_token_is_refused_and_logged_once_without_itself(what: str, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = TokenAuthenticator(read_key(SECRET), now=lambda: NOW)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(NotAuthenticated, match="sign in again"):
                asyncio.run(authenticator.authenticate(Credentials(BAD[what]), "notes/a"))
    (record,) = caplog.records
    assert len(BAD[what]) < 3 or BAD[what] not in record.getMessage()


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

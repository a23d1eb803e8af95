"""Key sets that rotate."""

import asyncio
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from collabdoc.auth import Credentials
from collabdoc.errors import NotAuthenticated, UsageError
from collabdoc.keys import KeySource, open_key_set
from collabdoc.tokens import TokenAuthenticator


class Signer:
    """A private key and its entry in a key set."""

    def __init__(self, key_id: str, *, kind: str = "rsa") -> None:
        self.key_id = key_id
        self.algorithm = "RS256" if kind == "rsa" else "EdDSA"
        self.private: Any = (
            rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
        )

    @property
    def entry(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        entry = json.loads(algorithm.to_jwk(self.private.public_key()))
        return {**entry, "kid": self.key_id, "use": "sig"}

    def token(self, **header: Any) -> str:
        claims = {"sub": "ana", "docs": {"*": "read"}}
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers={"kid": self.key_id, **header})


OLD, NEW = Signer("old"), Signer("new", kind="ed25519")


def key_set(*signers: Signer) -> bytes:
    return json.dumps({"keys": [signer.entry for signer in signers]}).encode()


def is_taken(source: KeySource, token: str) -> bool:
    try:
        return asyncio.run(TokenAuthenticator(source).authenticate(Credentials(token), "a")).user.id == "ana"
    except NotAuthenticated:
        return False


def test_a_key_set_in_a_file_rotates_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    source = open_key_set(str(path))
    assert is_taken(source, OLD.token())
    assert not is_taken(source, NEW.token())
    path.write_bytes(key_set(NEW))
    os.utime(path, ns=(1, 1))
    assert is_taken(source, NEW.token())
    assert not is_taken(source, OLD.token())


def test_a_key_set_that_is_being_replaced_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    source = open_key_set(str(path))
    path.write_bytes(b"half a fi")
    os.utime(path, ns=(1, 1))
    assert is_taken(source, OLD.token())


def test_a_token_may_not_name_another_key_than_its_own(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD, NEW))
    source = open_key_set(str(path))
    assert not is_taken(source, OLD.token(kid="new"))
    assert not is_taken(source, OLD.token(kid="none of them"))


def test_a_secret_in_a_key_set_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "s", "alg": "HS256"}
    path.write_text(json.dumps({"keys": [secret]}))
    token = jwt.encode({"sub": "ana"}, b"secret" * 6, algorithm="HS256", headers={"kid": "s"})
    assert not is_taken(open_key_set(str(path)), token)


@pytest.fixture
def key_server() -> Iterator[Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        served = key_set(OLD)
        requests = 0

        def do_GET(self) -> None:
            type(self).requests += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.served)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Handler, f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        thread.join()


def test_a_key_set_behind_a_url_is_fetched_once_and_not_for_every_unknown_key(key_server: Any) -> None:
    handler, url = key_server
    source = open_key_set(url)
    assert all(is_taken(source, OLD.token()) for _ in range(5))
    assert handler.requests == 1
    assert not any(is_taken(source, OLD.token(kid=f"unknown {number}")) for number in range(20))
    assert handler.requests <= 2


def test_a_key_set_without_protection_or_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="https"):
        open_key_set("http://id.example/keys")
    with pytest.raises(UsageError, match="cannot be read"):
        open_key_set(str(tmp_path / "nothing"))

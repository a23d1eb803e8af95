"""Which authenticator the settings make, and that a server is not put on a network open by accident."""

from pathlib import Path
from typing import Any

import pytest

from collabdoc.auth import Credentials, Grant, OpenAuthenticator, Permission, User, authenticate
from collabdoc.config import load_settings
from collabdoc.errors import UsageError
from collabdoc.server.access import make_authenticator
from collabdoc.tokens import sign_token

SECRET = "s" * 32


def make(**settings: Any) -> Any:
    return make_authenticator(load_settings(settings), lambda user, token_id, issued_s: False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_server_for_one_machine_is_open(host: str) -> None:
    assert isinstance(make(host=host), OpenAuthenticator)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_a_server_on_a_network_is_open_only_by_intent(host: str) -> None:
    with pytest.raises(UsageError, match="--i-know-it-is-open"):
        make(host=host)
    assert isinstance(make(host=host, i_know_it_is_open=True), OpenAuthenticator)


@pytest.mark.gen_test
async def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLABDOC_TOKEN_KEY", SECRET)
    authenticator = make(auth="token", host="0.0.0.0")
    token = sign_token(SECRET.encode(), {"sub": "ana", "docs": {"*": "write"}})
    assert (await authenticator.authenticate(Credentials(token), "a")).user.id == "ana"


@pytest.mark.gen_test
async def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET + "\n")
    token = sign_token(SECRET.encode(), {"sub": "ana", "docs": {"*": "write"}})
    authenticator = make(auth="token", token_key_file=tmp_path / "key")
    assert (await authenticator.authenticate(Credentials(token), "a")).user.id == "ana"


def test_a_secret_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLABDOC_TOKEN_KEY", "too short")
    with pytest.raises(UsageError) as short:
        make(auth="token")
    assert "too short" not in str(short.value)
    assert "too short" not in repr(load_settings({"auth": "token"}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"auth": "token"}, "one key"),
        ({"auth": "token", "token_key": SECRET, "token_key_set": "keys.json"}, "one key"),
        ({"auth": "token", "token_key_file": "/nothing/here"}, "cannot be read"),
        ({"auth": "magic"}, "expected open, token"),
        ({"auth": "no.such.module:Thing"}, "cannot be loaded"),
        ({"auth": "collabdoc.auth:Nothing"}, "cannot be loaded"),
        ({"auth": "collabdoc.auth:NEEDED"}, "no method authenticate"),
    ],
)
def test_what_cannot_serve_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make(**settings)


class Hook:
    """An operator's own."""

    def authenticate(self, credentials: Credentials, document: str) -> Grant:
        return Grant(User("hooked"), Permission.READ)


@pytest.mark.gen_test
async def test_an_operators_own_authenticator_is_loaded_by_name() -> None:
    hook = make(auth=f"{__name__}:Hook", host="0.0.0.0")
    assert await authenticate(hook, Credentials(), "a") == Grant(User("hooked"), Permission.READ)

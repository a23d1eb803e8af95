"""Builds the authenticator that the settings name; refuses to put an open server on a network by accident."""

import importlib
from collections.abc import Callable

from collabdoc.auth import Authenticator, OpenAuthenticator
from collabdoc.config import Settings
from collabdoc.errors import UsageError
from collabdoc.keys import KeySource, open_key_set, read_key
from collabdoc.server.context import is_loopback
from collabdoc.tokens import TokenAuthenticator


def make_authenticator(settings: Settings, revoked: Callable[[str, str | None, float], bool]) -> Authenticator:
    """Raises `UsageError` where the settings name none, or an open server that others can reach.

    `revoked(user, token_id, issued_s)` says whether a token was taken back.
    """
    match settings.auth:
        case "open":
            if not (settings.i_know_it_is_open or is_loopback(settings.host)):
                raise UsageError(
                    f"on {settings.host} everybody who reaches the server could read and write every document: "
                    "set --auth token, or say --i-know-it-is-open"
                )
            return OpenAuthenticator()
        case "token":
            return TokenAuthenticator(
                _find_keys(settings),
                audience=settings.token_audience,
                issuer=settings.token_issuer,
                revoked=revoked,
            )
        case dotted if ":" in dotted:
            return _load_hook(dotted)
    raise UsageError(f"the setting auth is {settings.auth!r:.60}: expected open, token or package.module:name")


def _find_keys(settings: Settings) -> KeySource:
    given = [each for each in (settings.token_key, settings.token_key_file, settings.token_key_set) if each]
    if len(given) != 1:
        raise UsageError(
            "tokens need one key: --token-key-file, --token-key-set, or the environment variable COLLABDOC_TOKEN_KEY"
        )
    if settings.token_key is not None:
        return read_key(settings.token_key.get_secret_value().encode())
    if settings.token_key_file is not None:
        try:
            return read_key(settings.token_key_file.read_bytes())
        except OSError as error:
            raise UsageError(f"the token key {settings.token_key_file} cannot be read: {error.strerror}") from None
    assert settings.token_key_set is not None
    return open_key_set(settings.token_key_set)


def _load_hook(dotted: str) -> Authenticator:
    module, _, name = dotted.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the authenticator {dotted} cannot be loaded: {error}") from None
    # A class is made here, an object is taken as it is.
    hook: Authenticator = found() if isinstance(found, type) else found
    if not callable(getattr(hook, "authenticate", None)):
        raise UsageError(f"the authenticator {dotted} has no method authenticate(credentials, document)")
    return hook

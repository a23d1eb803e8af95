"""Commands about who may do what: tokens made here, links and revocations asked of a running server."""

import asyncio
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from collabdoc.auth import Permission
from collabdoc.errors import UsageError
from collabdoc.protocol.names import check_name
from collabdoc.tokens import sign_token
from collabdoc.transfer import TOKEN_VARIABLE, ServerPlace, path_of

URL = "http://127.0.0.1:8080"
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_ID = re.compile(r"[0-9a-f]{1,64}")
_Result = TypeVar("_Result")

url_option = click.option(
    "--url",
    envvar="COLLABDOC_URL",
    help=f"A running server; a token for it comes from {TOKEN_VARIABLE}.  [env: COLLABDOC_URL; default: {URL}]",
)


@click.command()
@click.option("--user", required=True, help="Whom the token is for (claim sub).")
@click.option(
    "--docs",
    multiple=True,
    required=True,
    metavar="PATTERN=PERMISSION",
    help="What it allows, such as 'notes/*=write'; read, comment, write or admin. May be repeated.",
)
@click.option("--name", help="How others see the user.")
@click.option("--expires", default="8h", show_default=True, metavar="TIME", help="How long it lasts: 30m, 8h, 7d.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="Shared secret, or private key in PEM, to sign with.  [the key itself: COLLABDOC_TOKEN_KEY]",
)
def token(user: str, docs: tuple[str, ...], name: str | None, expires: str, key_file: Path | None) -> None:
    """Print a signed token, for scripts and development.

    Its id, with which `collabdoc revoke --token-id` takes it back, goes to standard error.
    """
    lasts_s = _read_time(expires)
    parts = [(each, *each.rpartition("=")[::2]) for each in docs]
    if bad := [each for each, pattern, role in parts if not pattern or role.upper() not in Permission.__members__]:
        raise UsageError(f"--docs is {bad[0]!r:.80}, expected PATTERN=read, comment, write or admin")
    try:
        key = key_file.read_bytes() if key_file else os.environ.get("COLLABDOC_TOKEN_KEY", "").encode()
    except OSError as error:
        raise UsageError(f"the key {key_file} cannot be read: {error.strerror}") from None
    if not key:
        raise UsageError("a token needs a key to sign with: --key-file, or the variable COLLABDOC_TOKEN_KEY")
    allowed = {pattern: role for _, pattern, role in parts}
    now = time.time()
    token_id = secrets.token_hex(8)
    claims: dict[str, Any] = {"sub": user, "docs": allowed, "iat": now, "exp": int(now) + lasts_s, "jti": token_id}
    click.echo(sign_token(key, claims if name is None else {**claims, "name": name}))
    click.echo(f"token id: {token_id}", err=True)


@click.group()
def links() -> None:
    """Share a document by links: whoever has one may open it, in one role, until the link ends.

    The server has to run with tokens, and COLLABDOC_TOKEN has to be that of an admin of the document.
    """


@links.command("make")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["read", "comment", "write"]),
    default="read",
    show_default=True,
    help="What the link lets people do.",
)
@click.option(
    "--expires", default="7d", show_default=True, metavar="TIME", help="How long it lasts: 30m, 8h, 7d, or never."
)
@click.option("--label", default="", help="Whom it is for, so that you find it again.")
@url_option
def make_link(name: str, role: str, expires: str, label: str, url: str | None) -> None:
    """Print a new link to the document NAME. It is shown this once: the server keeps no copy of it.

    collabdoc links make notes/today --role write --expires 7d --label 'for the reviewers'
    """
    wish = {
        "permission": role,
        "label": label,
        "expires_in_s": None if expires == "never" else _read_time(expires, "never"),
    }
    made = _ask(url, lambda server: server.ask("POST", f"{path_of(check_name(name))}/links", wish))
    click.echo(f"{(url or URL).rstrip('/')}{made['path']}")
    click.echo(f"link id: {made['id']}", err=True)


@links.command("list")
@click.argument("name")
@url_option
def list_links(name: str, url: str | None) -> None:
    """Show the links to the document NAME that work: id, role, end, label, and who made it."""
    found = _ask(url, lambda server: server.ask("GET", f"{path_of(check_name(name))}/links"))
    for link in found["links"]:
        end = "never" if link["expires_at"] is None else link["expires_at"]
        by = f"by {link['created_by']}" if link["created_by"] else ""
        columns = (link["id"], f"{link['permission']:<7}", f"{end:<24}", link["label"], by)
        click.echo("  ".join(filter(None, columns)).rstrip())


@links.command("revoke")
@click.argument("name")
@click.argument("id", metavar="ID")
@url_option
def revoke_link(name: str, id: str, url: str | None) -> None:
    """Take back the link ID to the document NAME: who came by it is out within seconds."""
    if not _ID.fullmatch(id):
        raise UsageError(f"{id!r:.40} is no id of a link: `collabdoc links list {name}` shows them")
    _ask(url, lambda server: server.ask("DELETE", f"{path_of(check_name(name))}/links/{id}"))
    click.echo(f"the link {id} opens {name} no longer")


@click.command()
@click.option("--user", help="Take back every token that was made for this user up to now.")
@click.option("--token-id", help="Take back the token with this id (claim jti).")
@url_option
def revoke(user: str | None, token_id: str | None, url: str | None) -> None:
    """Take sign-ins back before they end: what is open with them closes within seconds.

    COLLABDOC_TOKEN has to be that of an admin of all documents ('*=admin').
    """
    if (user is None) == (token_id is None):
        raise UsageError("say whose tokens with --user, or which token with --token-id")
    body = {"token_id": token_id} if user is None else {"user": user}
    _ask(url, lambda server: server.ask("POST", "/api/revocations", body))
    click.echo(f"the token {token_id} counts no longer" if user is None else f"tokens of {user} count no longer")


def _read_time(expires: str, *others: str) -> int:
    """Seconds in `30m`, `8h`, `7d`; `others` are words that the caller understands beside."""
    lasting = re.fullmatch(r"([1-9]\d{0,5})([mhd])", expires)
    if lasting is None:
        raise UsageError(
            f"--expires is {expires!r:.40}, expected something like {', '.join(('30m', '8h', *others))} or 7d"
        )
    return int(lasting[1]) * _SECONDS[lasting[2]]


def _ask(url: str | None, work: Callable[[ServerPlace], Awaitable[_Result]]) -> _Result:
    async def ask() -> _Result:
        async with ServerPlace(url or URL, os.environ.get(TOKEN_VARIABLE)) as server:
            return await work(server)

    return asyncio.run(ask())

"""The commands for tokens, links and revocations, as a user runs them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner

from collabdoc.cli import commands
from collabdoc.tokens import sign_token
from tests.process import ServerProcess
from tests.test_cli import fails, run

SECRET = "s" * 32


BOSS = sign_token(SECRET.encode(), {"sub": "boss", "docs": {"*": "admin"}})


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("access")
    note = folder / "note.txt"
    note.write_text("hello")
    flags = ("--auth", "token")
    with ServerProcess(folder / "data", *flags, environment={"COLLABDOC_TOKEN_KEY": SECRET}) as started:
        said(run("import", str(note), COLLABDOC_URL=started.url, COLLABDOC_TOKEN=BOSS))
        yield started


@pytest.fixture
def server(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """Whose commands are those of an admin. It has one document, to whose links a test adds none that stays."""
    monkeypatch.setenv("COLLABDOC_URL", shared_server.url)
    monkeypatch.setenv("COLLABDOC_TOKEN", BOSS)
    return shared_server


def token(user: str, docs: str) -> str:
    return said(run("token", "--user", user, "--docs", docs, COLLABDOC_TOKEN_KEY=SECRET))


def said(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_help_teaches() -> None:
    helps = [
        CliRunner().invoke(commands, [*command.split(), "--help"])
        for command in ("", "links", "links make", "links list", "links revoke", "revoke", "token")
    ]
    assert [each.exit_code for each in helps] == [0] * len(helps)
    top, links, make, *_ = [" ".join(each.output.split()) for each in helps]
    assert all(word in top for word in ("links", "revoke", "token"))
    assert "COLLABDOC_TOKEN has to be that of an admin" in links
    assert "collabdoc links make notes/today --role write --expires 7d --label" in make


@pytest.mark.parametrize("flag", ["--token-key", "--token", "--key"])
@pytest.mark.parametrize("command", ["serve", "token", "links list", "links make", "revoke", "import", "export"])
def test_no_secret_is_taken_from_the_command_line(command: str, flag: str) -> None:
    """There every user of the machine can read it."""
    result = CliRunner().invoke(commands, [*command.split(), flag, SECRET])
    assert result.exit_code == 2
    assert SECRET not in result.output
    assert "No such option" in result.output


def test_a_token_says_who_what_since_when_until_when_and_which_it_is() -> None:
    result = run(
        *(
            "token",
            "--user",
            "ana",
            "--name",
            "Ana",
            "--docs",
            "notes/*=write",
            "--docs",
            "a=b=read",
            "--expires",
            "8h",
        ),
        COLLABDOC_TOKEN_KEY=SECRET,
    )
    claims = jwt.decode(said(result), SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["name"]) == ("ana", "Ana")
    assert claims["docs"] == {"notes/*": "write", "a=b": "read"}
    assert 8 * 3600 - 1 <= claims["exp"] - claims["iat"] <= 8 * 3600
    assert result.stderr.strip() == f"token id: {claims['jti']}"
    assert len(result.stdout.splitlines()) == 1, "for scripts: TOKEN=$(collabdoc token ...)"


def test_a_link_is_made_listed_used_and_taken_back(server: ServerProcess) -> None:
    made = run("links", "make", "note.txt", "--role", "read", "--expires", "7d", "--label", "for Bob")
    address, _, secret = said(made).partition("#")
    assert address == f"{server.url}/share"
    link_id = made.stderr.strip().removeprefix("link id: ")
    listed = said(run("links", "list", "note.txt"))
    assert re.fullmatch(rf"{link_id}  read     \d{{4}}-\d\d-\d\dT[\d:.]+Z  for Bob  by boss", listed)
    assert said(run("export", "note.txt", COLLABDOC_TOKEN=secret)) == "hello"
    fails(run("links", "list", "note.txt", COLLABDOC_TOKEN=secret), "may not administer")
    assert said(run("links", "revoke", "note.txt", link_id)) == f"the link {link_id} opens note.txt no longer"
    assert said(run("links", "list", "note.txt")) == ""
    fails(run("export", "note.txt", COLLABDOC_TOKEN=secret), "no link of yours opens this document now")
    fails(run("links", "revoke", "note.txt", link_id), "taken back already")


def test_a_link_may_last(server: ServerProcess) -> None:
    said(run("import", __file__, "--to", "lasting"))
    said(run("links", "make", "lasting", "--role", "write", "--expires", "never"))
    assert re.fullmatch(r"[0-9a-f]{16}  write    never +by boss", said(run("links", "list", "lasting")))


def test_sign_ins_are_taken_back_by_user_and_by_id(server: ServerProcess) -> None:
    first, other = token("ana", "*=read"), token("bob", "*=read")
    assert said(run("revoke", "--user", "ana")) == "tokens of ana count no longer"
    fails(run("export", "note.txt", COLLABDOC_TOKEN=first), "taken back")
    assert said(run("export", "note.txt", COLLABDOC_TOKEN=token("ana", "*=read"))) == "hello", "a newer one counts"
    assert said(run("export", "note.txt", COLLABDOC_TOKEN=other)) == "hello"
    token_id = jwt.decode(other, options={"verify_signature": False})["jti"]
    assert said(run("revoke", "--token-id", token_id)) == f"the token {token_id} counts no longer"
    fails(run("export", "note.txt", COLLABDOC_TOKEN=other), "taken back")
    fails(run("revoke", "--user", "boss", COLLABDOC_TOKEN=token("ana", "*=write")), "admin of all documents")


@pytest.mark.parametrize("docs", ["*", "read", "=read", "*=boss"])
def test_a_grant_that_is_none_is_shown_as_it_was_given(docs: str) -> None:
    fails(run("token", "--user", "ana", "--docs", docs, COLLABDOC_TOKEN_KEY=SECRET), f"--docs is '{docs}', expected")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["links", "make", "nothing"], "no document 'nothing'"),
        (["links", "make", "a b"], "a document's name holds ' '"),
        (["links", "make", "note.txt", "--expires", "soon"], "30m, 8h, never or 7d"),
        (["links", "make", "note.txt", "--label", "x" * 101], "100 characters"),
        (["links", "revoke", "note.txt", "../../x"], "is no id of a link"),
        (["links", "revoke", "note.txt", "0123"], "does not exist"),
        (["links", "list", "note.txt", "--url", "http://127.0.0.1:1"], "no server answers"),
        (["revoke"], "--user"),
        (["revoke", "--user", "a", "--token-id", "b"], "--token-id"),
        (["revoke", "--user", "x" * 201], "200 characters"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_code_2(server: ServerProcess, arguments: list[str], says: str) -> None:
    fails(run(*arguments), says)


def test_an_open_server_is_told_apart(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as started:
        fails(run("links", "make", "a", "--url", started.url), "--auth token")
        fails(run("revoke", "--user", "ana", "--url", started.url), "--auth token")


def test_who_shows_no_token_is_told_where_one_goes(server: ServerProcess) -> None:
    for command in (["export", "note.txt"], ["links", "list", "note.txt"], ["revoke", "--user", "ana"]):
        fails(run(*command, COLLABDOC_TOKEN=""), "into the variable COLLABDOC_TOKEN")

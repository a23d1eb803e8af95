"""The command line: `collabdoc serve`, and tools for an operator."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from collabdoc import __version__
from collabdoc.cli_access import URL, links, revoke, token, url_option
from collabdoc.cli_serve import serve as serve_settings
from collabdoc.cli_store import backup, repair, verify
from collabdoc.config import Settings, load_settings
from collabdoc.content import FORMATS, KINDS, import_content, import_kind
from collabdoc.errors import CollabdocError, UsageError
from collabdoc.protocol.names import check_name
from collabdoc.transfer import TOKEN_VARIABLE, FolderPlace, Place, ServerPlace, name_for

EXIT_USAGE = 2
_STDOUT = 1
MARKDOWN_SUFFIXES = {".md", ".markdown"}


def main() -> None:
    """Run a command; a failure that the user can mend is one line and exit code 2, never a traceback."""
    try:
        commands.main(prog_name="collabdoc", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except CollabdocError as error:
        click.echo(f"collabdoc: {error}", err=True)
        sys.exit(EXIT_USAGE)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="collabdoc")
def commands() -> None:
    """Edit documents together: a server with its editor, and tools for its documents."""


@commands.command()
@click.option("--host", help="Address to listen on.  [env: COLLABDOC_HOST; default: 127.0.0.1]")
@click.option("--port", type=int, help="Port; 0 takes a free one.  [env: COLLABDOC_PORT; default: 8080]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that holds the documents.  [env: COLLABDOC_DATA; default: ./collabdoc-data]",
)
@click.option(
    "--open/--no-open", "open_", default=None, help="Show the editor in a browser.  [env: COLLABDOC_OPEN; default: no]"
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this other origin use the server; may be repeated.  [env: COLLABDOC_ALLOW_ORIGIN, a JSON list]",
)
@click.option(
    "--auth",
    metavar="MODE",
    help="open: everybody may do everything; token: signed tokens (JWT) say who may do what; package.module:name: an "
    "authenticator of your own.  [env: COLLABDOC_AUTH; default: open]",
)
@click.option(
    "--i-know-it-is-open",
    is_flag=True,
    default=None,
    help="Listen on a network without tokens.  [env: COLLABDOC_I_KNOW_IT_IS_OPEN]",
)
@click.option(
    "--token-key-file",
    type=click.Path(path_type=Path),
    help="Public key in PEM, or shared secret, that verifies tokens.  [env: COLLABDOC_TOKEN_KEY_FILE; the key itself: "
    "COLLABDOC_TOKEN_KEY]",
)
@click.option(
    "--token-key-set", metavar="URL|FILE", help="Key set (JWKS) that verifies tokens.  [env: COLLABDOC_TOKEN_KEY_SET]"
)
@click.option("--token-audience", help="Audience that tokens must name.  [env: COLLABDOC_TOKEN_AUDIENCE]")
@click.option("--token-issuer", help="Issuer that tokens must name.  [env: COLLABDOC_TOKEN_ISSUER]")
@click.option(
    "--watchdog/--no-watchdog",
    default=None,
    help="Start the server again when it stands still or dies.  [env: COLLABDOC_WATCHDOG; default: yes]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How log lines look.  [env: COLLABDOC_LOG_FORMAT; default: text]",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least that is logged.  [env: COLLABDOC_LOG_LEVEL; default: info]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="COLLABDOC_CONFIG",
    help="TOML file with these settings by name (port = 8080), and a table [limits].  [env: COLLABDOC_CONFIG]",
)
def serve(config: Path | None, open_: bool | None, allow_origin: tuple[str, ...], **flags: Any) -> None:
    """Run the server with its editor until Ctrl-C or SIGTERM.

    A flag is stronger than its environment variable, and that is stronger than the configuration file.
    """
    settings = load_settings({**flags, "open": open_, "allow_origin": allow_origin or None}, config)
    _start_logging(settings)
    serve_settings(settings)


for _command in (token, links, revoke, verify, repair, backup):
    commands.add_command(_command)


_data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="A data folder that no server holds, instead of a server."
)


@commands.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", metavar="NAME", help="The document's name; made of the file's name where missing.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Rich text or plain text. Default: rich for HTML and exported rich text, text for everything else.",
)
@url_option
@_data_option
def import_(files: tuple[Path, ...], to: str | None, kind: str | None, url: str | None, data: Path | None) -> None:
    """Make documents of FILES: text, Markdown, code, HTML, JSON or Yjs updates.

    Markdown stays plain text; with --kind rich it becomes rich text.
    """
    if to is not None and len(files) > 1:
        raise UsageError(f"--to names one document, but there are {len(files)} files")
    asyncio.run(_import(files, to, kind, url, data))


async def _import(
    files: tuple[Path, ...], to: str | None, kind: str | None, url: str | None, data: Path | None
) -> None:
    async with _place(url, data) as place:
        for path in files:
            content = path.read_bytes()
            natural_kind, format_ = import_kind(path.name, content)
            if kind == "rich" and path.suffix.lower() in MARKDOWN_SUFFIXES:
                format_ = "markdown"
            name = to or name_for(path)
            title = None if natural_kind == "rich" else path.name
            update = import_content(content, format_, kind=kind or natural_kind, title=title)
            await place.put(name, update)
            click.echo(f"{path} -> {name}")


@commands.command()
@click.argument("name")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Default: html for rich text, text for plain text."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else standard output."
)
@url_option
@_data_option
def export(name: str, format_: str | None, output: Path | None, url: str | None, data: Path | None) -> None:
    """Write the content of the document NAME."""
    content = asyncio.run(_export(name, format_, url, data))
    try:
        # Not through sys.stdout, which would try once more at the end, and complain.
        with open(output or _STDOUT, "wb", closefd=output is not None) as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{output or 'standard output'} cannot be written: {error.strerror}") from None


async def _export(name: str, format_: str | None, url: str | None, data: Path | None) -> bytes:
    async with _place(url, data) as place:
        return await place.get(check_name(name), format_)


def _place(url: str | None, data: Path | None) -> Place:
    if data is None:
        return ServerPlace(url or URL, os.environ.get(TOKEN_VARIABLE))
    if url is not None:
        raise UsageError("--url and --data say two places, give one")
    if not data.is_dir():
        raise UsageError(f"there is no data folder {data}")
    return FolderPlace(data)


class _TextFormatter(logging.Formatter):
    """One line is one event: what a peer wrote forges no other line, and says nothing to the terminal.

    The lines of an exception are indented, for its text may hold what a peer wrote, too.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(_CONTROLS)

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {line.translate(_CONTROLS)}" for line in lines)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def make_handler(log_format: str) -> logging.Handler:
    """Where the log goes, and how its lines look."""
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    return handler


def _start_logging(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), handlers=[make_handler(settings.log_format)])
    # Tornado warns of every frame and request that a peer breaks; those are counted and answered already.
    logging.getLogger("tornado").setLevel(logging.ERROR)
    for library in ("alembic", "asyncio", "filelock"):
        logging.getLogger(library).setLevel(logging.WARNING)

"""The command line: `collabdoc serve`, and tools for an operator."""

import asyncio
import json
import logging
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click

from collabdoc import __version__
from collabdoc.config import Settings, load_settings
from collabdoc.errors import CollabdocError

EXIT_USAGE = 2


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
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from collabdoc.server.app import Server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once: a second Ctrl-C ends a shutdown that takes too long.
        loop.add_signal_handler(number, _stop_once, loop, stop)
    async with Server(settings) as server:
        click.echo(f"listening on {server.url}")
        sys.stdout.flush()
        if settings.open:
            webbrowser.open(server.url)
        await stop.wait()
        logging.getLogger(__name__).info("stopping: committing what is on its way")


def _stop_once(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    stop.set()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)


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
        return json.dumps(line, ensure_ascii=False)


def _start_logging(settings: Settings) -> None:
    handler = logging.StreamHandler()
    if settings.log_format == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    # Tornado warns of every frame and request that a peer breaks; those are counted and answered already.
    logging.getLogger("tornado").setLevel(logging.ERROR)
    for library in ("alembic", "asyncio", "filelock"):
        logging.getLogger(library).setLevel(logging.WARNING)

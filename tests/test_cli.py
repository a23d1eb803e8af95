"""The command line, as a user runs it."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collabdoc.cli import make_handler
from tests.process import ServerProcess


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collabdoc", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
    )


def fails(result: subprocess.CompletedProcess[str], says: str) -> None:
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_help_teaches() -> None:
    for command in ("serve", "import", "export"):
        help_ = run(command, "--help")
        assert help_.returncode == 0
        assert "--data" in help_.stdout
    assert "[env: COLLABDOC_PORT; default: 8080]" in " ".join(run("serve", "--help").stdout.split())


def test_a_port_in_use_is_one_line_and_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fails(run("serve", "--port", str(port), "--data", str(tmp_path / "d")), f"cannot listen on 127.0.0.1:{port}")


def test_a_host_that_can_be_none_is_one_line_and_code_2(tmp_path: Path) -> None:
    fails(
        run("serve", "--port", "0", "--i-know-it-is-open", "--host", "a..b", "--data", str(tmp_path)),
        "cannot listen on a..b:0",
    )


def test_a_server_needs_no_standard_streams(tmp_path: Path) -> None:
    """As under a supervisor that closes them all."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "collabdoc", "serve", "--port", str(port), "--data", str(tmp_path)]
    process = subprocess.Popen(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            if run("import", __file__, "--to", "a", "--url", url).returncode == 0:
                break
        assert run("export", "a", "--url", url).stdout == Path(__file__).read_text()
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_a_data_folder_that_cannot_be_written_is_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    fails(run("serve", "--port", "0", "--data", str(tmp_path / "file" / "d")), "cannot be written")


def test_a_data_folder_that_is_held_is_one_line_and_code_2(tmp_path: Path) -> None:
    with ServerProcess(tmp_path):
        fails(run("serve", "--port", "0", "--data", str(tmp_path)), "held by another process")
        fails(run("export", "a", "--data", str(tmp_path)), "held by another process")


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--port", "70000"], {}, "port"),
        (["--config", "nothing.toml"], {}, "nothing.toml"),
        ([], {"COLLABDOC_PORT": "x"}, "port"),
        ([], {"COLLABDOC_LIMITS__FRAME_BYTES": "-1"}, "limits.frame_bytes"),
    ],
)
def test_a_setting_that_is_wrong_is_named(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    fails(run("serve", *arguments, cwd=tmp_path, **environment), says)


def test_settings_come_from_file_environment_and_flag(tmp_path: Path) -> None:
    config = tmp_path / "collabdoc.toml"
    config.write_text('log_format = "json"\nport = 1\n[limits]\ndrain_s = 5.0\n')
    with ServerProcess(tmp_path / "data", "--config", str(config)) as server:
        assert server.terminate() == 0


def test_json_logs_are_json(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "collabdoc", "serve", "--port", "0", "--data", str(tmp_path), "--log-format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
    process.terminate()
    _, logged = process.communicate(timeout=30)
    assert process.returncode == 0
    assert {json.loads(line)["level"] for line in logged.splitlines()} == {"info"}


def test_files_go_in_and_out_of_a_folder_that_nobody_holds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    note = tmp_path / "My notes.md"
    note.write_text("# Grüße 👋\n")
    imported = run("import", str(note), "--data", str(data))
    assert imported.returncode == 0, imported.stderr
    assert "-> My-notes.md" in imported.stdout
    assert run("export", "My-notes.md", "--data", str(data)).stdout == "# Grüße 👋\n"
    fails(run("import", str(note), "--data", str(data)), "already")
    fails(run("export", "nothing", "--data", str(data)), "no document 'nothing'")
    fails(run("export", "a b", "--data", str(data)), "a document's name holds ' '")


def test_files_go_in_and_out_of_a_running_server(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>Page</title><h2>Head</h2><p>Body <b>bold</b><script>alert(1)</script></p>")
    code = tmp_path / "code.py"
    code.write_text("print('x')\n")
    with ServerProcess(tmp_path / "data") as server:
        assert run("import", str(page), str(code), "--url", server.url).returncode == 0
        assert run("export", "page.html", "--url", server.url, "--format", "markdown").stdout == (
            "## Head\n\nBody **bold**\n"
        )
        out = tmp_path / "out.yjs"
        assert run("export", "code.py", "--url", server.url, "--format", "yjs", "-o", str(out)).returncode == 0
        assert run("import", str(out), "--to", "copy", "--url", server.url).returncode == 0
        assert run("export", "copy", "--url", server.url).stdout == "print('x')\n"
        fails(run("import", str(code), "--url", server.url), "already")
        fails(run("export", "nothing", "--url", server.url), "no document 'nothing'")
    fails(run("export", "copy", "--url", server.url), "no server answers")


def test_import_of_what_is_no_text_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    image = tmp_path / "image.png"
    image.write_bytes(b"\x89PNG\r\n\xff")
    fails(run("import", str(image), "--data", str(data)), "UTF-8")


def test_an_export_into_a_full_disk_or_a_pipe_that_nobody_reads_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("x" * 1_000_000)
    assert run("import", str(text), "--data", str(tmp_path)).returncode == 0
    command = f"{sys.executable} -m collabdoc export text.txt --data {tmp_path}"
    for full, why in (("> /dev/full", "No space left"), ("| head -c 1 > /dev/null", "Broken pipe")):
        result = subprocess.run(f"{command} {full}", shell=True, stderr=subprocess.PIPE, text=True, check=False)
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert f"standard output cannot be written: {why}" in result.stderr


def test_a_server_that_is_another_is_told_apart(tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        fails(run("import", __file__, "--url", url), "no collabdoc server")
        fails(run("export", "a", "--url", url), "no collabdoc server")
        other.shutdown()


def test_what_a_peer_wrote_forges_no_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    handler = make_handler("text")
    handler.emit(
        logging.LogRecord("a", logging.ERROR, "", 1, "said %s", ("a\n12:00:00 INFO    all is well\x1b[2J",), None)
    )
    assert capsys.readouterr().err.splitlines()[0].endswith("said a\\x0a12:00:00 INFO    all is well\\x1b[2J")
    make_handler("json").emit(logging.LogRecord("a", logging.ERROR, "", 1, "said \ud800\u2028", (), None))
    assert json.loads(capsys.readouterr().err)["message"] == "said \ud800\u2028"


def test_what_a_peer_wrote_forges_no_line_within_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("a\n12:00:00 INFO    all is well\x1b[2J")
    except ValueError:
        make_handler("text").emit(logging.LogRecord("a", logging.ERROR, "", 1, "failed", (), sys.exc_info()))
    first, *others = capsys.readouterr().err.split("\n")[:-1]
    assert first.endswith("failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)
    assert others[-1] == "  12:00:00 INFO    all is well\\x1b[2J"


def test_a_server_with_tokens_serves_who_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLABDOC_TOKEN_KEY", "s" * 32)
    note = tmp_path / "note.txt"
    note.write_text("hello")
    with ServerProcess(tmp_path / "data", "--auth", "token") as server:
        fails(run("import", str(note), "--url", server.url), "asks for a token")
        token = run("token", "--user", "ana", "--docs", "*=write", "--expires", "30m").stdout.strip()
        assert run("import", str(note), "--url", server.url, COLLABDOC_TOKEN=token).returncode == 0
        assert run("export", "note.txt", "--url", server.url, COLLABDOC_TOKEN=token).stdout == "hello"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--docs", "a=own"], "expected PATTERN="),
        (["--docs", "a=read", "--expires", "soon"], "30m, 8h or 7d"),
        (["--docs", "a=read", "--key-file", "/nothing"], "cannot be read"),
    ],
)
def test_a_token_that_cannot_be_made_is_refused_in_words(arguments: list[str], says: str) -> None:
    fails(run("token", "--user", "ana", *arguments, COLLABDOC_TOKEN_KEY="s" * 32), says)


def test_a_server_on_a_network_is_not_open_by_accident(tmp_path: Path) -> None:
    fails(run("serve", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path)), "--i-know-it-is-open")

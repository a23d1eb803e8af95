"""Where settings come from, which one wins, and what an operator reads who got one wrong."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collabdoc.config import Limits, load_settings
from collabdoc.errors import UsageError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("COLLABDOC_"):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "collabdoc.toml"


def refusal(flags: dict[str, Any], config: Path | None = None) -> str:
    with pytest.raises(UsageError) as raised:
        load_settings(flags, config)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_without_any_the_defaults_stand() -> None:
    settings = load_settings({"port": None, "data": None})
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8080, Path("collabdoc-data"))
    assert settings.limits == Limits()


def test_a_flag_beats_the_environment_which_beats_the_file(monkeypatch: pytest.MonkeyPatch, toml: Path) -> None:
    toml.write_text('port = 1\nhost = "file"\nlog_level = "debug"\n')
    monkeypatch.setenv("COLLABDOC_PORT", "2")
    monkeypatch.setenv("COLLABDOC_HOST", "environment")
    settings = load_settings({"port": 3, "host": None}, toml)
    assert (settings.port, settings.host, settings.log_level) == (3, "environment", "debug")


def test_a_flag_may_be_a_value_that_counts_as_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLABDOC_PORT", "2")
    monkeypatch.setenv("COLLABDOC_OPEN", "yes")
    settings = load_settings({"port": 0, "open": False})
    assert (settings.port, settings.open) == (0, False)


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch, toml: Path) -> None:
    monkeypatch.setenv("COLLABDOC_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1,::1")
    assert [str(each) for each in load_settings({}).trusted_proxies] == ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]
    monkeypatch.delenv("COLLABDOC_TRUSTED_PROXIES")
    toml.write_text('trusted_proxies = ["10.0.0.0/8"]')
    assert [str(each) for each in load_settings({}, toml).trusted_proxies] == ["10.0.0.0/8"]
    assert "trusted_proxies.0 is 'proxy.example'" in refusal({"trusted_proxies": "proxy.example"})
    assert "trusted_proxies.0 is '10.0.0.1/8'" in refusal({"trusted_proxies": "10.0.0.1/8"})


def test_limits_come_from_everywhere_one_by_one(monkeypatch: pytest.MonkeyPatch, toml: Path) -> None:
    toml.write_text("[limits]\nframe_bytes = 1000\nupdate_bytes = 2000\n")
    monkeypatch.setenv("COLLABDOC_LIMITS__UPDATE_BYTES", "3000")
    monkeypatch.setenv("COLLABDOC_LIMITS__ROOM_IDLE_S", "0.5")
    limits = load_settings({}, toml).limits
    assert (limits.frame_bytes, limits.update_bytes, limits.room_idle_s) == (1000, 3000, 0.5)
    assert limits.document_bytes == Limits().document_bytes


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("https://a.example", ("https://a.example",)),
        ("https://a.example, http://b.example:81,", ("https://a.example", "http://b.example:81")),
    ],
)
def test_origins_in_the_environment_have_commas_between_them(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLLABDOC_ALLOW_ORIGIN", text)
    assert load_settings({}).allow_origin == origins


def test_origins_in_a_file_are_a_list(toml: Path) -> None:
    toml.write_text('allow_origin = ["https://a.example", "https://b.example"]')
    assert load_settings({}, toml).allow_origin == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("COLLABDOC_PORT", "http", "port is 'http'"),
        ("COLLABDOC_PORT", "65536", "port is '65536'"),
        ("COLLABDOC_PORT", "-1", "port is '-1'"),
        ("COLLABDOC_LOG_FORMAT", "xml", "log_format is 'xml'"),
        ("COLLABDOC_OPEN", "perhaps", "open is 'perhaps'"),
        ("COLLABDOC_LIMITS__FRAME_BYTES", "0", "limits.frame_bytes is '0'"),
        ("COLLABDOC_LIMITS__FRAME_BYTES", "1.5", "limits.frame_bytes is '1.5'"),
        ("COLLABDOC_LIMITS__ROOM_IDLE_S", "nan", "limits.room_idle_s is 'nan'"),
        ("COLLABDOC_LIMITS__FRAME_BITES", "1", "limits.frame_bites is '1'"),
        ("COLLABDOC_LIMITS", "{", "limits"),
    ],
)
def test_a_wrong_environment_variable_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert said in refusal({})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port = 'http'", "port is 'http'"),
        (b"prot = 1", "prot is (hidden)"),
        (b"limits = 1", "limits is 1"),
        (b"[limits]\nframe_bites = 1", "limits.frame_bites is 1"),
        (b"port =", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(toml: Path, content: bytes, said: str) -> None:
    toml.write_bytes(content)
    assert said in refusal({}, toml)


def test_a_file_that_is_not_there_is_told(toml: Path) -> None:
    assert "does not exist" in refusal({}, toml)
    assert "does not exist" in refusal({}, toml.parent)


def test_a_wrong_flag_is_told() -> None:
    assert "port is 99999" in refusal({"port": 99999})
    assert len(refusal({"host": ["x" * 10_000]})) < 200


def test_settings_and_limits_do_not_change() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]  # what is tried here
    with pytest.raises(ValidationError):
        settings.limits.frame_bytes = 1  # type: ignore[misc]  # what is tried here


def test_every_limit_says_its_unit_and_what_it_bounds() -> None:
    counted = (
        "clients",
        "socket",
        "rows",
        "edits",
        "entries",
        "updates",
        "documents",
        "per_document",
        "revocations",
        "parts",
        "per_address",
        "exports",
    )
    for name, field in Limits.model_fields.items():
        assert name.endswith(("_bytes", "_s", "_ms", *counted)), name
        assert field.description, name


@pytest.mark.parametrize(
    "line", ['token_key = ["{}"]', 'token_kye = "{}"', 'token = {{ key = "{}" }}', "token_key.x = '{}'"]
)
def test_a_secret_in_a_wrong_place_is_not_shown(tmp_path: Path, line: str) -> None:
    config = tmp_path / "collabdoc.toml"
    config.write_text(line.format("hunter2" * 5))
    with pytest.raises(UsageError) as raised:
        load_settings({}, config)
    assert "hunter2" not in str(raised.value)

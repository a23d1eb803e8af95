"""Settings and limits: frozen, with their units in their names.

A setting comes, strongest first, from a command-line flag, an environment variable (`COLLABDOC_PORT`,
`COLLABDOC_LIMITS__FRAME_BYTES`), the TOML file, its default here.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from collabdoc.errors import UsageError

KIB, MIB = 1024, 1024 * 1024


class Limits(BaseModel):
    """What bounds each queue, buffer and message. What happens past a limit stands with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_bytes: PositiveInt = Field(16 * MIB, description="one WebSocket message; past it: 1009")
    update_bytes: PositiveInt = Field(8 * MIB, description="one update; past it: 4413")
    update_parts: PositiveInt = Field(
        150_000, description="pieces of content, embedded values and deleted ranges in one update; past it: 4413"
    )
    document_bytes: PositiveInt = Field(64 * MIB, description="snapshot and log of one document; past it: 4413")
    state_vector_clients: PositiveInt = Field(100_000, description="clients in one state vector; past it: 4400")
    awareness_bytes: PositiveInt = Field(16 * KIB, description="presence of one client; past it: 4400")
    awareness_clients: PositiveInt = Field(
        16, description="client ids that one session may announce; past it: not taken"
    )
    deflate_least_bytes: PositiveInt = Field(16 * KIB, description="what OPENED brings is compressed from this size on")
    deflate_bytes: PositiveInt = Field(
        2 * MIB, description="the same up to this size; more would hold others up, and goes as it is"
    )
    channels_per_socket: PositiveInt = Field(256, description="documents open on one socket; past it: 4429")
    messages_per_s: PositiveInt = Field(
        10_000, description="messages of one socket within a second, edits and presence among them; past it: read later"
    )
    opens_per_s: PositiveInt = Field(
        600, description="documents that one socket opens or compares within a second; past it: the next is read later"
    )
    sockets_per_address: PositiveInt = Field(
        1_000, description="WebSockets from one address, but this machine's own; past it: 429 instead of a handshake"
    )
    outbox_bytes: PositiveInt = Field(
        1 * MIB, description="edits queued for one slow reader; past it: dropped for one difference"
    )
    batch_ms: PositiveFloat = Field(5.0, description="time for which edits of a busy document are gathered, at most")
    presence_ms: PositiveFloat = Field(30.0, description="the same for presence that no edit takes along")
    held_bytes: PositiveInt = Field(
        1 * MIB,
        description="edits of one client kept while its document is loaded or takes a large one; past half of it the"
        " client is read more slowly, past it: 1013",
    )
    stateless_bytes: PositiveInt = Field(
        64 * KIB, description="one stateless message of a Hocuspocus client; past it: 4413"
    )
    stateless_per_s: PositiveInt = Field(100, description="such messages of one socket within a second; past it: 4429")
    writer_queue_bytes: PositiveInt = Field(64 * MIB, description="edits waiting for a commit; past it: 1013")
    max_commit_lag_s: PositiveFloat = Field(
        5.0, description="age of the oldest edit waiting for a commit; past it: 1013"
    )
    commit_ms: PositiveFloat = Field(
        60.0, description="time from one commit to the next while edits come; half of it after one edit alone"
    )
    commit_edits: PositiveInt = Field(64, description="edits that wait no longer than half of that, if so many do")
    commit_rows: PositiveInt = Field(5_000, description="edits in one commit")
    resume_entries: PositiveInt = Field(1_000, description="newest log entries kept for clients that come back")
    resume_bytes: PositiveInt = Field(128 * KIB, description="bytes of those entries")
    snapshot_updates: PositiveInt = Field(
        2_000, description="log entries after which a snapshot is made; of a large document more"
    )
    snapshot_bytes: PositiveInt = Field(
        4 * MIB, description="log bytes after which a snapshot is made; of a large document more"
    )
    room_idle_s: PositiveFloat = Field(60.0, description="time after which a document nobody has open leaves memory")
    silence_s: PositiveFloat = Field(60.0, description="time without a byte after which a socket is closed: 4408")
    ping_s: PositiveFloat = Field(25.0, description="time without a byte after which a socket is pinged")
    keep_alive_s: PositiveFloat = Field(
        12.0, description="time after which a client that takes 30 s of silence for a lost line is told something"
    )
    drain_s: PositiveFloat = Field(10.0, description="time that a shutdown gives commits and last snapshots")
    goaway_spread_s: PositiveFloat = Field(3.0, description="clients come back within this time after a restart")
    helper_memory_bytes: PositiveInt = Field(2048 * MIB, description="memory of the helper process")
    helper_s: PositiveFloat = Field(30.0, description="time of the helper process for one task")
    exports: PositiveInt = Field(
        32, description="contents that are read, or wait for their turn or for a slow client; past it: 429"
    )
    http_header_bytes: PositiveInt = Field(
        16 * KIB, description="head of one HTTP request, its cookies included; past it: the connection ends"
    )
    http_body_bytes: PositiveInt = Field(
        1 * MIB, description="body of one HTTP request; past it: 400, and the connection ends"
    )
    links_per_document: PositiveInt = Field(100, description="share links of one document; past it: 4429")
    revocations: PositiveInt = Field(10_000, description="users and tokens that were taken back; past it: 4429")
    apply_s: PositiveFloat = Field(2.0, description="time of the processor for one update; past it: 4400")
    stall_s: PositiveFloat = Field(3.5, description="time for which the server may stand still; past it: started again")
    standstills_per_document: PositiveInt = Field(
        2, description="updates over which the server stood still; from then on: read only"
    )
    list_documents: PositiveInt = Field(200, description="documents in one answer of the list")


class Settings(BaseSettings):
    """How one server runs."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="COLLABDOC_", env_nested_delimiter="__")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    data: Path = Path("collabdoc-data")
    open: bool = False
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    allow_origin: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = ()
    """Addresses or networks whose word (`X-Forwarded-For`) counts for where a connection comes from."""
    auth: str = "open"
    """`open`, `token`, or an `Authenticator` of the operator's own by dotted name, `package.module:name`."""
    i_know_it_is_open: bool = False
    token_key: SecretStr | None = None
    token_key_file: Path | None = None
    token_key_set: str | None = None
    token_audience: str | None = None
    token_issuer: str | None = None
    sign_in_url: str | None = None
    """Where people sign in; they come back to the address in its parameter `next`. None: the editor's own page."""
    watchdog: bool = True
    """Whether a second process starts the server again that stands still or dies."""
    recheck_s: PositiveFloat = 4.0
    """How often an authenticator of the operator's own is asked again about open documents."""
    limits: Limits = Limits()

    @field_validator("sign_in_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("expected an address that begins with https:// or http://")
        return value

    @field_validator("allow_origin", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """An environment variable lists them with commas between them."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def load_settings(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Settings from flags (None: not given), the environment and a TOML file; `UsageError` says what is wrong."""

    class Configured(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            if config is None:
                return init_settings, env_settings
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config)

    if config is not None and not config.is_file():
        raise UsageError(f"the configuration file {config} does not exist")
    try:
        return Configured(**{name: value for name, value in flags.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the configuration file {config} is not TOML: {error}") from None
    except OSError as error:
        raise UsageError(f"the configuration file {config} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # A secret may stand in its own place, or in one that is misspelt.
        is_hidden = place == "token_key" or (first["type"] == "extra_forbidden" and len(first["loc"]) == 1)
        value = "(hidden)" if is_hidden else f"{first['input']!r:.60}"
        raise UsageError(f"the setting {place} is {value}: {first['msg']}") from None
    except SettingsError as error:
        raise UsageError(str(error)) from None

"""Every setting of Hotpass, typed, in one object; no other file reads the environment.

Each field is the environment variable `HOTPASS_<FIELD>`. Units stand in the names.
`hub.cli` makes one `Settings` and hands its values on; nothing else imports this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Profile = Literal["embedded", "production"]
MINIMUM_KEY_BYTES = 32


class NotConfigured(ValueError):
    """A setting is missing without which no process can start."""


class Settings(BaseSettings):
    """The settings of one process; made once, never changed."""

    model_config = SettingsConfigDict(env_prefix="HOTPASS_", frozen=True, extra="ignore")

    profile: Profile = Field(
        "production", description="`embedded` runs own engines on loopback; `production` uses real ones"
    )
    data_directory: Path = Field(Path(".hotpass"), description="where the embedded engines and generated secrets live")
    database_url: SecretStr | None = Field(None, description="pooled Postgres DSN")
    database_direct_url: SecretStr | None = Field(
        None, description="direct Postgres DSN (locks, migrations); default: database_url"
    )
    redis_url: SecretStr | None = Field(None, description="Redis or Valkey URL")
    secret_key: SecretStr | None = Field(None, description="at least 32 bytes; signs access tokens")
    data_key: SecretStr | None = Field(None, description="at least 32 bytes; encrypts phones and addresses")
    key_file: Path | None = Field(
        None, description="file of both rings, instead of keys in variables; `hotpass keys rotate` renews it live"
    )
    previous_secret_keys: tuple[SecretStr, ...] = Field(
        (), description="secret keys that still verify tokens, newest first"
    )
    previous_data_keys: tuple[SecretStr, ...] = Field((), description="data keys that still open columns, newest first")

    message_urls: tuple[SecretStr, ...] = Field(
        (), description="Apprise URLs that carry sign-in codes; `{phone}` stands for the number"
    )
    ui_storage_secret: SecretStr | None = Field(None, description="at least 32 bytes; signs the UI's session cookies")
    ready_socket: Path | None = Field(None, description="datagram socket that is told `READY=1` (as systemd's)")

    hub_host: str = Field("127.0.0.1", description="address the hub binds")
    hub_port: int = Field(8700, ge=0, le=65535, description="port the hub binds")
    hub_workers: int = Field(1, ge=1, le=64, description="hub worker processes")
    hub_url: str = Field("http://127.0.0.1:8700", description="public address of the hub, as browsers see it")
    ui_host: str = Field("127.0.0.1", description="address the UI binds")
    ui_port: int = Field(8701, ge=0, le=65535, description="port the UI binds")
    ui_url: str = Field("http://127.0.0.1:8701", description="public address of the UI, as browsers see it")
    ui_source_address: str | None = Field(
        None, description="address from which the UI calls the hub, for the hub's trusted_proxies; default: any"
    )
    allowed_origins: tuple[str, ...] = Field((), description="further browser origins that may talk to the hub")
    trusted_proxies: tuple[str, ...] = Field((), description="addresses or networks whose X-Forwarded-For is believed")

    database_pool_size: int = Field(8, ge=2, le=200, description="Postgres connections of one process")
    access_token_seconds: int = Field(600, ge=60, le=3600, description="life of an access token")
    client_buffer_bytes: int = Field(
        256 * 1024, ge=64 * 1024, description="bytes queued for one slow client before resync"
    )
    allow_polling: bool = Field(
        False, description="let clients come by HTTP long-polling too; one worker, and sticky routing between hosts"
    )
    connections_per_person: int = Field(
        50, ge=1, description="live connections of one person, over all workers; a thousandfold when embedded"
    )
    connections_per_address: int = Field(
        1000, ge=1, description="live connections of one address, over all workers; a thousandfold when embedded"
    )
    token_grace_seconds: float = Field(
        25.0, ge=1, le=300, description="for how long after its token has expired a socket may still send a new one"
    )
    drain_seconds: float | None = Field(
        None,
        ge=0,
        le=60,
        description="from `not ready` to telling clients to go: what a load balancer takes to notice;"
        " default: 5, and 0 when embedded",
    )
    topic_ring_changes: int = Field(512, ge=16, description="recent changes a worker keeps per topic")
    change_log_days: int = Field(3, ge=1, description="whole days of history kept for recovery")
    stream_length: int = Field(5000, ge=100, description="batches kept in the Redis stream")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level logged")
    log_format: Literal["json", "text"] = Field("json", description="one JSON object or one readable line an event")

    @field_validator("secret_key", "data_key", "ui_storage_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MINIMUM_KEY_BYTES:
            raise ValueError(f"must have at least {MINIMUM_KEY_BYTES} bytes; make one with: openssl rand -base64 48")
        return value

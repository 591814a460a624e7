"""What the settings amount to: the addresses of the engines, rings of keys, limits, and how codes reach phones.

Everything here takes `Settings` and gives values; nothing is opened and nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from db.encryption import DataKeys, derive, make_data_keys
from hub.auth import senders
from hub.gateway.key_file import Rings, make_rings, read_key_file, rings_at
from hub.realtime.sockets import SocketLimits
from hub.settings import NotConfigured, Settings

# The people of a demo are in a hurry, and all live at one address.
EMBEDDED_SCALE = 1000
# A balancer that asks every second or two has asked twice by then, and sends nobody here any more.
NOTICED_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """Where the engines are."""

    database: str
    direct: str
    redis: str


def urls_of(settings: Settings) -> Urls:
    """The engines' addresses. Raises `NotConfigured` naming what to set."""
    if settings.database_url is None or settings.redis_url is None:
        raise NotConfigured(
            "set HOTPASS_DATABASE_URL and HOTPASS_REDIS_URL, or run `hotpass demo` for embedded engines"
        )
    database = settings.database_url.get_secret_value()
    direct = settings.database_direct_url or settings.database_url
    return Urls(database=database, direct=direct.get_secret_value(), redis=settings.redis_url.get_secret_value())


def secret_of(settings: Settings) -> str:
    """The secret of the variables that signs tokens. Raises `NotConfigured`."""
    if settings.secret_key is None:
        raise NotConfigured("set HOTPASS_SECRET_KEY; make one with: openssl rand -base64 48")
    return settings.secret_key.get_secret_value()


def rings_of(settings: Settings) -> Rings:
    """The keys of the key file, else of the variables. Raises `NotConfigured`."""
    if settings.key_file is None:
        previous = (key.get_secret_value() for key in settings.previous_secret_keys)
        return make_rings((secret_of(settings), *previous), _data_keys_of(settings))
    try:
        return rings_at(read_key_file(settings.key_file), datetime.now(UTC))
    except (OSError, ValueError) as error:
        raise NotConfigured(f"HOTPASS_KEY_FILE: {error}; make the file with: hotpass keys adopt") from error


def _data_keys_of(settings: Settings) -> DataKeys:
    """The keys of the private columns. Raises `NotConfigured` where real engines keep real people without one."""
    previous = [key.get_secret_value() for key in settings.previous_data_keys]
    if settings.data_key is not None:
        return make_data_keys(settings.data_key.get_secret_value(), previous)
    if settings.profile == "embedded":
        return make_data_keys(derive(secret_of(settings).encode(), "data").hex(), previous)
    raise NotConfigured("set HOTPASS_DATA_KEY; make one with: openssl rand -base64 48")


def sender_of(settings: Settings, redis: Redis) -> senders.Send:
    """How codes reach phones: the given channels, or the inbox of the embedded profile, or the console."""
    if settings.message_urls:
        return senders.to_channels([url.get_secret_value() for url in settings.message_urls])
    return senders.to_inbox(redis) if settings.profile == "embedded" else senders.to_console


def drain_seconds_of(settings: Settings) -> float:
    """How long a hub that is told to stop says `not ready` before it sends its clients away."""
    if settings.drain_seconds is not None:
        return settings.drain_seconds
    return 0.0 if settings.profile == "embedded" else NOTICED_SECONDS


def allows_polling(settings: Settings) -> bool:
    """Whether clients may come by long-polling. Raises `NotConfigured` where their requests would miss their worker."""
    if settings.allow_polling and settings.hub_workers > 1:
        raise NotConfigured(
            "HOTPASS_ALLOW_POLLING needs HOTPASS_HUB_WORKERS=1: the requests of one client must reach one worker; "
            "run one hub per worker behind a proxy that keeps each client on its hub, or leave polling off"
        )
    return settings.allow_polling


def socket_limits_of(settings: Settings) -> SocketLimits:
    """How many sockets somebody may have open with one worker."""
    scale = EMBEDDED_SCALE if settings.profile == "embedded" else 1
    return SocketLimits(
        per_principal=settings.connections_per_person * scale,
        per_address=settings.connections_per_address * scale,
        grace_seconds=settings.token_grace_seconds,
    )

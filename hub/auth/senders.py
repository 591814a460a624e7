"""How a code reaches a phone: one function `(phone, text)`, chosen by the composition root.

console    prints it: for whoever runs the hub at their desk
inbox      keeps it in Redis for an hour, readable at /v1/development/inbox where the house runs embedded
apprise    hands it to any channel that the library knows (SMS gateways, e-mail, push), by URL
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import apprise
import orjson
from redis.asyncio import Redis

from hub.domain.errors import Unavailable

INBOX = "hotpass:inbox"
MOST_KEPT = 200
KEEP_SECONDS = 3600
TIMEOUT_SECONDS = 10.0
PHONE = "{phone}"
Send = Callable[[str, str], Awaitable[None]]


async def to_console(phone: str, text: str) -> None:
    """Print the message."""
    await asyncio.to_thread(sys.stdout.write, f"message to {phone}: {text}\n")


def to_inbox(redis: Redis) -> Send:
    """Keep messages where a developer can read them."""

    async def send(phone: str, text: str) -> None:
        message = orjson.dumps({"phone": phone, "text": text, "at": datetime.now(UTC).isoformat()})
        async with redis.pipeline() as pipeline:
            pipeline.lpush(INBOX, message)
            pipeline.ltrim(INBOX, 0, MOST_KEPT - 1)
            pipeline.expire(INBOX, KEEP_SECONDS)
            await pipeline.execute()

    return send


def to_channels(urls: Sequence[str]) -> Send:
    """Hand messages to Apprise URLs, in which `{phone}` stands for the number without its plus."""

    async def send(phone: str, text: str) -> None:
        channels = apprise.Apprise()
        for url in urls:
            channels.add(url.replace(PHONE, phone.removeprefix("+")))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            is_sent = await channels.async_notify(body=text)
        if not is_sent:
            raise Unavailable("the message could not be sent: try again in a minute", retry_after=60)

    return send


async def read_inbox(redis: Redis) -> list[dict[str, str]]:
    """The kept messages, newest first."""
    return [orjson.loads(message) for message in await redis.lrange(INBOX, 0, MOST_KEPT - 1)]

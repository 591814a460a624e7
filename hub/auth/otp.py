"""Signing in, and changing one's number, by a code sent to a phone.

    ask ─► limits by address, network, range and country ─► limits by phone, in the database ─► code, hashed ─► message
    try ─► counted and compared in one statement ─► session, or the number is changed

A number that nobody has gets the same answer, in the same time: its first right code makes it a customer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import asyncpg
import phonenumbers
from redis.exceptions import RedisError

from db import otp
from db.context import context
from db.encryption import DataKeys, blind_index, blind_indexes, seal, unseal
from db.statement import Connection, Record
from hub.auth.senders import TIMEOUT_SECONDS
from hub.auth.sessions import Caller, Doorkeeper, SignIn, open_session
from hub.domain.errors import Conflict, RateLimited, Unauthenticated, Unavailable
from hub.domain.session import SessionKind
from hub.gateway.phones import PHONE
from hub.gateway.rate_limit import Limiter, Rule
from hub.observability import logs

LOG = logs.get(__name__)
DIGITS = 6
# Somebody who earns by messages sent to a range of numbers asks for many of them at once.
BY_NETWORK = Rule(name="otp-network", limit=60, period_seconds=600, local_limit=15)
BY_RANGE = Rule(name="otp-range", limit=20, period_seconds=600, local_limit=5)
BY_COUNTRY = Rule(name="otp-country", limit=1000, period_seconds=600, local_limit=250)
RANGE_SIGNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A code is on its way, or the answer is the same as if it were."""

    otp_id: str
    expires_at: datetime
    resend_after_seconds: int


async def ask(
    keeper: Doorkeeper, limiter: Limiter, phone: str, *, purpose: str, person_id: str | None, caller: Caller
) -> Asked:
    """Send a code to a number in E.164. Raises `RateLimited`."""
    verdict = await limiter.take(
        [(BY_NETWORK, _network(caller.ip)), (BY_RANGE, phone[:RANGE_SIGNS]), (BY_COUNTRY, _country(phone))]
    )
    if verdict is not None and not verdict.is_allowed:
        raise RateLimited(retry_after=verdict.retry_after_seconds)
    otp_id, code = str(uuid4()), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    index = blind_index(keeper.data_keys, phone, purpose=PHONE)
    async with keeper.database.connection() as conn:
        expires_at = await otp.SEND.value(
            conn,
            otp_id=otp_id,
            phone_index=index,
            phone=seal(keeper.data_keys, phone, table="otp", column="phone", row_id=otp_id),
            purpose=purpose,
            person_id=person_id,
            code_hash=blind_index(keeper.data_keys, otp_id + code, purpose="otp"),
            ip=caller.ip,
        )
        wait = await otp.WAIT.value(conn, phone_index=index)
    if expires_at is None:
        raise RateLimited(retry_after=max(1, wait or otp.CODE_MINUTES * 60))
    await _send(keeper, phone, code)
    return Asked(otp_id=otp_id, expires_at=expires_at, resend_after_seconds=max(1, wait or 0))


async def sign_in(keeper: Doorkeeper, otp_id: str, code: str, *, device: str, caller: Caller) -> SignIn:
    """Sign in by a code. Raises `Unauthenticated`: `otp.wrong` with the tries left, or `otp.gone`."""
    row = await _try(keeper, otp_id, code, purpose="sign-in")
    phone = unseal(keeper.data_keys, row["phone"], table="otp", column="phone", row_id=otp_id)
    async with keeper.database.connection() as conn:
        person_id = await _person_of(conn, keeper.data_keys, phone, caller)
    return await open_session(keeper, person_id, kind=SessionKind.PHONE, device=device, caller=caller)


async def change_phone(keeper: Doorkeeper, person_id: str, otp_id: str, code: str, caller: Caller) -> str:
    """Give a person the number that the code was sent to; that number. Raises `Conflict` when somebody has it."""
    row = await _try(keeper, otp_id, code, purpose="change-phone")
    if row["person_id"] != person_id:
        raise _gone()
    keys = keeper.data_keys
    phone = unseal(keys, row["phone"], table="otp", column="phone", row_id=otp_id)
    said = context(actor=person_id, reason="changed the phone", request_id=caller.request_id)
    try:
        async with keeper.database.connection() as conn:
            await otp.CHANGE_PHONE.value(
                conn,
                person_id=person_id,
                phone=seal(keys, phone, table="contact", column="phone", row_id=person_id),
                phone_index=blind_index(keys, phone, purpose=PHONE),
                context=said,
            )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("somebody has this number already", code="phone.taken") from error
    return phone


async def _try(keeper: Doorkeeper, otp_id: str, code: str, *, purpose: str) -> Record:
    hashes = blind_indexes(keeper.data_keys, otp_id + code, purpose="otp")
    async with keeper.database.connection() as conn:
        row = await otp.TRY.row(conn, otp_id=otp_id, code_hashes=hashes)
    if row is None or row["purpose"] != purpose:
        raise _gone()
    if not row["is_right"]:
        left = otp.MOST_TRIES - row["tries"]
        raise Unauthenticated("this is not the code", code="otp.wrong" if left else "otp.burned", tries_left=left)
    return row


async def _person_of(conn: Connection, keys: DataKeys, phone: str, caller: Caller) -> str:
    """Whoever has this number; a new customer when nobody has."""
    indexes = blind_indexes(keys, phone, purpose=PHONE)
    for _ in range(2):
        person_id = await otp.PERSON_BY_PHONE.value(conn, phone_indexes=indexes)
        if person_id is not None:
            return str(person_id)
        new_id = str(uuid4())
        try:
            await otp.ENROL_CUSTOMER.value(
                conn,
                person_id=new_id,
                name="Guest",
                locale="en",
                phone=seal(keys, phone, table="contact", column="phone", row_id=new_id),
                phone_index=indexes[0],
                context=context(actor=new_id, reason="first sign-in by phone", request_id=caller.request_id),
            )
        except asyncpg.UniqueViolationError:
            continue  # another sign-in by the same number was first
        return new_id
    raise _gone()


async def _send(keeper: Doorkeeper, phone: str, code: str) -> None:
    """Hand the message over; a channel that fails is logged and never changes the answer."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await keeper.send_text(
                phone, f"{code} is your Hotpass code. It works once, for {otp.CODE_MINUTES} minutes."
            )
    except (Unavailable, RedisError, OSError, TimeoutError):
        LOG.exception("a code could not be sent")


def _network(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _country(phone: str) -> str:
    return str(phonenumbers.parse(phone, None).country_code)


def _gone() -> Unauthenticated:
    return Unauthenticated("this code is used, burned, expired or was never sent: ask for a new one", code="otp.gone")

"""Passwords of the staff: checked slowly, the same for names that nobody has, and never a common one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import asyncpg

from db import passwords
from db.context import context
from db.resealing import UPGRADE_PASSWORD
from hub.auth.sessions import Caller, Doorkeeper, SignIn, open_session
from hub.domain.errors import Conflict, NotFound, RateLimited, Unauthenticated, Unprocessable
from hub.domain.session import SessionKind
from hub.gateway.rate_limit import Limiter, Rule

SHORTEST, LONGEST = 8, 128
FEWEST_DIFFERENT_SIGNS = 5
# By name and address together: nobody can lock somebody else out from afar.
BY_NAME_AND_ADDRESS = Rule(name="password", limit=10, period_seconds=900, local_limit=3)
# The most used ones of eight signs and more in published leaks; a number or sign behind does not help them.
COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").split())
STEMS = frozenset(common.rstrip("0123456789") for common in COMMON) - {""}


def check_strength(password: str, login: str) -> None:
    """Refuse a password that would be guessed. Raises `Unprocessable`."""
    normal = unicodedata.normalize("NFKC", password)
    plain = normal.casefold()
    stem = plain.rstrip("0123456789!.?*#$ ")
    if not SHORTEST <= len(normal) <= LONGEST:
        raise Unprocessable(
            f"a password has {SHORTEST} to {LONGEST} characters", code="password.length", path="$.password"
        )
    if plain in COMMON or stem in STEMS:
        raise Unprocessable(
            "this password is among the first that are tried", code="password.common", path="$.password"
        )
    if login in plain or len(set(plain)) < FEWEST_DIFFERENT_SIGNS:
        raise Unprocessable("this password is easy to guess", code="password.weak", path="$.password")


async def sign_in(
    keeper: Doorkeeper, limiter: Limiter, login: str, password: str, *, device: str, caller: Caller
) -> SignIn:
    """Sign in by name and password. Raises `Unauthenticated`, `RateLimited`, or `Unavailable` in a storm."""
    name = login.strip().casefold()
    verdict = await limiter.take([(BY_NAME_AND_ADDRESS, f"{name}|{caller.ip}")])
    if verdict is not None and not verdict.is_allowed:
        raise RateLimited(retry_after=verdict.retry_after_seconds)
    async with keeper.database.connection() as conn:
        row = await passwords.BY_LOGIN.row(conn, login=name)
    if not await keeper.hasher.check(password, None if row is None else row["hash"]) or row is None:
        raise Unauthenticated("this name and this password do not belong together", code="password.wrong")
    if not keeper.hasher.is_current(row["hash"]):
        await _upgrade(keeper, row["person_id"], password, row["hash"])
    return await open_session(keeper, row["person_id"], kind=SessionKind.PASSWORD, device=device, caller=caller)


async def _upgrade(keeper: Doorkeeper, person_id: str, password: str, old: str) -> None:
    """Bring a password under the present key, now that it is known for a moment."""
    hashed = await keeper.hasher.hash(password)
    async with keeper.database.connection() as conn:
        await UPGRADE_PASSWORD.run(conn, person_id=person_id, hash=hashed, old=old)


async def set_password(
    keeper: Doorkeeper, person_id: str, *, login: str, password: str, keep_session: str | None, caller: Caller
) -> None:
    """Set a person's name and password; every other session ends. Raises `Conflict` for a name that somebody has."""
    name = login.strip().casefold()
    check_strength(password, name)
    hashed = await keeper.hasher.hash(password)
    said = context(actor=caller.actor_id or person_id, reason="set the password", request_id=caller.request_id)
    try:
        async with keeper.database.connection() as conn:
            done = await passwords.SET.value(
                conn, person_id=person_id, login=name, hash=hashed, keep=keep_session, context=said
            )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("somebody has this name already", code="login.taken") from error
    if done is None:
        raise NotFound("there is no such active person")


async def change_password(
    keeper: Doorkeeper, person_id: str, *, old: str, new: str, session_id: str, caller: Caller
) -> None:
    """Change one's own password, knowing the old one. Raises `Unauthenticated`."""
    async with keeper.database.connection() as conn:
        row = await passwords.BY_PERSON.row(conn, person_id=person_id)
    if not await keeper.hasher.check(old, None if row is None else row["hash"]) or row is None:
        raise Unauthenticated("this is not your present password", code="password.wrong")
    await set_password(keeper, person_id, login=row["login"], password=new, keep_session=session_id, caller=caller)

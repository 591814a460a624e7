"""Sign-ins, tokens, codes and links that can never be used again are forgotten."""

from __future__ import annotations

from db import auth, otp
from db.connection import Database
from db.context import context
from hub.jobs.runner import Job


async def forget_sign_ins(database: Database) -> int:
    """Forget what is over; how many rows went."""
    said = context(actor="clock", reason="the sign-in is long over")
    async with database.connection() as connection:
        gone = await auth.FORGET_SESSIONS.run(connection, context=said)
        for statement in (auth.FORGET_TOKENS, auth.FORGET_LINKS, otp.FORGET, otp.FORGET_PHONES):
            gone += await statement.run(connection)
    return gone


JOB = Job(name="forget_sign_ins", work=forget_sign_ins, every_seconds=600.0)

"""Sign-ins against the real database: one winner, families, and the change that tells of a revocation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from db.connection import Database
from hub.auth import sessions
from hub.auth.refresh import hash_of
from hub.auth.sessions import Caller, Doorkeeper, SignIn
from hub.domain.errors import NotFound, Unauthenticated
from hub.domain.session import SessionKind
from hub.gateway.tokens import issue_demo_link, verify_access

CALLER = Caller(ip="203.0.113.7", user_agent="a browser", request_id="r-1")
NewPerson = Callable[..., Awaitable[str]]


async def sign_in(keeper: Doorkeeper, person_id: str) -> SignIn:
    return await sessions.open_session(keeper, person_id, kind=SessionKind.MINTED, device="tests", caller=CALLER)


async def execute(database: Database, statement: str, *arguments: object) -> None:
    async with database.connection() as conn:
        await conn.execute(statement, *arguments)


async def fetch(database: Database, statement: str, *arguments: object) -> list[dict[str, object]]:
    async with database.connection() as conn:
        return [dict(row) for row in await conn.fetch(statement, *arguments)]


async def tokens_of(keeper: Doorkeeper, signed_in: SignIn) -> list[dict[str, object]]:
    return await fetch(keeper.database, "select hash from refresh_token where session_id = $1", signed_in.session_id)


async def test_signing_in_gives_a_token_of_that_session(keeper: Doorkeeper, new_person: NewPerson) -> None:
    person_id = await new_person()
    signed_in = await sign_in(keeper, person_id)
    claims = verify_access(keeper.ring, signed_in.access_token)
    assert (claims.person_id, claims.session_id) == (person_id, signed_in.session_id)


async def test_the_database_never_holds_a_refresh_token(keeper: Doorkeeper, new_person: NewPerson) -> None:
    signed_in = await sign_in(keeper, await new_person())
    after = await sessions.refresh(keeper, signed_in.refresh_token, CALLER)
    kept = str(await fetch(keeper.database, "select * from refresh_token"))
    kept += str(await fetch(keeper.database, "select * from audit_event"))
    for token in (signed_in.refresh_token, after.refresh_token):
        assert token not in kept
        assert token[4:] not in kept


async def test_a_refresh_gives_the_next_pair_of_the_same_session(keeper: Doorkeeper, new_person: NewPerson) -> None:
    first = await sign_in(keeper, await new_person())
    second = await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert second.session_id == first.session_id
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token


async def test_a_lost_answer_is_given_again(keeper: Doorkeeper, new_person: NewPerson) -> None:
    first = await sign_in(keeper, await new_person())
    second = await sessions.refresh(keeper, first.refresh_token, CALLER)
    again = await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert again.refresh_token == second.refresh_token


async def test_a_hundred_refreshes_at_once_agree_on_one_successor(keeper: Doorkeeper, new_person: NewPerson) -> None:
    first = await sign_in(keeper, await new_person())
    answers = await asyncio.gather(*(sessions.refresh(keeper, first.refresh_token, CALLER) for _ in range(100)))
    assert len({answer.refresh_token for answer in answers}) == 1
    assert len(await tokens_of(keeper, first)) == 2


async def test_a_token_spent_long_ago_ends_its_session(keeper: Doorkeeper, new_person: NewPerson) -> None:
    first = await sign_in(keeper, await new_person())
    second = await sessions.refresh(keeper, first.refresh_token, CALLER)
    await execute(
        keeper.database, "update refresh_token set used_at = used_at - interval '31 seconds' where used_at is not null"
    )
    with pytest.raises(Unauthenticated) as caught:
        await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert caught.value.code == "auth.reused"
    with pytest.raises(Unauthenticated):
        await sessions.refresh(keeper, second.refresh_token, CALLER)


async def test_a_token_whose_successor_was_used_ends_its_session_at_once(
    keeper: Doorkeeper, new_person: NewPerson
) -> None:
    first = await sign_in(keeper, await new_person())
    second = await sessions.refresh(keeper, first.refresh_token, CALLER)
    third = await sessions.refresh(keeper, second.refresh_token, CALLER)
    with pytest.raises(Unauthenticated) as caught:
        await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert caught.value.code == "auth.reused"
    with pytest.raises(Unauthenticated):
        await sessions.refresh(keeper, third.refresh_token, CALLER)


async def test_reuse_ends_only_its_own_family(keeper: Doorkeeper, new_person: NewPerson) -> None:
    person_id = await new_person()
    first, other = await sign_in(keeper, person_id), await sign_in(keeper, person_id)
    second = await sessions.refresh(keeper, first.refresh_token, CALLER)
    await sessions.refresh(keeper, second.refresh_token, CALLER)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert (await sessions.refresh(keeper, other.refresh_token, CALLER)).session_id == other.session_id


@pytest.mark.parametrize(
    "token", ["", "hpr_", "x" * 47, "hpr_" + "a" * 43, "hpr_" + "a" * 44, "hpr_" + "é" * 43, "\x00"]
)
async def test_an_unknown_token_signs_nobody_in(keeper: Doorkeeper, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await sessions.refresh(keeper, token, CALLER)
    assert caught.value.code == "auth.invalid"


@pytest.mark.parametrize(
    "damage",
    [
        "update refresh_token set expires_at = clock_timestamp() - interval '1 second'",
        "update session set expires_at = clock_timestamp() - interval '1 second'",
        "update session set state = 'revoked'",
        "update person set is_active = false",
    ],
)
async def test_nothing_is_refreshed_after_the_end(keeper: Doorkeeper, new_person: NewPerson, damage: str) -> None:
    first = await sign_in(keeper, await new_person())
    await execute(keeper.database, damage)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(keeper, first.refresh_token, CALLER)
    assert len(await tokens_of(keeper, first)) == 1


async def test_a_revocation_travels_as_a_change_of_the_persons_own_topic(
    keeper: Doorkeeper, new_person: NewPerson
) -> None:
    person_id = await new_person()
    signed_in = await sign_in(keeper, person_id)
    row = json.loads(await sessions.revoke(keeper, person_id, signed_in.session_id, reason="lost phone", caller=CALLER))
    assert row["revoked_at"] is not None
    query = "select event, topics, version from audit_event where entity = 'session' and entity_id = $1 order by id"
    assert await fetch(keeper.database, query, signed_in.session_id) == [
        {"event": "session.created", "topics": [f"user:{person_id}"], "version": 1},
        {"event": "session.revoked", "topics": [f"user:{person_id}"], "version": 2},
    ]
    heard = await fetch(
        keeper.database,
        "select actor, reason, request_id from audit_event where event = 'session.revoked' and entity_id = $1",
        signed_in.session_id,
    )
    assert heard == [{"actor": person_id, "reason": "lost phone", "request_id": "r-1"}]


async def test_another_persons_session_is_as_if_it_did_not_exist(keeper: Doorkeeper, new_person: NewPerson) -> None:
    theirs = await sign_in(keeper, await new_person("Ravi"))
    with pytest.raises(NotFound):
        await sessions.revoke(keeper, await new_person("Eve"), theirs.session_id, reason="", caller=CALLER)
    await sessions.refresh(keeper, theirs.refresh_token, CALLER)


async def test_a_person_sees_their_live_sessions_and_ends_the_others(keeper: Doorkeeper, new_person: NewPerson) -> None:
    person_id = await new_person(is_signed_in=False)
    kept, _, _ = [await sign_in(keeper, person_id) for _ in range(3)]
    await sign_in(keeper, await new_person("Ravi"))
    seen = await sessions.list_sessions(keeper, person_id)
    assert len(seen) == 3
    assert {row["ip"] for row in seen} == {"203.0.113.7"}
    assert await sessions.revoke_others(keeper, person_id, keep=kept.session_id, reason="", caller=CALLER) == 2
    assert [row["id"] for row in await sessions.list_sessions(keeper, person_id)] == [kept.session_id]


async def test_a_demo_link_signs_in_once_even_under_a_hundred_hands(keeper: Doorkeeper, new_person: NewPerson) -> None:
    person_id = await new_person(is_signed_in=False)
    link = issue_demo_link(keeper.ring, person_id=person_id, home="/rider")
    tries = (sessions.redeem_demo_link(keeper, link, CALLER) for _ in range(100))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    signed_in = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(signed_in) == 1
    assert signed_in[0][1] == "/rider"
    assert all(isinstance(answer, Unauthenticated) for answer in answers if isinstance(answer, BaseException))
    assert len(await sessions.list_sessions(keeper, person_id)) == 1


async def test_minting_gives_a_session_and_its_token(keeper: Doorkeeper, new_person: NewPerson) -> None:
    person_id = await new_person()
    async with keeper.database.connection() as conn:
        session_id, token = await sessions.create_session(conn, person_id, "hotpass users add")
        assert await conn.fetchval("select session_id from refresh_token where hash = $1", hash_of(token)) is not None
    access, _ = sessions.token_for(keeper, person_id=person_id, session_id=session_id)
    assert verify_access(keeper.ring, access).session_id == session_id
    with pytest.raises(NotFound):
        async with keeper.database.connection() as conn:
            await sessions.create_session(conn, "00000000-0000-0000-0000-000000000000", "nobody")

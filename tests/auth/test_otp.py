"""Codes by phone: one success, five tries, few messages, and the same answer for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from db.connection import Database
from db.otp import MOST_TRIES
from hub.auth import otp
from hub.auth.otp import Asked
from hub.auth.sessions import Caller, Doorkeeper, SignIn
from hub.domain.errors import Conflict, RateLimited, Unauthenticated
from hub.gateway.rate_limit import Limiter
from tests.auth.conftest import Post

CALLER = Caller(ip="203.0.113.7", user_agent="a phone", request_id="r-1")
NewPerson = Callable[..., Awaitable[str]]
NUMBERS = iter(range(9_831_000_000, 9_839_000_000))


@pytest.fixture
async def limiter(redis_url: str) -> AsyncIterator[Limiter]:
    """Limits of an empty Redis."""
    limiter = Limiter(redis_url)
    yield limiter
    await limiter.stop()


@pytest.fixture
def phone() -> str:
    """A number that nobody has yet."""
    return f"+91{next(NUMBERS)}"


async def ask(keeper: Doorkeeper, limiter: Limiter, phone: str, *, ip: str = CALLER.ip) -> Asked:
    return await otp.ask(keeper, limiter, phone, purpose="sign-in", person_id=None, caller=Caller(ip=ip))


async def enter(keeper: Doorkeeper, otp_id: str, code: str) -> SignIn:
    return await otp.sign_in(keeper, otp_id, code, device="phone", caller=CALLER)


async def age(database: Database, seconds: int) -> None:
    """Let the messages to everybody be so much older."""
    async with database.connection() as conn:
        await conn.execute(
            "update otp_phone set sends = array(select s - make_interval(secs => $1) from unnest(sends) s)", seconds
        )


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_the_first_right_code_makes_a_customer_and_the_next_finds_them(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    first = await enter(keeper, (await ask(keeper, limiter, phone)).otp_id, post.code())
    await age(keeper.database, 31)
    second = await enter(keeper, (await ask(keeper, limiter, phone)).otp_id, post.code())
    assert second.person_id == first.person_id
    assert second.session_id != first.session_id
    async with keeper.database.connection() as conn:
        grants = await conn.fetch("select role, scope from role_grant where person_id = $1", first.person_id)
    assert [tuple(grant) for grant in grants] == [("customer", "own")]


async def test_of_a_hundred_right_answers_at_once_one_succeeds(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    asked = await ask(keeper, limiter, phone)
    answers = await asyncio.gather(
        *(enter(keeper, asked.otp_id, post.code()) for _ in range(100)), return_exceptions=True
    )
    assert sum(isinstance(answer, SignIn) for answer in answers) == 1
    assert all(isinstance(answer, Unauthenticated) for answer in answers if not isinstance(answer, SignIn))


async def test_five_wrong_answers_at_once_burn_a_code_and_no_sixth_is_counted(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    asked = await ask(keeper, limiter, phone)
    answers = await asyncio.gather(
        *(enter(keeper, asked.otp_id, wrong(post.code())) for _ in range(50)), return_exceptions=True
    )
    codes = [answer.code for answer in answers if isinstance(answer, Unauthenticated)]
    assert codes.count("otp.wrong") + codes.count("otp.burned") == MOST_TRIES
    assert codes.count("otp.gone") == 50 - MOST_TRIES
    with pytest.raises(Unauthenticated) as caught:
        await enter(keeper, asked.otp_id, post.code())
    assert caught.value.code == "otp.gone"


async def test_a_resend_does_not_give_the_tries_back(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    first = await ask(keeper, limiter, phone)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await enter(keeper, first.otp_id, wrong(post.code()))
    await age(keeper.database, 31)
    second = await ask(keeper, limiter, phone)
    left = []
    for _ in range(2):
        with pytest.raises(Unauthenticated) as caught:
            await enter(keeper, second.otp_id, wrong(post.code()))
        left.append(caught.value.fields["tries_left"])
    assert left == [1, 0]
    await age(keeper.database, 61)
    with pytest.raises(RateLimited):
        await ask(keeper, limiter, phone)


async def test_somebody_elses_tries_lock_nobody_out(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    theirs = await ask(keeper, limiter, phone, ip="198.51.100.9")
    for _ in range(MOST_TRIES):
        with pytest.raises(Unauthenticated):
            await enter(keeper, theirs.otp_id, wrong(post.code()))
    await age(keeper.database, 31)
    mine = await ask(keeper, limiter, phone)
    assert (await enter(keeper, mine.otp_id, post.code())).name == "Guest"


async def test_messages_come_after_thirty_and_sixty_seconds_and_three_in_ten_minutes(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    assert (await ask(keeper, limiter, phone)).resend_after_seconds == 30
    with pytest.raises(RateLimited) as caught:
        await ask(keeper, limiter, phone)
    assert 28 <= caught.value.fields["retry_after"] <= 30
    await age(keeper.database, 31)
    assert (await ask(keeper, limiter, phone)).resend_after_seconds == 60
    await age(keeper.database, 61)
    third = await ask(keeper, limiter, phone)
    assert 500 <= third.resend_after_seconds <= 510
    await age(keeper.database, 300)
    with pytest.raises(RateLimited):
        await ask(keeper, limiter, phone)
    assert len(post.messages) == 3


async def test_a_number_gets_ten_messages_a_day(keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str) -> None:
    for _ in range(10):
        await ask(keeper, limiter, phone)
        await age(keeper.database, 601)
    with pytest.raises(RateLimited) as caught:
        await ask(keeper, limiter, phone)
    assert caught.value.fields["retry_after"] > 79_000


async def test_fifty_asks_at_once_send_one_message(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    answers = await asyncio.gather(
        *(ask(keeper, limiter, phone, ip=f"203.0.{n}.1") for n in range(15)), return_exceptions=True
    )
    assert sum(isinstance(answer, Asked) for answer in answers) == 1
    assert len(post.messages) == 1


async def test_a_range_of_numbers_is_capped(keeper: Doorkeeper, limiter: Limiter, post: Post) -> None:
    numbers = [f"+9198{n:08}" for n in range(25)]
    answers = await asyncio.gather(
        *(ask(keeper, limiter, number, ip=f"203.0.{n}.1") for n, number in enumerate(numbers)), return_exceptions=True
    )
    assert sum(isinstance(answer, Asked) for answer in answers) == 20


@pytest.mark.parametrize("damage", ["expires_at = clock_timestamp()", "purpose = 'change-phone'"])
async def test_a_code_is_good_for_its_time_and_purpose_only(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str, damage: str
) -> None:
    asked = await ask(keeper, limiter, phone)
    async with keeper.database.connection() as conn:
        await conn.execute(f"update otp set {damage} where id = $1", asked.otp_id)
    with pytest.raises(Unauthenticated) as caught:
        await enter(keeper, asked.otp_id, post.code())
    assert caught.value.code == "otp.gone"


async def test_a_code_belongs_to_its_request(keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str) -> None:
    asked = await ask(keeper, limiter, phone)
    code = post.code()
    other = await ask(keeper, limiter, f"+91{next(NUMBERS)}")
    if code != post.code():
        with pytest.raises(Unauthenticated):
            await enter(keeper, other.otp_id, code)
    assert await enter(keeper, asked.otp_id, code)


async def test_neither_number_nor_code_stands_in_the_database(
    keeper: Doorkeeper, limiter: Limiter, post: Post, phone: str
) -> None:
    await enter(keeper, (await ask(keeper, limiter, phone)).otp_id, post.code())
    async with keeper.database.connection() as conn:
        for table in ("otp", "otp_phone", "contact", "person", "audit_event", "session"):
            for secret in (phone, phone[1:]):
                query = f'select count(*) from "{table}" as t where t::text like $1'
                assert await conn.fetchval(query, f"%{secret}%") == 0, table


async def test_a_number_is_changed_by_its_code_unless_somebody_has_it(
    keeper: Doorkeeper, limiter: Limiter, post: Post, new_person: NewPerson, phone: str
) -> None:
    for name, expected in (("Asha", None), ("Ravi", "phone.taken")):
        person_id = await new_person(name, role="customer")
        asked = await otp.ask(keeper, limiter, phone, purpose="change-phone", person_id=person_id, caller=CALLER)
        if expected is None:
            assert await otp.change_phone(keeper, person_id, asked.otp_id, post.code(), CALLER) == phone
        else:
            with pytest.raises(Conflict) as caught:
                await otp.change_phone(keeper, person_id, asked.otp_id, post.code(), CALLER)
            assert caught.value.code == expected
        await age(keeper.database, 31)


async def test_a_channel_that_fails_changes_no_answer(keeper: Doorkeeper, limiter: Limiter, phone: str) -> None:
    async def broken(_: str, __: str) -> None:
        raise OSError("no route to the gateway")

    object.__setattr__(keeper, "send_text", broken)
    assert (await ask(keeper, limiter, phone)).otp_id

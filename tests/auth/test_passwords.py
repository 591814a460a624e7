"""Passwords: kept hard to guess, checked the same for everybody, never in the way of the live screens."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest

from db.connection import Database
from db.encryption import make_data_keys
from hub.auth import passwords
from hub.auth.sessions import Caller, Doorkeeper
from hub.domain.errors import Conflict, RateLimited, Unauthenticated, Unavailable, Unprocessable
from hub.gateway.hashing import Hasher
from hub.gateway.rate_limit import Limiter
from tests.auth.conftest import DATA_SECRET

CALLER = Caller(ip="203.0.113.7")
GOOD = "correct horse 42 battery"
NewPerson = Callable[..., Awaitable[str]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of each test's own: every one of them knows Asha by the same name."""
    database = Database(database_url, size=10, application="tests")
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
async def limiter(redis_url: str) -> AsyncIterator[Limiter]:
    """Limits of an empty Redis."""
    limiter = Limiter(redis_url)
    yield limiter
    await limiter.stop()


async def set_password(keeper: Doorkeeper, person_id: str, login: str = "asha.k1", password: str = GOOD) -> None:
    await passwords.set_password(keeper, person_id, login=login, password=password, keep_session=None, caller=CALLER)


async def sign_in(
    keeper: Doorkeeper, limiter: Limiter, login: str = "asha.k1", password: str = GOOD, ip: str = "192.0.2.1"
) -> str:
    answer = await passwords.sign_in(keeper, limiter, login, password, device="desk", caller=Caller(ip=ip))
    return answer.person_id


@pytest.mark.parametrize(
    "password", [GOOD, "p" * 60 + "åß∂ƒ©˙∆˚¬" * 5, "🍕🔥🚴🏽‍♀️🍜🧾🍕🔥" * 3, "x9!ab" + "y" * 68, "tab\tand new\nline 7"]
)
async def test_the_right_password_signs_in(
    keeper: Doorkeeper, limiter: Limiter, new_person: NewPerson, password: str
) -> None:
    person_id = await new_person(role="manager", scope="*")
    await set_password(keeper, person_id, password=password)
    assert await sign_in(keeper, limiter, " Asha.K1 ", password) == person_id
    for wrong in (password + " ", password[:-1], password.swapcase() if password.swapcase() != password else "x", ""):
        with pytest.raises(Unauthenticated):
            await sign_in(keeper, limiter, password=wrong)


async def test_seventy_two_equal_bytes_are_not_enough(
    keeper: Doorkeeper, limiter: Limiter, new_person: NewPerson
) -> None:
    start = "a1b2c3d4" * 9
    await set_password(keeper, await new_person(), password=start + "end")
    with pytest.raises(Unauthenticated):
        await sign_in(keeper, limiter, password=start + "other end")


@pytest.mark.parametrize(
    "password",
    [
        "", "short7!", "x" * 129, "password", "Password123", "P@ssw0rd!", "12345678", "qwertyuiop99", "aaaaaaaa",
        "ababababab", "my asha.k1 pass", "Hotpass123!",
    ],
)  # fmt: skip
async def test_a_password_that_would_be_guessed_is_refused(
    keeper: Doorkeeper, new_person: NewPerson, password: str
) -> None:
    with pytest.raises(Unprocessable):
        await set_password(keeper, await new_person(), password=password)


async def test_an_unknown_name_takes_as_long_and_answers_alike(
    keeper: Doorkeeper, limiter: Limiter, new_person: NewPerson
) -> None:
    await set_password(keeper, await new_person())
    answers = []
    for login in ("asha.k1", "nobody.here"):
        with pytest.raises(Unauthenticated) as caught:
            await sign_in(keeper, limiter, login, "not the password")
        answers.append((caught.value.code, caught.value.detail))
    assert answers[0] == answers[1]


async def test_ten_tries_by_name_and_address_and_nobody_is_locked_out_from_afar(
    keeper: Doorkeeper, limiter: Limiter, new_person: NewPerson
) -> None:
    person_id = await new_person()
    await set_password(keeper, person_id)
    outcomes = await asyncio.gather(
        *(sign_in(keeper, limiter, password="wrong guess", ip="198.51.100.66") for _ in range(15)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 5
    assert await sign_in(keeper, limiter) == person_id


async def test_a_name_belongs_to_one_person(keeper: Doorkeeper, new_person: NewPerson) -> None:
    await set_password(keeper, await new_person())
    with pytest.raises(Conflict) as caught:
        await set_password(keeper, await new_person("Ravi"), login="ASHA.K1")
    assert caught.value.code == "login.taken"


async def test_a_changed_password_ends_the_other_sessions(
    keeper: Doorkeeper, limiter: Limiter, new_person: NewPerson
) -> None:
    person_id = await new_person()
    await set_password(keeper, person_id)
    kept = await passwords.sign_in(keeper, limiter, "asha.k1", GOOD, device="a", caller=CALLER)
    await passwords.sign_in(keeper, limiter, "asha.k1", GOOD, device="b", caller=CALLER)
    with pytest.raises(Unauthenticated):
        await passwords.change_password(
            keeper, person_id, old="no idea", new="another good 99 one", session_id=kept.session_id, caller=CALLER
        )
    await passwords.change_password(
        keeper, person_id, old=GOOD, new="another good 99 one", session_id=kept.session_id, caller=CALLER
    )
    async with keeper.database.connection() as conn:
        live = await conn.fetch("select id from session where state = 'live' and person_id = $1", person_id)
    assert [str(row["id"]) for row in live] == [kept.session_id]


async def test_a_password_outlives_the_rotation_of_its_key() -> None:
    before = Hasher(make_data_keys(DATA_SECRET), cost=4)
    stored = await before.hash(GOOD)
    after = Hasher(make_data_keys("the next data secret, long enough too", [DATA_SECRET]), cost=4)
    assert await after.check(GOOD, stored)
    assert not await Hasher(make_data_keys("the next data secret, long enough too"), cost=4).check(GOOD, stored)


async def test_a_storm_of_log_ins_leaves_the_loop_free_and_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    hasher = Hasher(make_data_keys(DATA_SECRET))
    beats: list[float] = []

    loop = asyncio.get_running_loop()

    def beat() -> None:
        nonlocal following
        beats.append(time.perf_counter())
        following = loop.call_later(0.005, beat)

    following: asyncio.Handle = loop.call_soon(beat)
    outcomes = await asyncio.gather(*(hasher.check(GOOD, None) for _ in range(50)), return_exceptions=True)
    following.cancel()
    hasher.stop()
    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) >= 50 - 34
    gaps = sorted(later - earlier for earlier, later in pairwise(beats))
    late_milliseconds = (gaps[int(len(gaps) * 0.99)] - 0.005) * 1000
    with capsys.disabled():
        sys.stdout.write(f"\n50 log-ins at once: a beat is {late_milliseconds:.1f} ms late at p99\n")
    assert len(gaps) > 20

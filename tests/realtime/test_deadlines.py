"""The one timer of all sockets, and the pings on it, by a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

from hub.realtime.deadlines import MOST_PER_TURN, SHARED_SECONDS, Deadlines
from hub.realtime.heartbeat import Heartbeat, Patience
from hub.realtime.session import GONE, Session


class GivenLoop(asyncio.AbstractEventLoop):
    """A clock with one timer: it stands at the time given, `pass_until` moves it from wake-up to wake-up."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.wake_ups = 0
        self.failures: list[str] = []
        self._timers: list[asyncio.TimerHandle] = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(str(context["exception"]))

    def time(self) -> float:
        return self.at

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers.remove(handle)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True
        self._timers.append(timer)
        return timer

    def pass_until(self, at: float) -> None:
        while self._timers and min(timer.when() for timer in self._timers) <= at:
            timer = min(self._timers, key=asyncio.TimerHandle.when)
            self._timers.remove(timer)
            self.at = max(self.at, timer.when())
            self.wake_ups += 1
            timer._run()
        self.at = at


class Keeper:
    """Remembers how sessions ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def session_ended(self, session: Session, reason: str) -> None:
        self.ended.append(reason)


class Carrier:
    """Remembers what it was given, and when."""

    queued_bytes = 0

    def __init__(self, loop: GivenLoop) -> None:
        self.loop = loop
        self.sent: list[tuple[float, bytes]] = []
        self.closed: tuple[int, str] | None = None

    def answer(self, text: bytes) -> bool:
        self.sent.append((round(self.loop.at, 6), text))
        return True

    def close(self, code: int, reason: str, *, farewell: bytes = b"") -> None:
        self.closed = code, reason


def lane_of(delay_seconds: float):
    loop = GivenLoop()
    acted: list[tuple[float, Any]] = []
    deadlines = Deadlines(loop)
    lane = deadlines.lane(delay_seconds, lambda item: acted.append((round(loop.at, 6), item)))
    return loop, lane, acted, deadlines


def test_an_action_that_fails_holds_up_nobody_else():
    loop, acted = GivenLoop(), []

    def act(item: str) -> None:
        if item == "broken":
            raise RuntimeError("planted")
        acted.append(item)

    deadlines = Deadlines(loop)
    lane, other = deadlines.lane(1.0, act), deadlines.lane(1.0, acted.append)
    lane.add("broken")
    lane.add("next")
    other.add("another lane's")
    loop.pass_until(loop.at + 2.0)
    assert loop.failures == ["planted"]
    assert sorted(acted) == ["another lane's", "next"]


def test_nothing_is_acted_on_early_and_nothing_a_millisecond_late():
    loop, lane, acted, _ = lane_of(5.0)
    dues = {}
    for number in range(500):
        dues[number] = loop.at + 5.0
        lane.add(number)
        loop.pass_until(loop.at + 0.0007)
    loop.pass_until(2000.0)
    assert [number for _, number in acted] == list(range(500))
    assert all(-1e-6 <= at - dues[number] <= SHARED_SECONDS + 1e-6 for at, number in acted)


def test_time_outs_of_one_millisecond_share_a_wake_up():
    loop, lane, acted, _ = lane_of(5.0)
    for number in range(1000):
        lane.add(number)
        loop.pass_until(loop.at + 0.0001)
    loop.pass_until(2000.0)
    assert len(acted) == 1000
    assert loop.wake_ups <= 0.1 / SHARED_SECONDS + 5


def test_a_turn_acts_on_so_many_and_lets_the_others_wait_for_the_next():
    loop, lane, acted, _ = lane_of(1.0)
    for number in range(2 * MOST_PER_TURN + 1):
        lane.add(number)
    loop.pass_until(1001.0)
    assert len(acted) == MOST_PER_TURN
    loop.pass_until(1001.0 + SHARED_SECONDS)
    assert len(acted) == 2 * MOST_PER_TURN
    loop.pass_until(1001.0 + 2 * SHARED_SECONDS)
    assert [number for _, number in acted] == list(range(2 * MOST_PER_TURN + 1))


def test_a_shorter_time_out_wakes_the_timer_that_waits_for_a_longer():
    loop, lane, acted, deadlines = lane_of(5.0)
    short = deadlines.lane(1.0, lambda item: acted.append((round(loop.at, 6), item)))
    lane.add("long")
    short.add("short")
    loop.pass_until(2000.0)
    assert acted == [(1001.0, "short"), (1005.0, "long")]


def a_session():
    loop = GivenLoop()
    patience = Patience(
        ping_interval_seconds=25.0, ping_timeout_seconds=20.0, connect_timeout_seconds=5.0, upgrade_timeout_seconds=10.0
    )
    heartbeat = Heartbeat(patience, Deadlines(loop))
    keeper, carrier = Keeper(), Carrier(loop)
    session = Session("sid", keeper, "203.0.113.1", {})
    session.carrier = carrier
    session.members["/custom"] = object()
    heartbeat.opened(session)
    return loop, heartbeat, session, carrier, keeper


def test_a_client_is_pinged_an_interval_after_its_last_pong():
    loop, heartbeat, session, carrier, _ = a_session()
    loop.pass_until(1025.0)
    loop.pass_until(1027.5)
    heartbeat.ponged(session)
    loop.pass_until(1052.4)
    assert carrier.sent == [(1025.0, b"2")]
    loop.pass_until(1052.5)
    assert carrier.sent == [(1025.0, b"2"), (1052.5, b"2")]


def test_a_pong_that_nobody_asked_for_makes_no_ping():
    loop, heartbeat, session, carrier, _ = a_session()
    for at in (1001.0, 1002.0, 1003.0):
        loop.pass_until(at)
        heartbeat.ponged(session)
    loop.pass_until(1044.0)
    assert carrier.sent == [(1025.0, b"2")]


def test_a_client_ends_when_its_pong_is_due_and_not_before():
    loop, _, session, carrier, keeper = a_session()
    loop.pass_until(1044.999)
    assert (carrier.closed, keeper.ended) == (None, [])
    loop.pass_until(1045.0)
    assert (carrier.closed, keeper.ended, session.carrier) == ((1001, "ping timeout"), ["ping timeout"], GONE)
    loop.pass_until(2000.0)
    assert keeper.ended == ["ping timeout"]


def test_the_time_out_of_a_ping_that_was_answered_means_nothing():
    loop, heartbeat, session, carrier, _ = a_session()
    loop.pass_until(1044.0)
    heartbeat.ponged(session)
    loop.pass_until(1068.9)
    assert carrier.closed is None
    loop.pass_until(1069.0)
    assert carrier.sent == [(1025.0, b"2"), (1069.0, b"2")]
    loop.pass_until(1089.0)
    assert carrier.closed == (1001, "ping timeout")


def test_a_client_in_no_namespace_ends_at_the_connect_time_out():
    loop, heartbeat, session, carrier, _ = a_session()
    loop.pass_until(1006.0)
    assert carrier.closed is None
    session.members.clear()
    heartbeat.expect_connect(session)
    loop.pass_until(1010.999)
    assert carrier.closed is None
    loop.pass_until(1011.0)
    assert carrier.closed == (1008, "no namespace was joined in time")

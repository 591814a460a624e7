"""How a hub goes: every client hears it, the process ends by itself."""

from __future__ import annotations

from tests.realtime.conftest import WAIT_SECONDS


async def test_a_stopped_hub_says_goodbye(hubs, joined):
    hub = hubs()
    clients = [await joined(hub) for _ in range(4)]
    hub.process.terminate()
    for each in clients:
        assert await each.closed() == (1012, "server is going away")
        each.writer.write(each.frame(8, b"\x03\xf4"))
        assert await each.gone() == b""
    assert hub.process.wait(timeout=WAIT_SECONDS) == 0


async def test_a_client_that_stays_does_not_hold_the_hub(hubs, joined):
    hub = hubs()
    silent = await joined(hub)
    hub.process.terminate()
    assert hub.process.wait(timeout=WAIT_SECONDS) == 0
    assert (await silent.closed())[0] == 1012


async def test_any_worker_serves_any_client(hubs, joined):
    hub = hubs(workers=2)
    for opened in [await joined(hub) for _ in range(12)]:
        opened.send('421["work",7]')
        assert await opened.receive_event() == "431[7]"

"""`hotpass serve hub`, whose workers can be made deaf: at SIGUSR1 a worker's reader stops, and nothing else does."""

from __future__ import annotations

import asyncio
import signal

from hub.cli import main
from hub.realtime.log import LogReader

read_for_ever = LogReader.run


async def run(self: LogReader) -> None:
    reading = asyncio.create_task(read_for_ever(self))
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, reading.cancel)
    await asyncio.wait({reading})
    await asyncio.Event().wait()


LogReader.run = run

if __name__ == "__main__":
    main()

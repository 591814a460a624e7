"""Processor time of process trees: what a child uses is its parent's, and one that ends takes nothing away."""

from __future__ import annotations

import os
import subprocess
import sys

from hub.bench.cpu import cpu_seconds, cpu_used

# Burns until it is told to end, and says so once it has begun.
BUSY = "import sys\nprint('busy', flush=True)\nwhile True: sum(range(1000))"


def test_a_child_counts_while_it_lives_and_takes_nothing_away_when_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"busy\n"
        begun = cpu_used([os.getpid()])
        while cpu_used([child.pid])[child.pid] < begun[child.pid] + 0.05:
            pass
        busy = cpu_used([os.getpid()])
        child.kill()
    ended = cpu_used([os.getpid()])
    assert cpu_seconds(begun, busy) >= 0.05
    assert child.pid not in ended
    assert cpu_seconds(busy, ended) >= 0

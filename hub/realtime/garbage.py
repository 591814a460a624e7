"""The garbage collector of a process that holds thousands of sockets.

A full collection walks every object of the process: with 10,000 clients it stalls the loop for tens of
milliseconds, and finds nothing, because connections are freed by counting. Called once, when all is loaded.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS, MIDDLE_ROUNDS, OLD_ROUNDS = 50_000, 50, 50


def hold_garbage_collector() -> None:
    """No collection while a process loads: what an import makes stays. `tune_garbage_collector` must follow."""
    gc.disable()


def tune_garbage_collector() -> None:
    """Leaves what start-up has made out of every later collection, and collects the rest seldom."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, MIDDLE_ROUNDS, OLD_ROUNDS)
    gc.enable()

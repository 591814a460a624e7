"""Benchmarks that `hotpass bench` runs: real processes, open-loop load, independent clients; figures, never verdicts.

pipeline      from a committed row to three hundred subscribers, at several rates
subscribers   a process of many sockets that records while it runs and reads afterwards
writers       a process that changes rows at a given rate, whatever the answers do
cpu           processor time of process trees, from the scheduler's own account
"""

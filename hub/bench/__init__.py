"""Benchmarks that `hotpass bench` runs: real processes, open-loop load, independent clients; figures, never verdicts.

pipeline      from a committed row to three hundred subscribers, at several rates; its peer: relay, relay.mjs
redis_fanout  what one delivery costs that came through Redis, against Node's Redis adapter
slow_readers  what clients that do not read (sleepers) cost those that do
traffic       one case of writes and reads: the load, the window, the figures, the oracle's count
subscribers   a process of many sockets that records while it runs and reads afterwards
writers       a process that changes rows at a given rate, whatever the answers do
fanout        what one delivery costs, against python-socketio's own engine and Node's socket.io
memory        what an idle client costs, against the same peers
rush          everybody comes, and leaves, at once, against the same peers
storm         the hub is killed under its clients, who all resume while changes go on
survivors     a process of clients that come back and count what they missed
processes     how the processes of a benchmark are held; talk: what they say to each other
node          Node.js and the npm packages of the peers, or why they are not there
contenders    the processes of the contests: the servers (broadcasters, broadcaster.mjs) and their clients (crowd)
floor         what the kernel alone takes for a delivery
tables        the reports as one table, for a terminal and for the README
cpu           processor time of process trees, from the scheduler's own account
"""

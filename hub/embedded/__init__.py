"""A whole Hotpass on one machine, from wheels alone; used by `hub.cli` and by the tests.

engines      Postgres and Valkey as one pair in one data directory; start here
engine       one engine process: start, stop, kill, restart on its port
postgres     how PostgreSQL is created and run
valkey       how Valkey is run
supervisor   the processes of Hotpass itself: start in order, restart what dies, stop in reverse
readiness    how a child says that it is ready
lifeline     a child never outlives its parent
ownership    one data directory, one owner
credentials  passwords and keys, made once
ports        free ports, busy ports
errors       what can go wrong, and what to do about it
"""

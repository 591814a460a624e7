"""A whole Hotpass on one machine, from wheels alone; used by `hub.cli` and by the tests.

demonstration   `hotpass demo` and `hotpass replay`: engines, schema, city, household, report
benchmark       `hotpass bench`: a house of its own, and the load on it
contests        the benchmarks that put a peer on the same engines
household       the processes of Hotpass, and the environment each of them gets
supervisor      starts them together, restarts what dies, stops them
engines         Postgres and Valkey as one pair in one data directory
postgres        how PostgreSQL is created and run
valkey          how Valkey is run
process         one process: start, stop, kill, restart
readiness       how a child says that it is ready
lifeline        a child never outlives its parent
ownership       one data directory, one owner
credentials     passwords and keys, made once
ports           free ports, busy ports
readout         what a person sees meanwhile
errors          what can go wrong, and what to do about it
"""

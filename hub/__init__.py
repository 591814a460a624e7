"""The hub: one live truth for cloud kitchens, from a committed row to every screen that may see it.

domain          words and rules, standard library only; everybody may import it
gateway         what every request passes: authenticate, authorise, decode, carry out, answer
the nouns       orders  lines  deliveries  kitchens  riders  users  auth: api (HTTP) and service (rules), then `db`
service         health, metrics and the published documents
realtime        the sequencer, the log, subscriptions and the fan-out to sockets
dispatch, jobs  the dispatcher's process and the clock's own work
observability   logs, metrics, health
client          the typed client of our own API and socket; demo and bench are built on it
demo, bench     the simulated city; what `hotpass bench` runs
embedded        Postgres and Valkey from their wheels, and what keeps every process of a demo
app, settings   the composition root, and the one object of settings; provisions: what those amount to
cli             the command line; arguments, benchmarks and key_commands are parts of it

Arrows: a noun never imports another noun; only `app` and `cli` wire. `pyproject.toml` holds them as contracts.
"""

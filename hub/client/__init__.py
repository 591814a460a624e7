"""The small typed client of our own API and socket, for the demo, replays, benchmarks, tests, the UI and integrators.

errors      what can go wrong, as classes
http        one method per route, one idempotency key per action, retried with the same key
websocket   one RFC 6455 connection over a raw transport
socket      one Socket.IO v5 session over it
frames      what the hub tells beside changes
live        topics kept up to date for ever, across reconnections
fold        the keyed state of a topic, and the independent count of lost, repeated and reordered changes
clock       the product clock as the hub tells it
"""

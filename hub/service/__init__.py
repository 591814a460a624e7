"""What operators and integrators ask of the hub itself: health, metrics, and the published documents.

api        `/livez`, `/readyz`, `/metrics` and the documents
openapi    the HTTP contract, of the routes' own declarations; schemas: bodies, queries and answers in it
asyncapi   the live contract
alerts     rules for Prometheus, of the house's own
"""

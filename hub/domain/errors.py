"""Every refusal that can be answered, as one tree.

    Refusal                             status  code
    ├── BadRequest                      400     bad_request
    │   ├── MissingIdempotencyKey       400     idempotency.missing
    │   └── UnknownVersion              404     api.unknown_version
    ├── Unauthenticated                 401     auth.required, auth.expired, auth.invalid, auth.revoked
    ├── Forbidden                       403     forbidden
    ├── NotFound                        404     not_found
    ├── Conflict                        409     conflict
    │   ├── WrongState                  409     <entity>.wrong_state      with the legal moves and the present row
    │   ├── StaleVersion                409     <entity>.stale_version    with the present row
    │   └── KeyInUse                    409     idempotency.in_progress
    ├── TooLarge                        413     too_large
    ├── Unprocessable                   422     unprocessable, or a more telling code
    │   └── KeyReused                   422     idempotency.reused
    ├── RateLimited                     429     rate_limited
    └── Unavailable                     503     unavailable

Raised deep in the house, translated once: `gateway.errors` for HTTP, `realtime.subscriptions` for the socket.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An expected refusal: `status` for HTTP, a stable dotted `code`, a `detail` for people and further `fields`."""

    status = 400
    code = "bad_request"
    title = "The request cannot be carried out"

    def __init__(self, detail: str, *, code: str | None = None, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.fields = fields


class BadRequest(Refusal):
    """The request is malformed."""

    title = "Malformed request"


class MissingIdempotencyKey(BadRequest):
    """A POST that creates or moves came without its key."""

    code = "idempotency.missing"


class UnknownVersion(BadRequest):
    """The path names an API version that does not exist."""

    status = 404
    code = "api.unknown_version"


class Unauthenticated(Refusal):
    """Nobody known is asking."""

    status = 401
    code = "auth.required"
    title = "Sign in first"


class Forbidden(Refusal):
    """This principal may not do that."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(Refusal):
    """There is no such thing, or not for this principal: the answer is the same."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(Refusal):
    """The present state does not allow it."""

    status = 409
    code = "conflict"
    title = "Conflict with the present state"


class WrongState(Conflict):
    """The move is not legal from the present state."""

    def __init__(self, *, entity: str, move: str, status: str, legal: tuple[str, ...], row: Any = None) -> None:
        detail = f"cannot {move} this {entity}: it is {status}; legal now: {', '.join(legal) or 'nothing'}"
        super().__init__(detail, code=f"{entity}.wrong_state", move=move, present=status, legal=list(legal), row=row)


class StaleVersion(Conflict):
    """`If-Match` named a version that is no longer the present one."""

    def __init__(self, *, entity: str, expected: int, row: Any, version: int, legal: tuple[str, ...]) -> None:
        detail = f"this {entity} is at version {version}, not {expected}: read it again and decide anew"
        super().__init__(detail, code=f"{entity}.stale_version", version=version, legal=list(legal), row=row)


class KeyInUse(Conflict):
    """The first request with this idempotency key is still running."""

    code = "idempotency.in_progress"


class TooLarge(Refusal):
    """The body is larger than accepted."""

    status = 413
    code = "too_large"
    title = "Body too large"


class Unprocessable(Refusal):
    """Well-formed, but not acceptable; `path` names the faulty field where there is one."""

    status = 422
    code = "unprocessable"
    title = "Not acceptable"


class KeyReused(Unprocessable):
    """An idempotency key came again with another request."""

    code = "idempotency.reused"


class RateLimited(Refusal):
    """Too many requests; `retry_after` is in whole seconds."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"too many requests: try again in {retry_after} s", retry_after=retry_after)


class Unavailable(Refusal):
    """A part of the house is away for a moment; nothing was done."""

    status = 503
    code = "unavailable"
    title = "Not available for a moment"

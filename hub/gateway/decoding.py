"""What a request says, read strictly: its body, its query string, its idempotency key, the version it expects.

Everything that a handler is given has passed here: the declared type, no name twice, no text that Postgres or a screen
could not take. A fault is refused with its path.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from sanic import Request

from hub.domain.errors import BadRequest, MissingIdempotencyKey, Unprocessable

KEY = re.compile(r"[\x21-\x7e]{1,100}\Z")
MATCH = re.compile(r'(?:W/)?"([0-9]{1,18})"\Z')
MOST_DEPTH = 16
MOST_PARAMETERS = 50
Kind = TypeVar("Kind", bound=msgspec.Struct)


def decode_body(kind: type[Kind], body: bytes) -> Kind:
    """The body as `kind`. Raises `BadRequest` for what is not JSON, `Unprocessable` with the path of the fault else."""
    try:
        json.loads(body or b"{}", object_pairs_hook=_once)
        value = msgspec.json.decode(body or b"{}", type=kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise Unprocessable(message, code="body.invalid", path=path.rstrip("`") or "$") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", code="body.not_json") from error
    check_text(msgspec.to_builtins(value), "$", 0)
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a name that stands twice: two readers would take different ones."""
    if len(dict(pairs)) != len(pairs):
        raise BadRequest("a name stands twice in the body", code="body.repeated_name")


def check_text(value: Any, path: str, depth: int) -> None:
    """Refuse what Postgres or a screen could not take: lone surrogates, control characters, endless depth."""
    if depth > MOST_DEPTH:
        raise Unprocessable("nested too deeply", code="body.too_deep", path=path)
    if isinstance(value, str):
        if any(
            (ord(sign) < 32 and sign not in "\n\t") or ord(sign) == 127 or 0xD800 <= ord(sign) <= 0xDFFF
            for sign in value
        ):
            raise Unprocessable(
                "text must not hold control characters or lone surrogates", code="body.bad_text", path=path
            )
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_text(inner, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            check_text(inner, f"{path}[{number}]", depth + 1)


def idempotency_key(request: Request, *, is_required: bool) -> str | None:
    """The key of a creating or moving request. Raises when it is missing or malformed."""
    key = request.headers.get("idempotency-key")
    if key is None:
        if is_required:
            raise MissingIdempotencyKey(
                "send an Idempotency-Key header: one fresh key per action, the same for its repeats"
            )
        return None
    if not KEY.match(key):
        raise BadRequest("Idempotency-Key must be 1 to 100 visible ASCII characters", code="idempotency.malformed")
    return str(key)


def expected_version(request: Request) -> int | None:
    """The version that `If-Match` names; None without one. Raises `BadRequest` for another form."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    match = MATCH.match(header.strip())
    if match is None:
        raise BadRequest('If-Match must be one quoted version, like "7"', code="if_match.malformed")
    return int(match.group(1))


def decode_query(kind: type[Kind], request: Request) -> Kind:
    """The query string as `kind`. Raises `BadRequest`: `query.unknown` with the known names, or `query.invalid`."""
    given = _pairs(request.query_string)
    known = kind.__struct_fields__
    if unknown := given.keys() - set(known):
        told = ", ".join(known) or "none"
        raise BadRequest(f"unknown query parameter {min(unknown)!r}; known: {told}", code="query.unknown")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise BadRequest(f"`{path.rstrip('`')}`: {message}", code="query.invalid") from error


def _pairs(query: str) -> dict[str, str]:
    """Names and values of a query string; strange bytes come as replacement signs."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise BadRequest("the query string cannot be read", code="query.invalid") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise BadRequest("a query parameter stands twice", code="query.invalid")
    try:
        check_text(given, "$", 0)
    except Unprocessable as error:
        raise BadRequest(error.detail, code="query.invalid") from error
    return given


def hash_of(request: Request) -> bytes:
    """What tells a repeated request from another one under the same key."""
    return sha256(b"\0".join((request.method.encode(), request.path.encode(), request.body))).digest()

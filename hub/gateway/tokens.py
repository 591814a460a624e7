"""Signed tokens: the ring of keys, access tokens and single-use demo links.

One algorithm, pinned. Every type of token has a key of its own, derived from the secret, and names its type inside too,
so no token passes as another. A ring holds the present secret and those before it: rotation is a new secret in front,
and the old one leaves when its last token has expired. Refresh and device tokens are not here: they are opaque rows.
A ring is one object for the life of a process: a rotation renews it in place (`hub.gateway.key_file`).
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

from db.encryption import derive
from hub.domain.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "hotpass"
AUDIENCE = "hotpass-hub"
ACCESS = "access"
DEMO = "demo"
TYPES = (ACCESS, DEMO)
# Clocks of two hosts may differ by this much.
LEEWAY_SECONDS = 5
LONGEST_TOKEN = 2048
MOST_VERIFIED = 10_000
SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "typ"]


@dataclass(slots=True, kw_only=True)
class KeyRing:
    """The keys by (kid, type of token); new tokens are signed under `current_kid`. Made by `make_key_ring`."""

    current_kid: str
    keys: dict[tuple[str, str], bytes] = field(repr=False)

    def renew(self, other: KeyRing) -> None:
        """Become another ring, for everybody who holds this one."""
        self.current_kid, self.keys = other.current_kid, other.keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an access token says, verified. Times are seconds since 1970."""

    person_id: str
    session_id: str
    token_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLink:
    """What a demo link says, verified; whoever redeems it must spend `token_id` in the database first."""

    person_id: str
    home: str
    token_id: str
    expires_at: int


def make_key_ring(secret: str, previous: Sequence[str] = ()) -> KeyRing:
    """The ring of the present secret and of those that still verify. Raises `ValueError` for one that is too short."""
    keys: dict[tuple[str, str], bytes] = {}
    for one in (secret, *previous):
        keys |= {(kid_of(one), kind): derive(one.encode(), f"token {kind}") for kind in TYPES}
    return KeyRing(current_kid=kid_of(secret), keys=keys)


def kid_of(secret: str) -> str:
    """What a signing secret is known by, in the header of its tokens; it tells nothing of the secret."""
    return derive(secret.encode(), "kid")[:6].hex()


def issue_access(
    ring: KeyRing, *, person_id: str, session_id: str, lifetime_seconds: int, now: float | None = None
) -> tuple[str, int]:
    """An access token of a session, and when it expires (seconds since 1970)."""
    claims = _claims(ACCESS, person_id, lifetime_seconds, now) | {"sid": session_id}
    return _sign(ring, ACCESS, claims), claims["exp"]


def verify_access(ring: KeyRing, token: str) -> Claims:
    """What a valid access token says. Raises `Unauthenticated` with `auth.expired` or `auth.invalid`. 0.2 ms."""
    claims = _verify(ring, ACCESS, token, ("sid",))
    if not ID.fullmatch(claims["sid"]):
        raise _invalid()
    return Claims(
        person_id=claims["sub"],
        session_id=claims["sid"],
        token_id=claims["jti"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
    )


class Verified:
    """Access tokens that were verified before: the signature of a token never changes, only its time runs out.

    Keeps hashes, not tokens, and the newest `MOST_VERIFIED` of them.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring, self._keys = ring, ring.keys
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def access(self, token: str, *, now: float | None = None) -> Claims:
        """As `verify_access`. 3 µs for a token that was seen before."""
        if self._keys is not self._ring.keys:  # the ring was renewed: a key may have left it
            self._keys = self._ring.keys
            self._known.clear()
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._known.get(digest)
        if claims is not None and claims.expires_at + LEEWAY_SECONDS > (time.time() if now is None else now):
            return claims
        self._known.pop(digest, None)
        claims = self._known[digest] = verify_access(self._ring, token)
        if len(self._known) > MOST_VERIFIED:
            self._known.popitem(last=False)
        return claims


def issue_demo_link(
    ring: KeyRing, *, person_id: str, home: str, lifetime_seconds: int = 86_400, now: float | None = None
) -> str:
    """A link that signs in one person once and leads to the screen `home`; exists in the embedded profile only."""
    return _sign(ring, DEMO, _claims(DEMO, person_id, lifetime_seconds, now) | {"home": home})


def verify_demo_link(ring: KeyRing, link: str) -> DemoLink:
    """What a valid demo link says; it is not yet spent. Raises `Unauthenticated`."""
    claims = _verify(ring, DEMO, link, ("home",))
    return DemoLink(person_id=claims["sub"], home=claims["home"], token_id=claims["jti"], expires_at=claims["exp"])


def _claims(kind: str, person_id: str, lifetime_seconds: int, now: float | None) -> dict[str, Any]:
    issued_at = int(time.time() if now is None else now)
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": person_id,
        "jti": secrets.token_urlsafe(16),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + lifetime_seconds,
        "typ": kind,
    }


def _sign(ring: KeyRing, kind: str, claims: dict[str, Any]) -> str:
    kid = ring.current_kid
    return jwt.encode(claims, ring.keys[kid, kind], algorithm=ALGORITHM, headers={"kid": kid})


def _verify(ring: KeyRing, kind: str, token: str, further: tuple[str, ...]) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(ring, kind, token),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED, "strict_aud": True},
        )
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("the token has expired: refresh it", code="auth.expired") from None
    except (jwt.PyJWTError, ValueError):
        raise _invalid() from None
    texts = ("sub", "jti", *further)
    is_whole = all(isinstance(claims.get(name), str) for name in texts)
    if claims["typ"] != kind or not is_whole or not ID.fullmatch(claims["sub"]):
        raise _invalid()
    return claims


def _key(ring: KeyRing, kind: str, token: str) -> bytes:
    """The key that the token's header names; anything unusual about its outside is refused before a key is chosen."""
    if len(token) > LONGEST_TOKEN or not SHAPE.fullmatch(token):
        raise _invalid()
    # base64 leaves spare bits in the last sign: only the one canonical spelling of a signature is taken.
    signature = token.rpartition(".")[2].encode()
    header = jwt.get_unverified_header(token)
    if base64url_encode(base64url_decode(signature)) != signature or header.keys() != {"alg", "typ", "kid"}:
        raise _invalid()
    key = ring.keys.get((header["kid"], kind))
    if header["alg"] != ALGORITHM or key is None:
        raise _invalid()
    return key


def _invalid() -> Unauthenticated:
    return Unauthenticated("the token is not valid", code="auth.invalid")

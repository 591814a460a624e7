"""The opaque refresh token: 32 random bytes that only its holder knows.

The database keeps a hash, and, once the token is spent, its successor encrypted under a key that only the spent token
yields: a client whose answer was lost can be given the very same successor again, and a dump gives away neither.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.encryption import derive

# A prefix that secret scanners can look for.
PREFIX = "hpr_"
SHAPE = re.compile(r"hpr_[A-Za-z0-9_-]{43}")
# Each sealing key encrypts one message in its life, so a fixed nonce is safe.
NONCE = bytes(12)


def new_token() -> str:
    """A fresh token of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """What the database knows the token by. A plain hash suffices: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def seal(successor: str, *, under: str) -> bytes:
    """`successor`, readable only with the token it replaces."""
    return AESGCM(derive(under.encode(), "refresh seal")).encrypt(NONCE, successor.encode(), None)


def unseal(sealed: bytes, *, under: str) -> str:
    """The successor that `seal` hid under this token."""
    return AESGCM(derive(under.encode(), "refresh seal")).decrypt(NONCE, sealed, None).decode()

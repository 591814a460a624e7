"""Columns that only the house can read: AES-256-GCM with the key id in front; blind indexes to find a value again.

    sealed = version (1 byte) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag

Invariant: the associated data is `table.column.row id`, so a sealed value copied to another row, column or table does
not open. The ring holds the present key and those before it; `hub.jobs` seals old values anew under the present one.
A ring is one object for the life of a process: a rotation renews it in place, and its holders see that at once.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_SECRET_BYTES = 32
DERIVED_BYTES = 32
FORMAT = b"\x01"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
HEAD_BYTES = len(FORMAT) + KEY_ID_BYTES + NONCE_BYTES


class Unreadable(ValueError):
    """A sealed value does not open: damaged, moved from its place, or its key is not in the ring."""


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose out of a secret (HKDF, RFC 5869). Raises `ValueError` for a secret below 32 bytes."""
    if len(secret) < MINIMUM_SECRET_BYTES:
        raise ValueError(
            f"a secret needs at least {MINIMUM_SECRET_BYTES} bytes; make one with: openssl rand -base64 48"
        )
    return HKDF(algorithm=SHA256(), length=DERIVED_BYTES, salt=None, info=f"hotpass {purpose}".encode()).derive(secret)


@dataclass(slots=True, kw_only=True)
class DataKeys:
    """The ring: sealing keys and keys of the blind indexes, each by id, the present one first."""

    current_id: bytes
    ciphers: dict[bytes, AESGCM] = field(repr=False)
    index_keys: dict[bytes, bytes] = field(repr=False)

    def renew(self, other: DataKeys) -> None:
        """Become another ring, for everybody who holds this one."""
        # The index keys first: a thread that hashes meanwhile may find a key that is not yet the present one.
        self.index_keys, self.ciphers, self.current_id = other.index_keys, other.ciphers, other.current_id


def make_data_keys(secret: str, previous: Sequence[str] = ()) -> DataKeys:
    """The ring of the present data secret and of those before it. Raises `ValueError` for one that is too short."""
    roots = {data_key_id(one): one.encode() for one in (secret, *previous)}
    return DataKeys(
        current_id=data_key_id(secret),
        ciphers={key_id: AESGCM(derive(root, "data")) for key_id, root in roots.items()},
        index_keys={key_id: derive(root, "blind index") for key_id, root in roots.items()},
    )


def data_key_id(secret: str) -> bytes:
    """What a data secret is known by; it tells nothing of the secret."""
    return derive(secret.encode(), "data key id")[:KEY_ID_BYTES]


def seal(keys: DataKeys, text: str, *, table: str, column: str, row_id: str) -> bytes:
    """`text`, readable only at this place. 5 µs."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = keys.ciphers[keys.current_id].encrypt(nonce, text.encode(), _place(table, column, row_id))
    return FORMAT + keys.current_id + nonce + sealed


def unseal(keys: DataKeys, sealed: bytes, *, table: str, column: str, row_id: str) -> str:
    """What `seal` hid at this place. Raises `Unreadable`."""
    cipher = keys.ciphers.get(key_id_of(sealed))
    if cipher is None or sealed[:1] != FORMAT:
        raise Unreadable(f"{table}.{column}: sealed under a key that is not in the ring")
    nonce, body = sealed[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES], sealed[HEAD_BYTES:]
    try:
        return cipher.decrypt(nonce, body, _place(table, column, row_id)).decode()
    except InvalidTag as error:
        raise Unreadable(f"{table}.{column}: damaged, or moved from its place") from error


def key_id_of(sealed: bytes) -> bytes:
    """Which key sealed a value."""
    return sealed[len(FORMAT) : len(FORMAT) + KEY_ID_BYTES]


def blind_index(keys: DataKeys, value: str, *, purpose: str) -> bytes:
    """What to store beside a sealed value, to find it by equality. Without the key it tells nothing."""
    return _index(keys.index_keys[keys.current_id], value, purpose)


def blind_indexes(keys: DataKeys, value: str, *, purpose: str) -> list[bytes]:
    """Every index that a value may be stored under while a rotation is under way, the present one first."""
    return list(blind_indexes_by_key(keys, value, purpose=purpose).values())


def blind_indexes_by_key(keys: DataKeys, value: str, *, purpose: str) -> dict[bytes, bytes]:
    """As `blind_indexes`, by the id of the key."""
    return {key_id: _index(key, value, purpose) for key_id, key in keys.index_keys.items()}


def _index(key: bytes, value: str, purpose: str) -> bytes:
    return hmac.new(key, f"{purpose}\0{value}".encode(), sha256).digest()


def _place(table: str, column: str, row_id: str) -> bytes:
    return f"{table}.{column}.{row_id}".encode()

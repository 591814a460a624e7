"""Slow hashes of passwords, in few threads, so that a storm of log-ins never slows a live screen.

    stored = key id (hex) : bcrypt( base64( HMAC-SHA256(key, password) ) )

Invariant: bcrypt sees 44 characters whatever the password is (it refuses more than 72 bytes), and a stolen table cannot
be tried without the key, which is not in the database. When the short queue is full the answer is 503, at once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from db.encryption import DataKeys, blind_indexes_by_key
from hub.domain.errors import Unavailable

COST = 12  # 245 ms on the reference machine; OWASP asks for at least 10
MOST_THREADS = 2
MOST_WAITING = 32
PURPOSE = "password"


class Hasher:
    """Hashes and checks passwords. Keep one per worker."""

    def __init__(self, keys: DataKeys, *, cost: int = COST) -> None:
        self._keys, self._cost = keys, cost
        threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) - 1))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")
        self._places = asyncio.BoundedSemaphore(threads + MOST_WAITING)
        # What unknown names are checked against: as slow as a real hash, and it is no hash of any password. Made up
        # rather than computed: a worker that starts has a storm of clients at its door.
        self._decoy = (bcrypt.gensalt(cost) + b64encode(secrets.token_bytes(23))[:31]).decode()

    def stop(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What to store for a password. 250 ms in a thread. Raises `Unavailable` when too many wait."""
        return str(await self._in_thread(self._hash, password))

    async def check(self, password: str, stored: str | None) -> bool:
        """True when `stored` was made from this password; takes as long for None, which is never right."""
        decoy = f"{self._keys.current_id.hex()}:{self._decoy}"
        is_right = bool(await self._in_thread(self._check, password, stored or decoy))
        return is_right and stored is not None

    def is_current(self, stored: str) -> bool:
        """True when `stored` was made under the present key."""
        return stored.startswith(f"{self._keys.current_id.hex()}:")

    async def _in_thread(self, work: object, *arguments: str) -> object:
        if self._places.locked():
            raise Unavailable("too many are signing in at this moment: try again in a second", retry_after=1)
        async with self._places:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)  # type: ignore[arg-type]

    def _hash(self, password: str) -> str:
        key_id = self._keys.current_id
        hashed = bcrypt.hashpw(self._pre_hashes(password)[key_id], bcrypt.gensalt(self._cost))
        return f"{key_id.hex()}:{hashed.decode()}"

    def _check(self, password: str, stored: str) -> bool:
        key_id, _, hashed = stored.partition(":")
        pre_hash = self._pre_hashes(password).get(bytes.fromhex(key_id))
        return pre_hash is not None and bcrypt.checkpw(pre_hash, hashed.encode())

    def _pre_hashes(self, password: str) -> dict[bytes, bytes]:
        normal = unicodedata.normalize("NFKC", password)
        keyed = blind_indexes_by_key(self._keys, normal, purpose=PURPOSE)
        return {key_id: b64encode(one) for key_id, one in keyed.items()}

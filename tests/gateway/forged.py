"""A corpus of forged access tokens: every way in that we know of, each with the name of its trick.

Most are refused for what they say; those of `sessionless` are signed well and name a session that is no sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import jwt

from db.encryption import derive
from hub.gateway.tokens import ACCESS, DEMO, KeyRing, issue_access, issue_demo_link

SIGNS = string.ascii_letters + string.digits + "-_"
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def strange_ids(known: str) -> tuple[str, ...]:
    """Texts that are no UUID, or not in the one spelling that is taken."""
    return (
        "",
        "x",
        "null",
        "0",
        known.upper().replace("0", "A"),
        known.replace("-", ""),
        f"{{{known}}}",
        f"urn:uuid:{known}",
        f"{known} ",
        f" {known}",
        f"{known}\n",
        f"{known}\x00",
        f"{known},{known}",
        known[:-1],
        f"{known}0",
        "' or 1=1 --",
    )


def spelled(header: Any, claims: Any, key: bytes, *, signed_as: str = "HS256") -> str:
    """A token of exactly this header and these claims, truly signed with `key`."""
    message = f"{encoded(header)}.{encoded(claims)}"
    return f"{message}.{encoded(hmac.new(key, message.encode(), HASHES[signed_as]).digest())}"


class Forger:
    """Knows a ring and one good token of it, and spoils it in every way."""

    def __init__(self, ring: KeyRing, secret: str, *, person_id: str, session_id: str) -> None:
        self.ring, self.secret, self.person_id, self.session_id = ring, secret, person_id, session_id
        self.good = issue_access(ring, person_id=person_id, session_id=session_id, lifetime_seconds=600)[0]
        self.key = ring.keys[ring.current_kid, ACCESS]
        self.header: dict[str, Any] = dict(jwt.get_unverified_header(self.good))
        self.claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})

    def corpus(self) -> Iterator[tuple[str, str]]:
        """(trick, token), several hundred."""
        for family in (self.algorithms, self.keys, self.headers, self.claims_missing, self.claims_wrong, self.types):
            yield from family()
        yield from self.spelling()
        yield from self.flipped()

    def algorithms(self) -> Iterator[tuple[str, str]]:
        message = self.good.rpartition(".")[0].partition(".")[2]
        signature = self.good.rpartition(".")[2]
        for name in ("none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "dir"):
            header = encoded(self.header | {"alg": name})
            yield f"alg {name!r} without a signature", f"{header}.{message}."
            yield f"alg {name!r} with the old signature", f"{header}.{message}.{signature}"
            for real in HASHES:
                if name != "HS256":
                    token = spelled(self.header | {"alg": name}, self.claims, self.key, signed_as=real)
                    yield f"alg {name!r} signed as {real}", token
        for value in (None, 1, ["HS256"], {"HS256": 1}, True):
            yield f"alg {value!r}", spelled(self.header | {"alg": value}, self.claims, self.key)
        yield "alg says HS256, signed as HS512", spelled(self.header, self.claims, self.key, signed_as="HS512")

    def keys(self) -> Iterator[tuple[str, str]]:
        other = b"another secret of more than 32 bytes"
        for name, key in {
            "empty": b"",
            "zero": bytes(32),
            "secret itself": self.secret.encode(),
            "kid": self.ring.current_kid.encode(),
            "other secret": other,
            "other secret, derived": derive(other, "token access"),
            "demo key": self.ring.keys[self.ring.current_kid, DEMO],
            "cut key": self.key[:-1],
            "key in hex": self.key.hex().encode(),
            "key in base64": base64.b64encode(self.key),
            "the token": self.good.encode(),
            "audience": b"hotpass-hub",
            "secret": b"secret",
            "changeme": b"changeme",
        }.items():
            yield f"signed with {name}", spelled(self.header, self.claims, key)

    def headers(self) -> Iterator[tuple[str, str]]:
        without = {name: value for name, value in self.header.items() if name != "kid"}
        yield "no kid", spelled(without, self.claims, self.key)
        for kid in (
            "",
            "0",
            "unknown",
            "../../../dev/null",
            "/dev/null",
            "' or 1=1 --",
            "a" * 1000,
            "\x00",
            "é",
            None,
            7,
            [self.ring.current_kid],
            {"kid": 1},
            True,
            self.ring.current_kid.upper() + " ",
            " " + self.ring.current_kid,
        ):
            for key in (self.key, b"", bytes(32)):
                yield f"kid {kid!r}", spelled(self.header | {"kid": kid}, self.claims, key)
        for name, value in {
            "jwk": {"kty": "oct", "k": encoded(b"x" * 32)},
            "jku": "https://evil.example/keys",
            "x5u": "https://evil.example/c",
            "x5c": ["MIIB"],
            "crit": ["exp"],
            "b64": False,
            "zip": "DEF",
            "cty": "JWT",
            "enc": "A256GCM",
            "extra": 1,
        }.items():
            yield f"header {name}", spelled(self.header | {name: value}, self.claims, self.key)
        for header in ([], "x", 1, None, {}, b"\xff\xfe", b"{", b'{"alg":"HS256"'):
            yield f"header is {header!r}", spelled(header, self.claims, self.key)

    def claims_missing(self) -> Iterator[tuple[str, str]]:
        for name in self.claims:
            rest = {other: value for other, value in self.claims.items() if other != name}
            yield f"no {name}", spelled(self.header, rest, self.key)
            yield f"{name} is null", spelled(self.header, rest | {name: None}, self.key)
        for claims in ([], "x", 1, None, {}, b"\xff", b"{", [self.claims]):
            yield f"claims are {claims!r}"[:60], spelled(self.header, claims, self.key)

    def claims_wrong(self) -> Iterator[tuple[str, str]]:
        now = int(time.time())
        wrong: dict[str, tuple[Any, ...]] = {
            "iss": ("", "hotpas", "HOTPASS", "https://hotpass", ["hotpass"], 1, True, {}),
            "aud": ("", "hotpass", "hotpass-ui", ["hotpass-hub"], ["x", "hotpass-hub"], "*", 1, True, {}),
            "exp": (0, -1, now - 6, now - 3600, "never", "", [], {}, "Infinity", True),
            "nbf": (now + 60, now + 10**9, "soon", [], {}),
            "iat": (now + 60, now + 10**9, "x", [], {}),
            "typ": ("", "Access", "ACCESS", "refresh", "demo", "device", "id", ["access"], 1, True, {}),
            "sub": (1, True, [], {}, [self.person_id], *strange_ids(self.person_id)),
            "sid": (1, True, [], {}, [self.session_id], *strange_ids(self.session_id)),
            "jti": (1, True, [], {}),
        }
        for name, values in wrong.items():
            for value in values:
                yield f"{name} is {value!r}", spelled(self.header, self.claims | {name: value}, self.key)

    def sessionless(self, ended: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Truly signed, for sessions that are none or no longer; `ended` names real ones by what became of them."""
        unknown = {f"unknown {number}": str(uuid4()) for number in range(20)}
        unknown |= {"the person": self.person_id, "nil": str(UUID(int=0)), "all ones": str(UUID(int=2**128 - 1))}
        for name, session_id in (unknown | dict(ended)).items():
            yield f"session: {name}", spelled(self.header, self.claims | {"sid": session_id}, self.key)
        yield "session of nobody", spelled(self.header, self.claims | {"sub": str(uuid4())}, self.key)

    def types(self) -> Iterator[tuple[str, str]]:
        link = issue_demo_link(self.ring, person_id=self.person_id, home="/")
        yield "a demo link", link
        yield (
            "an access token under the demo key",
            spelled(self.header, self.claims, self.ring.keys[self.ring.current_kid, DEMO]),
        )
        claims = jwt.decode(link, options={"verify_signature": False}) | {"sid": self.session_id}
        yield "a demo link under the access key", spelled(self.header, claims, self.key)

    def spelling(self) -> Iterator[tuple[str, str]]:
        header, claims, signature = self.good.split(".")
        for name, token in {
            "empty": "",
            "dots": "..",
            "one part": header,
            "two parts": f"{header}.{claims}",
            "no signature": f"{header}.{claims}.",
            "four parts": f"{self.good}.x",
            "five parts": f"{header}.{claims}.{signature}.x.y",
            "leading dot": f".{self.good}",
            "padding": f"{self.good}=",
            "more padding": f"{self.good}==",
            "space before": f" {self.good}",
            "space after": f"{self.good} ",
            "new line": f"{self.good}\n",
            "tab inside": f"{header}\t.{claims}.{signature}",
            "NUL": f"{self.good}\x00",
            "Bearer": f"Bearer {self.good}",
            "quotes": f'"{self.good}"',
            "doubled": self.good * 2,
            "comma": f"{self.good},{self.good}",
            "upper": self.good.upper(),
            "lower": self.good.lower(),
            "swapped": f"{claims}.{header}.{signature}",
            "no header": f".{claims}.{signature}",
            "no claims": f"{header}..{signature}",
            "standard base64": f"{self.good}+/",
            "huge": "a" * 100_000 + "." + self.good,
            "percent": self.good.replace(".", "%2E"),
            "full width": self.good.replace(".", "\uff0e"),
            "surrogate": self.good + "\ud800",
            "null": "null",
            "undefined": "undefined",
        }.items():
            yield f"spelled: {name}", token
        for length in range(1, len(self.good), 7):
            yield f"cut to {length}", self.good[:length]

    def flipped(self) -> Iterator[tuple[str, str]]:
        """Each sign replaced by another; in the last sign of the signature, whose spare bits decode alike, by each."""
        for index, sign in enumerate(self.good):
            other = "A" if sign != "A" else "B"
            yield f"sign {index} flipped", self.good[:index] + other + self.good[index + 1 :]
        for sign in SIGNS:
            if sign != self.good[-1]:
                yield f"last sign is {sign}", self.good[:-1] + sign

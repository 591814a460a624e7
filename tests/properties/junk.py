"""Requests that nobody should send: made from the types that the routes decode, then spoilt; one seed, one sequence."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from msgspec import inspect, structs

from hub.gateway.endpoint import Route

TEXTS = (
    "", " ", "a", "x" * 300, "é漢🍕", "\u202e\u0000", "\ud800", "\x1b[31m", "' or 1=1 --", "<script>alert(1)</script>",
    "../../etc/passwd", "{{7*7}}", "%00", "null", "-1", "1e999", "0x10", "2026-11-25T00:00:00Z", "9999-12-31T23:59:59Z",
    "+919820012345", "01a212fe-7b50-781e-9835-ff4eac515205", "*", "own", "region:north", "kitchen:x", "123456",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2, 99, 100, 2**31, 2**63, -(2**63), 10**30, 0.1, 1e308, -0.0, 180.0, 91.0)
SCRAPS = (None, True, False, [], {}, [[]], {"a": {"b": {}}}, [None] * 50)
RAW = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}" * 2, b'{"a":1,"a":2}', b"[" * 5000, b'{"a":' * 400, b"NaN", b"1e400",
    b'"\\ud800"', b"{}\n\n", b'{"reason":"' + b"x" * 60_000 + b'"}',
)  # fmt: skip

PARAMETER = re.compile(r"<\w+:uuid>")
UUID_TEXT = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Junk:
    """One request, ready to send."""

    method: str
    route: Route
    path: str
    body: bytes | None
    headers: dict[str, str]

    @property
    def is_of_its_route(self) -> bool:
        """True when the path is one of the route: its ids are ids."""
        spelled = PARAMETER.sub(UUID_TEXT, self.route.path)
        return re.fullmatch(spelled, self.path.partition("?")[0]) is not None


class Maker:
    """Makes requests for some routes; `ids` are things that exist."""

    def __init__(self, seed: int, routes: list[Route], ids: list[str]) -> None:
        self.dice, self.routes, self.ids = random.Random(seed), routes, ids

    def request(self) -> Junk:
        """The next request."""
        route = self.dice.choice(self.routes)
        path = "".join(self._part(part) for part in route.path.split("/")[1:])
        headers = {"Content-Type": self.dice.choice(("application/json", "text/plain", "application/xml"))}
        if self.dice.random() < 0.9:
            headers["Idempotency-Key"] = self.dice.choice((f"{self.dice.random()}", "same", "x" * 101, "a b"))
        if self.dice.random() < 0.2:
            headers["If-Match"] = self.dice.choice(('"1"', "1", "*", '"x"', '"99999999999999999999"', 'W/"2"'))
        return Junk(
            method=route.method, route=route, path=path + self._query(route), body=self._body(route), headers=headers
        )

    def _part(self, part: str) -> str:
        if not part.startswith("<"):
            return "/" + part
        return "/" + self.dice.choice((*self.ids, self.ids[0].upper(), "x", "0", "%00", "..%2f", "01a212fe"))

    def _query(self, route: Route) -> str:
        """Some of the route's own parameters, well and badly filled; now and then one that it does not have."""
        fields = [field for field in structs.fields(route.query) if self.dice.random() < 0.5]
        pairs = [(field.name, self._text(inspect.multi_type_info([field.type])[0])) for field in fields]
        if self.dice.random() < 0.1:
            pairs.append(self.dice.choice((("x", "1"), ("after", ""), ("limit", "1"), ("%00", "%ff"), ("a[]", "b"))))
        return "?" + "&".join(f"{name}={value}" for name, value in pairs) if pairs else ""

    def _text(self, kind: Any) -> str:
        """A value of a type as a query string spells it, or junk."""
        if self.dice.random() < 0.6:
            value = self._of(kind)
            return quote(str(value).encode("utf-8", "surrogatepass"))
        return self.dice.choice(("", "-1", "%00", "%ff", "%ed%a0%80", self.ids[0], "1e9", "%2B919820012345", "9" * 500))

    def _body(self, route: Route) -> bytes | None:
        if route.body is None:
            return None
        if self.dice.random() < 0.15:
            return self.dice.choice(RAW)
        value = self._of(inspect.type_info(route.body))
        if self.dice.random() < 0.4:
            value = self._spoilt(value)
        try:
            return orjson.dumps(value)
        except TypeError:
            return str(value).encode("utf-8", "surrogatepass")

    def _of(self, kind: Any) -> Any:
        """A value of a type, most of the time; its limits are not looked at."""
        match kind:
            case inspect.StructType():
                return {f.encode_name: self._of(f.type) for f in kind.fields if f.required or self.dice.random() < 0.7}
            case inspect.ListType():
                return [self._of(kind.item_type) for _ in range(self.dice.choice((0, 1, 1, 2, 3)))]
            case inspect.UnionType():
                return self._of(self.dice.choice(kind.types))
            case inspect.LiteralType():
                return self.dice.choice(kind.values)
        return self.dice.choice(self._plain(kind))

    def _plain(self, kind: Any) -> tuple[Any, ...]:
        """What a value without parts may be."""
        match kind:
            case inspect.EnumType():
                return tuple(member.value for member in kind.cls)
            case inspect.BoolType():
                return (True, False)
            case inspect.NoneType():
                return (None,)
            case inspect.IntType() | inspect.FloatType():
                return NUMBERS
        return (*TEXTS, *self.ids, *self.ids)

    def _spoilt(self, value: Any) -> Any:
        if not isinstance(value, dict) or not value:
            return self.dice.choice(SCRAPS)
        name = self.dice.choice(list(value))
        spoilt = dict(value)
        match self.dice.randrange(4):
            case 0:
                del spoilt[name]
            case 1:
                spoilt[self.dice.choice(("id", "role", "version", "total_minor", name + "x"))] = 1
            case 2:
                spoilt[name] = self._spoilt(value[name])
            case _:
                spoilt[name] = self.dice.choice((*SCRAPS, *NUMBERS, *TEXTS))
        return spoilt

"""Who may knock at all, and what every answer carries: Host and Origin allow-lists, CORS, the security header set.

Installed around every route, errors included. A browser's page of a foreign origin gets no answer that it may read and
no write carried out; a request whose Host or header bytes are strange is refused before anything looks at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse, HTTPResponse, empty

from hub.domain.errors import BadRequest, Forbidden

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Permissions-Policy": "camera=(), microphone=(), payment=(), usb=(), geolocation=(self)",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
# Only where the public address is https: on loopback it would lock out plain http.
TRANSPORT_SECURITY = "max-age=63072000; includeSubDomains"
METHODS = "GET, POST, PATCH, PUT, DELETE, OPTIONS"
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-ID"
EXPOSED_HEADERS = (
    "ETag, X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy, "
    "Deprecation, Sunset, Link"
)
PREFLIGHT_SECONDS = "600"
HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?")
# Control bytes in a header value: the parser lets them through, a log or a proxy further on may not.
STRANGE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The allow-lists. Origins are `scheme://host[:port]`; hosts come without port; an empty `hosts` allows any."""

    origins: frozenset[str]
    hosts: frozenset[str]
    is_https: bool
    proxies: tuple[Network, ...] = ()


def make_gate(
    *, hub_url: str, ui_url: str, further_origins: tuple[str, ...] = (), trusted_proxies: tuple[str, ...] = ()
) -> Gate:
    """The gate of a hub that browsers know as `hub_url`. Raises `ValueError` for a proxy that is no network."""
    urls = (hub_url, ui_url, *further_origins)
    names = {urlsplit(url).hostname or "" for url in (hub_url, ui_url)}
    hosts = {f"[{name}]" if ":" in name else name for name in names}
    if hosts & LOOPBACK:
        hosts |= LOOPBACK
    return Gate(
        origins=frozenset(filter(None, map(origin_of, urls))),
        hosts=frozenset(hosts),
        is_https=hub_url.startswith("https://"),
        proxies=tuple(ip_network(proxy, strict=False) for proxy in trusted_proxies),
    )


def origin_of(url: str) -> str:
    """The origin of a URL as browsers spell it: lower case, no default port; empty for anything but http(s)."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port is None or parts.port == (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")


def check_knock(gate: Gate, request: Request) -> None:
    """Refuse a request with strange header bytes, a foreign Host or, where it writes, a foreign Origin."""
    for name, value in request.headers.items():
        if STRANGE.search(value) or STRANGE.search(name):
            raise BadRequest("a header holds control characters", code="header.control_characters")
    hosts = request.headers.getall("host", [])
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        raise BadRequest("send exactly one Host header", code="host.malformed")
    if gate.hosts and _without_port(hosts[0]).lower() not in gate.hosts and not _is_probe(request):
        refusal = BadRequest("this host is not served here", code="host.unknown")
        refusal.status = 421
        raise refusal
    origin = request.headers.get("origin")
    if origin is not None and origin not in gate.origins and request.method not in SAFE_METHODS:
        raise Forbidden("pages of this origin may not write here", code="origin.forbidden")


def address_of(gate: Gate, request: Request) -> str:
    """The caller's address: the peer, or, behind configured proxies, the nearest address that is none of them."""
    address = str(request.conn_info.client_ip or "") if request.conn_info else ""
    if not gate.proxies:
        return address
    # Every line of the header: a proxy may add one of its own behind what the client wrote.
    told = ",".join(request.headers.getall("x-forwarded-for", []))
    for nearer in (address, *reversed([part.strip() for part in told.split(",")])):
        if not _is_address(nearer):
            break
        address = nearer
        if not any(ip_address(nearer) in network for network in gate.proxies):
            break
    return address


def cors_headers(gate: Gate, request: Request) -> dict[str, str]:
    """What a page of an allowed origin needs to read the answer; no credentials: tokens go in a header."""
    origin = request.headers.get("origin")
    if origin not in gate.origins:
        return {"Vary": "Origin"}
    headers = {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
    }
    if request.method == "OPTIONS":
        headers |= {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        }
    return headers


def install(app: Sanic[Any, Any], gate: Gate) -> None:
    """Put the gate before every route and the headers on every answer; a handler's own header wins."""

    async def knock(request: Request) -> HTTPResponse | None:
        request.ctx.address = address_of(gate, request)
        check_knock(gate, request)
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return empty()
        return None

    async def dress(request: Request, response: BaseHTTPResponse) -> None:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if gate.is_https:
            response.headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
        response.headers.update(getattr(request.ctx, "told", {}))
        response.headers.update(cors_headers(gate, request))

    app.register_middleware(knock, "request", priority=90)
    app.register_middleware(dress, "response", priority=90)


def _without_port(host: str) -> str:
    return re.sub(r":\d{1,5}$", "", host)


def _is_probe(request: Request) -> bool:
    """Orchestrators probe by address."""
    return request.method == "GET" and request.path in {"/livez", "/readyz", "/metrics"}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

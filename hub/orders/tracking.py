"""The customer's page behind `/t/<token>`: plain HTML that says all without JavaScript, then keeps itself current.

The token is the only key and is never logged. A wrong token is answered like a link that never was.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from babel.numbers import format_currency, get_currency_precision
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, html, raw

from db import orders
from hub.domain.errors import NotFound
from hub.domain.order import ENDED
from hub.gateway.house import House

BLUEPRINT = Blueprint("tracking")
MARKER = re.compile(r"\{\{(\w+)\}\}")
TOKEN = re.compile(r"[0-9a-f]{48}\Z")
STAGES = ("placed", "accepted", "started", "ready", "picked_up", "delivered")
WORDS = {
    "placed": "Waiting for the kitchen",
    "accepted": "Accepted",
    "preparing": "Cooking",
    "ready": "Ready",
    "out_for_delivery": "On the way",
    "delivered": "Delivered",
    "rejected": "The kitchen could not take this order",
    "expired": "The kitchen did not answer in time",
    "cancelled": "Cancelled",
    "delivery_failed": "The delivery failed",
    "returned": "Returned to the kitchen",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
UNKNOWN = (
    "<!doctype html><html lang=en><title>Hotpass</title>"
    "<main><h1>Hotpass</h1><p>This tracking link is not known, or no longer.</main>"
)


@BLUEPRINT.get("/t/<token:str>")
async def track(request: Request, token: str) -> HTTPResponse:
    """The page of one order, filled with its present state."""
    house: House = request.app.ctx.house
    whole = await _read(house, token)
    if whole is None:
        return html(UNKNOWN, status=404, headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})
    page = fill(request.app.ctx.track_page, fields_of(token, **whole))
    return html(page, headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})


@BLUEPRINT.get("/worker.js")
async def worker(request: Request) -> HTTPResponse:
    """The page's service worker: at the root, because it rules only what lies below its own address."""
    headers = {"Content-Security-Policy": "default-src 'none'; connect-src 'self'"}
    return raw(request.app.ctx.track_worker, content_type="text/javascript; charset=utf-8", headers=headers)


async def _read(house: House, token: str) -> dict[str, Any] | None:
    if not TOKEN.match(token):
        return None
    async with house.database.connection() as connection:
        row = await orders.TRACKED_WHOLE.row(connection, token_hash=sha256(token.encode()).digest())
    if row is None:
        return None
    return {name: orjson.loads(row[name]) for name in ("order", "lines", "delivery", "kitchen")}


def read_page(static: Path) -> str:
    """The template. Raises `NotFound` when it is not there."""
    page = static / "track.html"
    if not page.is_file():
        raise NotFound(f"there is no {page.name} among the static files")
    return re.sub(r"<!--.*?-->\n?", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def read_worker(static: Path) -> bytes:
    """The script of the service worker. Raises `FileNotFoundError`."""
    return (static / "worker.js").read_bytes()


def fill(page: str, fields: dict[str, str]) -> str:
    """Put each field where its marker stands, as text; `lines` alone is markup, made here from escaped text."""
    return MARKER.sub(lambda marker: fields[marker[1]] if marker[1] == "lines" else escape(fields[marker[1]]), page)


def fields_of(
    token: str, order: dict[str, Any], lines: list[dict[str, Any]], delivery: dict[str, Any], kitchen: dict[str, Any]
) -> dict[str, str]:
    """Every marker of the template, as text."""
    zone = ZoneInfo(kitchen["time_zone"])
    is_over = order["status"] in ENDED
    listed = (f"<li>{line['quantity']} × {escape(line['name'])}</li>" for line in lines if line["state"] != "voided")
    return {
        "order_id": order["id"],
        "token": token,
        "zone": kitchen["time_zone"],
        "code": order["code"],
        "kitchen": order["kitchen_name"],
        "brand": order["brand_name"],
        "status": order["status"],
        "status_word": WORDS[order["status"]],
        "arriving": "" if is_over else _clock(order["promised_at"], zone),
        "rider": delivery["visible_rider_name"] or "",
        "pin": "" if is_over else order["delivery_pin"],
        "cash": "" if is_over or order["payment_method"] != "cash" else _money(order["total_minor"], order["currency"]),
        "lines": "".join(listed),
        **{f"{stage}_at": _clock(order[f"{stage}_at"], zone) for stage in STAGES},
    }


def _clock(at: str | None, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(at).astimezone(zone).strftime("%H:%M") if at else ""


def _money(minor: int, currency: str) -> str:
    return str(format_currency(minor / 10 ** get_currency_precision(currency), currency, locale="en"))

"""Every operation of the published document is asked, and every answer, refusals too, is one that is declared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from hub.gateway.tokens import issue_demo_link, make_key_ring
from tests.caller import Caller
from tests.course import Cast, accepted, delivery_of, offered, placed, ready
from tests.service.asker import Asker
from tests.service.contract import Contract
from tests.town import SECRET, person

WHY = {"reason": "because it must be"}
HOME = {"label": "Home", "line": "1 Sea View", "lat": 12.9, "lon": 77.6, "notes": ""}
PASSWORD = "correct horse 42 battery"
PHONES = iter(f"+9198200{number:05}" for number in range(10_000))


@pytest.fixture(scope="module")
async def asker(cast: Cast) -> Asker:
    """Holds answers against the document that this hub publishes."""
    return Asker(contract=Contract((await cast.customer.get("/openapi.json")).body))


@pytest.fixture(scope="module")
async def admin(cast: Cast) -> Caller:
    """Whom no permission stops."""
    grants = [("administrator", "*"), ("manager", "*"), ("rider", "own"), ("customer", "own")]
    return cast.as_person(await person(cast.conn, "Everybody", *grants))


@dataclass(frozen=True, kw_only=True)
class Bearing(Caller):
    """Somebody with an access token of a way in."""

    token: str

    def headers(self) -> dict[str, str]:
        """What says who it is."""
        return {"Authorization": f"Bearer {self.token}"}


def later(days: int = 1) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_answers_about_kitchens(cast: Cast, asker: Asker, admin: Caller) -> None:
    here = {"kitchen_id": cast.town.kitchen_id}
    for who in (cast.as_person(None), cast.cook, cast.manager):
        await asker.get(who, "/kitchens", f"?region={cast.town.region}")
        await asker.get(who, "/kitchens/{kitchen_id}/menu", **here)
    await asker.get(cast.as_person(None), "/clock")
    dish = {"item_id": cast.town.item_ids[5]}
    await asker.post(cast.cook, "/kitchens/{kitchen_id}/items/{item_id}/86", **here, **dish)
    again = await asker.ask(cast.cook, "POST", "/kitchens/{kitchen_id}/items/{item_id}/86", **here, **dish)
    assert again.status == 409
    await asker.post(cast.cook, "/kitchens/{kitchen_id}/items/{item_id}/back", **here, **dish)
    await asker.post(cast.manager, "/kitchens/{kitchen_id}/pause", {"minutes": 5} | WHY, **here)
    await asker.post(cast.manager, "/kitchens/{kitchen_id}/resume", **here)


async def test_answers_about_orders(cast: Cast, asker: Asker) -> None:
    quote = {name: value for name, value in cast.basket(2).items() if name != "note"}
    await asker.post(cast.customer, "/quotes", quote)
    made = await asker.post(cast.customer, "/orders", cast.basket(1, 2))
    order = {"order_id": made["order"]["id"]}
    for who in (cast.customer, cast.cook, cast.manager):
        await asker.get(who, "/orders", "?status=placed&limit=1")
        await asker.get(who, "/orders/{order_id}", **order)
        await asker.get(who, "/orders/{order_id}/timeline", **order)
    for move, body in (
        ("accept", {}), ("delay", {"minutes": 5} | WHY), ("amend", {"note": "no onion"}), ("rush", {"is_rush": True}),
    ):  # fmt: skip
        await asker.post(cast.manager, "/orders/{order_id}/" + move, body, **order)
    assert (await asker.ask(cast.manager, "POST", "/orders/{order_id}/accept", **order)).status == 409
    for move in ("reject", "cancel"):
        other = {"order_id": (await placed(cast))["order"]["id"]}
        await asker.post(cast.manager, "/orders/{order_id}/" + move, WHY, **other)


async def test_answers_about_lines(cast: Cast, asker: Asker) -> None:
    made = await accepted(cast, 1, 1)
    first, second = ({"line_id": line["id"]} for line in made["lines"])
    for move in ("start", "undo", "start", "done", "check", "undo", "check", "recall"):
        await asker.post(cast.manager, "/lines/{line_id}/" + move, **first)
    await asker.post(cast.manager, "/lines/{line_id}/remake", WHY, **first)
    await asker.post(cast.manager, "/lines/{line_id}/void", WHY, **second)
    order = {"order_id": made["order"]["id"]}
    refused = await asker.ask(cast.manager, "POST", "/orders/{order_id}/ready", **order)
    assert refused.code == "order.unfinished"
    done = await accepted(cast)
    for move in ("start", "done"):
        await asker.post(cast.cook, "/lines/{line_id}/" + move, line_id=done["lines"][0]["id"])
    await asker.post(cast.manager, "/orders/{order_id}/ready", order_id=done["order"]["id"])
    await asker.post(cast.manager, "/orders/{order_id}/recall", WHY, order_id=done["order"]["id"])


async def test_answers_about_deliveries_and_riders(cast: Cast, asker: Asker) -> None:
    made = await ready(cast)
    carried = {"delivery_id": await delivery_of(cast, made["order"]["id"])}
    by, rider = {"rider_id": str(cast.rider.person_id)}, cast.rider
    for move, who, body in (
        ("assign", cast.manager, by), ("unassign", cast.manager, WHY), ("assign", cast.manager, by),
        ("arrive", rider, {}), ("pick-up", rider, {"code": made["order"]["code"]}), ("at-door", rider, {}),
    ):  # fmt: skip
        await asker.post(who, "/deliveries/{delivery_id}/" + move, body, **carried)
    for who in (cast.customer, rider, cast.manager):
        await asker.get(who, "/deliveries", "?status=at_door")
        await asker.get(who, "/deliveries/{delivery_id}", **carried)
    wrong = await asker.ask(rider, "POST", "/deliveries/{delivery_id}/deliver", {"pin": "x"}, **carried)
    assert wrong.status == 422
    for move, body in (("fail", WHY), ("return", {}), ("return", {})):
        await asker.post(rider, "/deliveries/{delivery_id}/" + move, body, **carried)
    brought = await ready(cast)
    delivery_id = await delivery_of(cast, brought["order"]["id"])
    offer = {"offer_id": await offered(cast, delivery_id, str(rider.person_id))}
    await asker.post(rider, "/offers/{offer_id}/accept", **offer)
    for move, body in (("arrive", {}), ("pick-up", {"code": brought["order"]["code"]}), ("at-door", {})):
        await asker.post(rider, "/deliveries/{delivery_id}/" + move, body, delivery_id=delivery_id)
    told = await asker.get(cast.customer, "/orders/{order_id}", order_id=brought["order"]["id"])
    given = {"pin": told["order"]["delivery_pin"], "cash_minor": told["order"]["total_minor"]}
    await asker.post(rider, "/deliveries/{delivery_id}/deliver", given, delivery_id=delivery_id)
    waiting = await delivery_of(cast, (await ready(cast))["order"]["id"])
    declined = {"offer_id": await offered(cast, waiting, str(rider.person_id))}
    await asker.post(rider, "/offers/{offer_id}/decline", WHY, **declined)
    for who in (rider, cast.manager):
        await asker.get(who, "/riders")
    point = {"seq": 1, "at": datetime.now(UTC).isoformat(), "lat": 12.97, "lon": 77.59}
    await asker.post(rider, "/positions", {"points": [point, point]})
    for move in ("break", "start", "end"):
        await asker.post(rider, "/riders/{rider_id}/shift/" + move, **by)


async def test_answers_about_oneself(cast: Cast, asker: Asker) -> None:
    me = cast.as_person(await person(cast.conn, "Meera", ("customer", "own"), ("cook", "*")))
    await asker.get(me, "/me")
    await asker.send(me, "PATCH", "/me", {"locale": "hi", "notifications": ["order"]})
    home = {"address_id": (await asker.post(me, "/me/addresses", HOME))["address"]["id"]}
    await asker.get(me, "/me/addresses")
    await asker.send(me, "PUT", "/me/addresses/{address_id}", HOME, **home)
    await asker.post(me, "/me/addresses/{address_id}/default", **home)
    await asker.send(me, "DELETE", "/me/addresses/{address_id}", **home)
    assert (await asker.ask(me, "DELETE", "/me/addresses/{address_id}", **home)).status == 404
    await asker.post(me, "/me/pin", {"kitchen_id": cast.town.kitchen_id})
    assert (await asker.ask(cast.as_person(None), "GET", "/me")).status == 401


async def test_answers_about_people(cast: Cast, asker: Asker, admin: Caller) -> None:
    phone = next(PHONES)
    await asker.get(admin, "/users", "?limit=5")
    made = (await asker.post(admin, "/users", {"name": "Ravi", "phone": phone}))["user"]
    somebody = {"person_id": made["id"]}
    await asker.get(admin, "/users", "?phone=" + phone.replace("+", "%2B"))
    granted = await asker.post(admin, "/roles", {"person_id": made["id"], "role": "cook", "scope": "*"})
    await asker.get(admin, "/users/{person_id}", **somebody)
    await asker.get(admin, "/roles", "?role=cook")
    await asker.get(cast.stranger, "/roles/table")
    await asker.send(admin, "DELETE", "/roles/{grant_id}", grant_id=granted["grant"]["id"])
    await asker.post(admin, "/users/{person_id}/reveal", WHY, **somebody)
    await asker.get(admin, "/security/looks", f"?subject_id={made['id']}")
    await asker.get(admin, "/security", "?severity=notice")
    await asker.get(admin, "/audit", "?limit=200")
    block = {"kind": "phone", "value": phone, "effect": "refuse", "expires_at": later()} | WHY
    made = await asker.post(admin, "/blocks", block)
    await asker.get(admin, "/blocks", "?kind=phone")
    await asker.post(admin, "/blocks/{block_id}/lift", WHY, block_id=made["block"]["id"])
    await asker.send(admin, "PATCH", "/users/{person_id}", {"is_active": False} | WHY, **somebody)
    other = (await asker.post(admin, "/users", {"name": "Ravi"}))["user"]["id"]
    await asker.post(admin, "/users/{person_id}/merge", {"into_id": str(admin.person_id)} | WHY, person_id=other)
    await asker.post(admin, "/users/{person_id}/erase", WHY, **somebody)
    assert (await asker.ask(cast.cook, "GET", "/users")).status == 403
    assert (await asker.ask(admin, "GET", "/users", query="?limit=0&x=1")).status == 400


async def test_answers_about_reviews(cast: Cast, asker: Asker, admin: Caller) -> None:
    looked_at = cast.as_person(await person(cast.conn, "Looked-at", ("customer", "own")))
    block = {"kind": "person", "value": looked_at.person_id, "effect": "review", "expires_at": later()} | WHY
    await asker.post(admin, "/blocks", block)
    for move in ("approve", "refuse"):
        order = (await asker.post(looked_at, "/orders", cast.basket()))["order"]
        listed = await asker.get(cast.manager, "/reviews", "?state=waiting")
        [review_id] = [one["id"] for one in listed["reviews"] if one["order_id"] == order["id"]]
        await asker.post(cast.manager, "/reviews/{review_id}/" + move, WHY, review_id=review_id)
    pair = {"kind": "pair", "value": f"{cast.rider.person_id},{looked_at.person_id}", "expires_at": later()} | WHY
    await asker.post(admin, "/blocks", pair | {"effect": "apart"})


async def test_answers_about_machines(cast: Cast, asker: Asker, admin: Caller) -> None:
    nobody = cast.as_person(None)
    new = {"kitchen_id": cast.town.kitchen_id, "name": "Pass"}
    made = (await asker.post(cast.manager, "/devices", new))["device"]
    await asker.get(cast.manager, "/devices", f"?kitchen_id={cast.town.kitchen_id}")
    paired = await asker.post(nobody, "/devices/pair", {"code": made["code"]})
    await asker.post(nobody, "/devices/token", {"device": paired["device_token"]})
    pin = (await asker.post(cast.cook, "/me/pin", {"kitchen_id": cast.town.kitchen_id}))["pin"]
    tablet = Bearing(session=cast.session, token=paired["access_token"])
    await asker.post(tablet, "/devices/switch", {"pin": pin})
    await asker.send(cast.manager, "DELETE", "/devices/{device_id}", device_id=made["id"])
    key = (await asker.post(admin, "/api-keys", {"name": "Shop", "scopes": ["*"]}))["api_key"]
    await asker.get(admin, "/api-keys")
    await asker.post(nobody, "/auth/key", {"key": key["key"]})
    await asker.send(admin, "DELETE", "/api-keys/{api_key_id}", api_key_id=key["id"])


async def test_answers_about_signing_in(cast: Cast, asker: Asker, admin: Caller) -> None:
    nobody, phone = cast.as_person(None), next(PHONES)
    link = issue_demo_link(make_key_ring(SECRET), person_id=str(cast.cook.person_id), home="/")
    shown = await asker.post(nobody, "/auth/demo", {"link": link})
    assert (await asker.ask(nobody, "POST", "/auth/demo", {"link": link})).status == 401
    await asker.post(nobody, "/auth/refresh", {"refresh_token": shown["refresh_token"]})
    asked = await asker.post(nobody, "/auth/otp", {"phone": phone})
    inbox = await asker.get(nobody, "/development/inbox")
    code = {"otp_id": asked["otp_id"], "code": inbox["messages"][0]["text"][:6]}
    signed_in = await asker.post(nobody, "/auth/otp/verify", code)
    me = Bearing(session=cast.session, token=signed_in["access_token"])
    login = {"login": f"login.{uuid4().hex[:8]}", "password": PASSWORD}
    await asker.send(admin, "PUT", "/users/{person_id}/password", login, person_id=signed_in["person"]["id"])
    entered = await asker.post(nobody, "/auth/password", login)
    me = Bearing(session=cast.session, token=entered["access_token"])
    second = await asker.post(nobody, "/auth/password", login)
    assert (await asker.ask(nobody, "POST", "/auth/password", login | {"password": "x"})).status == 401
    asked = await asker.post(me, "/auth/otp", {"phone": next(PHONES), "purpose": "change-phone"})
    inbox = await asker.get(nobody, "/development/inbox")
    await asker.send(me, "PUT", "/me/phone", {"otp_id": asked["otp_id"], "code": inbox["messages"][0]["text"][:6]})
    sessions = (await asker.get(me, "/me/sessions"))["sessions"]
    [other] = [one["id"] for one in sessions if not one["is_present"]]
    await asker.send(me, "DELETE", "/me/sessions/{session_id}", session_id=other)
    gone = Bearing(session=cast.session, token=second["access_token"])
    assert (await asker.ask(gone, "GET", "/me")).code == "auth.revoked"
    change = {"old_password": PASSWORD, "password": PASSWORD + "!"}
    await asker.send(me, "PUT", "/me/password", change)
    await asker.send(me, "DELETE", "/me/sessions")
    await asker.post(me, "/auth/logout")


async def test_every_operation_was_asked_and_answered_well(asker: Asker) -> None:
    assert asker.contract.unseen() == []

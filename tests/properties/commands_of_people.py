"""The commands of signing in, one's own things, people, roles, blocks, tablets and keys: see `tests/properties/stage`.

They are made by and on people who were added for it: nobody of the cast loses a sign-in or a right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hub.gateway.tokens import issue_demo_link, make_key_ring
from tests.caller import Json
from tests.properties.stage import COMMANDS, WHY, Ask, Stage, command, in_days

GOOD = "correct horse 42 battery"
HOME = {"label": "Home", "line": "12 Sea View Road", "lat": 12.95, "lon": 77.6, "notes": "ring twice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who was added and has signed in."""

    person_id: str
    token: str
    refresh_token: str

    def asks(self, stage: Stage, *ids: str, **body: Any) -> Ask:
        """A request under this very sign-in."""
        return Ask(who=stage.nobody, ids=ids, body=body, token=self.token)


async def newcomer(stage: Stage) -> str:
    """The id of somebody without role and sign-in."""
    return str((await stage.make("POST", "/users"))["user"]["id"])


async def member(stage: Stage, *, role: str = "customer", scope: str = "own") -> Member:
    """Somebody new with a role, signed in by a demo's link."""
    person_id = await newcomer(stage)
    granted = {"person_id": person_id, "role": role, "scope": scope}
    await stage.ask("POST", "/roles", Ask(who=stage.admin, body=granted))
    return await signed_in(stage, person_id)


async def signed_in(stage: Stage, person_id: str) -> Member:
    """A further sign-in of somebody."""
    link = issue_demo_link(make_key_ring(stage.secret), person_id=person_id, home="/")
    tokens = await stage.ask("POST", "/auth/demo", Ask(who=stage.nobody, body={"link": link}))
    return Member(person_id=person_id, token=tokens["access_token"], refresh_token=tokens["refresh_token"])


@command("POST", "/users")
async def add_person(stage: Stage) -> Ask:
    return Ask(who=stage.admin, body={"name": "New <i>comer</i>"})


@command("POST", "/auth/demo")
async def demo(stage: Stage) -> Ask:
    link = issue_demo_link(make_key_ring(stage.secret), person_id=await newcomer(stage), home="/")
    return Ask(who=stage.nobody, body={"link": link})


@command("POST", "/auth/refresh")
async def refresh(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body={"refresh_token": (await member(stage)).refresh_token})


@command("POST", "/auth/logout")
async def log_out(stage: Stage) -> Ask:
    return (await member(stage)).asks(stage)


@command("DELETE", "/me/sessions")
async def end_others(stage: Stage) -> Ask:
    one = await member(stage)
    return (await signed_in(stage, one.person_id)).asks(stage)


@command("DELETE", "/me/sessions/<session_id:uuid>")
async def end_session(stage: Stage) -> Ask:
    one = await member(stage)
    query = "select id::text from session where person_id = $1"
    return one.asks(stage, await stage.cast.conn.fetchval(query, one.person_id))


def fresh_phone(stage: Stage) -> str:
    """A number that nobody has."""
    return f"+9198{stage.chance.randrange(10**8):08}"


async def code_for(stage: Stage, phone: str, *, token: str | None = None, **more: str) -> Json:
    """`{otp_id, code}` of a code that was sent."""
    asked = await stage.ask("POST", "/auth/otp", Ask(who=stage.nobody, body={"phone": phone, **more}, token=token))
    inbox = (await stage.nobody.get("/development/inbox")).body["messages"]
    return {"otp_id": asked["otp_id"], "code": next(one["text"][:6] for one in inbox if one["phone"] == phone)}


@command("POST", "/auth/otp")
async def ask_code(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body={"phone": fresh_phone(stage)})


@command("POST", "/auth/otp/verify")
async def try_code(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body=await code_for(stage, fresh_phone(stage)))


@command("PUT", "/me/phone")
async def change_phone(stage: Stage) -> Ask:
    one = await member(stage)
    body = await code_for(stage, fresh_phone(stage), token=one.token, purpose="change-phone")
    return one.asks(stage, **body)


async def with_password(stage: Stage) -> Json:
    """`{login, password}` of somebody new."""
    one = await member(stage)
    login = {"login": f"somebody.{uuid4().hex[:12]}", "password": GOOD}
    await stage.ask("PUT", "/users/<person_id:uuid>/password", Ask(who=stage.admin, ids=(one.person_id,), body=login))
    return login


@command("PUT", "/users/<person_id:uuid>/password")
async def set_password(stage: Stage) -> Ask:
    login = {"login": f"somebody.{uuid4().hex[:12]}", "password": GOOD}
    return Ask(who=stage.admin, ids=((await member(stage)).person_id,), body=login)


@command("POST", "/auth/password")
async def enter_by_password(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body=await with_password(stage))


@command("PUT", "/me/password")
async def change_password(stage: Stage) -> Ask:
    tokens = await stage.make("POST", "/auth/password")
    body = {"old_password": GOOD, "password": "another good 99 one"}
    return Ask(who=stage.nobody, body=body, token=tokens["access_token"])


@command("PATCH", "/me")
async def edit_profile(stage: Stage) -> Ask:
    return Ask(who=stage.cast.customer, body={"name": f"Asha {stage.chance.randrange(99)}", "locale": "de"})


@command("POST", "/me/addresses")
async def add_address(stage: Stage) -> Ask:
    return (await member(stage)).asks(stage, **HOME)


async def with_address(stage: Stage) -> tuple[Member, str]:
    """Somebody new, and the id of the address they keep."""
    one = await member(stage)
    kept = await stage.ask("POST", "/me/addresses", one.asks(stage, **HOME))
    return one, str(kept["address"]["id"])


@command("PUT", "/me/addresses/<address_id:uuid>")
async def edit_address(stage: Stage) -> Ask:
    one, address_id = await with_address(stage)
    return one.asks(stage, address_id, **(HOME | {"label": "Work"}))


@command("DELETE", "/me/addresses/<address_id:uuid>")
@command("POST", "/me/addresses/<address_id:uuid>/default")
async def of_address(stage: Stage) -> Ask:
    one, address_id = await with_address(stage)
    return one.asks(stage, address_id)


@command("PATCH", "/users/<person_id:uuid>")
async def disable(stage: Stage) -> Ask:
    one = await member(stage)
    return Ask(who=stage.admin, ids=(one.person_id,), body={"is_active": False} | WHY)


@command("POST", "/users/<person_id:uuid>/reveal")
@command("POST", "/users/<person_id:uuid>/erase")
async def of_person(stage: Stage) -> Ask:
    one, _ = await with_address(stage)
    return Ask(who=stage.admin, ids=(one.person_id,), body=WHY)


@command("POST", "/users/<person_id:uuid>/merge")
async def merge(stage: Stage) -> Ask:
    one, other = await member(stage), await member(stage)
    return Ask(who=stage.admin, ids=(one.person_id,), body={"into_id": other.person_id} | WHY)


@command("POST", "/roles")
async def grant(stage: Stage) -> Ask:
    person_id, kitchen_id = await newcomer(stage), stage.cast.town.kitchen_id
    return Ask(who=stage.admin, body={"person_id": person_id, "role": "cook", "scope": f"kitchen:{kitchen_id}"})


@command("DELETE", "/roles/<grant_id:uuid>")
async def take_grant(stage: Stage) -> Ask:
    return Ask(who=stage.admin, ids=((await stage.make("POST", "/roles"))["grant"]["id"],))


@command("POST", "/blocks")
async def block(stage: Stage) -> Ask:
    subject = {"kind": "person", "value": await newcomer(stage), "effect": "review", "expires_at": in_days(1)}
    return Ask(who=stage.admin, body=subject | WHY)


@command("POST", "/blocks/<block_id:uuid>/lift")
async def lift_block(stage: Stage) -> Ask:
    return Ask(who=stage.admin, ids=((await stage.make("POST", "/blocks"))["block"]["id"],), body=WHY)


@command("POST", "/reviews/<review_id:uuid>/approve")
@command("POST", "/reviews/<review_id:uuid>/refuse")
async def of_review(stage: Stage) -> Ask:
    one = await member(stage)
    under_review = {"kind": "person", "value": one.person_id, "effect": "review", "expires_at": in_days(1)}
    await stage.ask("POST", "/blocks", Ask(who=stage.admin, body=under_review | WHY))
    basket = await COMMANDS["POST", "/orders"](stage)
    order = await stage.ask("POST", "/orders", one.asks(stage, **basket.body))
    review_id = await stage.cast.conn.fetchval("select id::text from review where order_id = $1", order["order"]["id"])
    return Ask(who=stage.cast.manager, ids=(review_id,), body=WHY)


@command("POST", "/devices")
async def add_tablet(stage: Stage) -> Ask:
    return Ask(who=stage.cast.manager, body={"kitchen_id": stage.cast.town.kitchen_id, "name": "Tablet"})


@command("DELETE", "/devices/<device_id:uuid>")
async def remove_tablet(stage: Stage) -> Ask:
    return Ask(who=stage.cast.manager, ids=((await stage.make("POST", "/devices"))["device"]["id"],))


@command("POST", "/devices/pair")
async def pair_tablet(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body={"code": (await stage.make("POST", "/devices"))["device"]["code"]})


@command("POST", "/devices/token")
async def enter_by_tablet(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body={"device": (await stage.make("POST", "/devices/pair"))["device_token"]})


@command("POST", "/me/pin")
async def ask_pin(stage: Stage) -> Ask:
    return Ask(who=stage.cast.cook, body={"kitchen_id": stage.cast.town.kitchen_id})


@command("POST", "/devices/switch")
async def switch_cook(stage: Stage) -> Ask:
    pin = (await stage.make("POST", "/me/pin"))["pin"]
    tablet = await stage.make("POST", "/devices/pair")
    return Ask(who=stage.nobody, body={"pin": pin}, token=tablet["access_token"])


@command("POST", "/api-keys")
async def add_key(stage: Stage) -> Ask:
    return Ask(who=stage.admin, body={"name": "Shop", "scopes": ["*"]})


@command("DELETE", "/api-keys/<api_key_id:uuid>")
async def revoke_key(stage: Stage) -> Ask:
    return Ask(who=stage.admin, ids=((await stage.make("POST", "/api-keys"))["api_key"]["id"],))


@command("POST", "/auth/key")
async def enter_by_key(stage: Stage) -> Ask:
    return Ask(who=stage.nobody, body={"key": (await stage.make("POST", "/api-keys"))["api_key"]["key"]})

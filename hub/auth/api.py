"""The HTTP routes of signing in, refreshing, signing out, and one's own sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from hub.auth import sessions
from hub.auth.sessions import Caller, Doorkeeper, SignIn
from hub.domain.errors import NotFound
from hub.domain.roles import Permission
from hub.domain.session import SessionKind
from hub.domain.topics import TopicKind
from hub.domain.views import cut
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.moves import decode
from hub.gateway.rate_limit import RateClass
from hub.gateway.shapes import Row

ENDPOINTS = Endpoints("auth")
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
TOKENS = {"access_token": str, "expires_at": datetime, "refresh_token": str}
GREETING = TOKENS | {"person": {"id": UUID, "name": str}}
PRESENT_SESSION = {
    "id": UUID, "kind": SessionKind, "device": str, "created_at": datetime, "expires_at": datetime, "version": int,
    "last_seen_at": datetime | None, "ip": str | None, "user_agent": str | None, "is_present": bool,
}  # fmt: skip


class DemoLink(msgspec.Struct, forbid_unknown_fields=True):
    """The signed link of a demo; it works once."""

    link: Token


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last answer; it works once."""

    refresh_token: Token


def doorkeeper_of(call: Call) -> Doorkeeper:
    """What signing in needs, from the house."""
    house = call.house
    return Doorkeeper(
        database=house.database,
        ring=house.keys,
        data_keys=house.data_keys,
        hasher=house.hasher,
        send_text=house.send_text,
        access_seconds=house.access_token_seconds,
    )


def caller_of(call: Call) -> Caller:
    """From where the request comes."""
    return Caller(
        ip=getattr(call.request.ctx, "address", ""),
        user_agent=call.request.headers.get("user-agent", ""),
        request_id=call.request_id,
        actor_id=None if call.principal is None else call.principal.person_id,
    )


def tokens_of(signed_in: SignIn) -> dict[str, Any]:
    """The pair as it is answered."""
    return {
        "access_token": signed_in.access_token,
        "expires_at": datetime.fromtimestamp(signed_in.expires_at, UTC).isoformat(),
        "refresh_token": signed_in.refresh_token,
    }


def greeting_of(signed_in: SignIn) -> dict[str, Any]:
    """The pair, and who it is for."""
    return tokens_of(signed_in) | {"person": {"id": signed_in.person_id, "name": signed_in.name}}


@ENDPOINTS.route(
    "POST",
    "/auth/demo",
    summary="Sign in by a demo link",
    body=DemoLink,
    is_public=True,
    rate_class=RateClass.SIGN_IN,
    answer=GREETING | {"home": str},
)
async def demo(call: Call) -> Any:
    """`{access_token, expires_at, refresh_token, person, home}`; only where the whole house runs embedded."""
    if not call.house.is_embedded:
        raise NotFound("there are no demo links here")
    signed_in, home = await sessions.redeem_demo_link(doorkeeper_of(call), call.body.link, caller_of(call))
    return greeting_of(signed_in) | {"home": home}


@ENDPOINTS.route(
    "POST",
    "/auth/refresh",
    summary="Exchange a refresh token",
    body=RefreshToken,
    is_public=True,
    rate_class=RateClass.REFRESH,
    answer=TOKENS,
)
async def refresh(call: Call) -> Any:
    """`{access_token, expires_at, refresh_token}`; the same token again within 30 s gives the same answer."""
    return tokens_of(await sessions.refresh(doorkeeper_of(call), call.body.refresh_token, caller_of(call)))


@ENDPOINTS.route("POST", "/auth/logout", summary="Sign out", is_keyed=False, answer={"session": Row("session")})
async def logout(call: Call) -> Any:
    """`{session}`, ended; its sockets are cut on every worker."""
    return await _end(call, call.who.session_id, "signed out")


@ENDPOINTS.route(
    "GET",
    "/me/sessions",
    summary="List one's sessions",
    permission=Permission.SESSION_EDIT,
    answer={"sessions": [PRESENT_SESSION]},
)
async def list_sessions(call: Call) -> Any:
    """`{sessions}`, newest first; `is_present` marks the one that asks."""
    rows = await sessions.list_sessions(doorkeeper_of(call), call.who.person_id)
    return {"sessions": [row | {"is_present": row["id"] == call.who.session_id} for row in rows]}


@ENDPOINTS.route(
    "DELETE", "/me/sessions", summary="Sign out elsewhere", permission=Permission.SESSION_EDIT, answer={"ended": int}
)
async def end_other_sessions(call: Call) -> Any:
    """`{ended}`: how many; the one that asks stays."""
    ended = await sessions.revoke_others(
        doorkeeper_of(call),
        call.who.person_id,
        keep=call.who.session_id,
        reason="signed out elsewhere",
        caller=caller_of(call),
    )
    _tell(call)
    return {"ended": ended}


@ENDPOINTS.route(
    "DELETE",
    "/me/sessions/<session_id:uuid>",
    summary="End one session",
    permission=Permission.SESSION_EDIT,
    answer={"session": Row("session")},
)
async def end_session(call: Call) -> Any:
    """`{session}`; another person's is as if it did not exist."""
    return await _end(call, call.ids["session_id"], "signed out from the list")


async def _end(call: Call, session_id: str, reason: str) -> dict[str, Any]:
    text = await sessions.revoke(
        doorkeeper_of(call), call.who.person_id, session_id, reason=reason, caller=caller_of(call)
    )
    _tell(call)
    return {"session": cut("session", TopicKind.USER, decode(text))}


def _tell(call: Call) -> None:
    """This worker refuses from now on; the others, and every socket, as soon as the change has passed them."""
    call.house.authority.forget(call.who.person_id)
    call.house.nudge()

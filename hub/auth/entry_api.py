"""The HTTP routes of the ways in: code by phone, name and password; and of changing one's number or password."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from db.otp import CODE_MINUTES
from hub.auth import otp, passwords
from hub.auth.api import GREETING, caller_of, doorkeeper_of, greeting_of
from hub.auth.senders import read_inbox
from hub.domain.errors import Forbidden, NotFound
from hub.domain.roles import Permission
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.phones import masked_phone, normal_phone
from hub.gateway.rate_limit import RateClass

ENDPOINTS = Endpoints("sign-in")
ASKED = {
    "otp_id": UUID, "expires_at": datetime, "expires_in_seconds": int, "resend_after_seconds": int, "phone": str,
}  # fmt: skip
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")]
Device = Annotated[str, msgspec.Meta(max_length=100)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Login = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{2,63}\Z")]


class AskCode(msgspec.Struct, forbid_unknown_fields=True):
    """A number with its country, and what the code is for."""

    phone: Annotated[str, msgspec.Meta(max_length=32)]
    purpose: Literal["sign-in", "change-phone"] = "sign-in"


class TryCode(msgspec.Struct, forbid_unknown_fields=True):
    """The code, for the request that asked for it."""

    otp_id: Id
    code: Code
    device: Device = ""


class SignInByPassword(msgspec.Struct, forbid_unknown_fields=True):
    """A name of the staff and its password."""

    login: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Password
    device: Device = ""


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True):
    """The present password and the next one."""

    old_password: Password
    password: Password


class SetPassword(msgspec.Struct, forbid_unknown_fields=True):
    """A first or a forgotten password, set by the administration."""

    login: Login
    password: Password


@ENDPOINTS.route(
    "POST", "/auth/otp", summary="Ask for a code", body=AskCode, is_public=True, rate_class=RateClass.OTP, answer=ASKED
)
async def ask_code(call: Call) -> Any:
    """`{otp_id, expires_at, expires_in_seconds, resend_after_seconds, phone}`: the same for a number nobody has."""
    phone = normal_phone(call.body.phone)
    is_own = call.body.purpose == "change-phone"
    asked = await otp.ask(
        doorkeeper_of(call),
        call.house.limiter,
        phone,
        purpose=call.body.purpose,
        person_id=call.who.person_id if is_own else None,
        caller=caller_of(call),
    )
    return msgspec.to_builtins(asked) | {"expires_in_seconds": CODE_MINUTES * 60, "phone": masked_phone(phone)}


@ENDPOINTS.route(
    "POST",
    "/auth/otp/verify",
    summary="Sign in by a code",
    body=TryCode,
    is_public=True,
    rate_class=RateClass.OTP,
    answer=GREETING,
)
async def try_code(call: Call) -> Any:
    """`{access_token, expires_at, refresh_token, person}`; a code works once."""
    body = call.body
    return greeting_of(
        await otp.sign_in(doorkeeper_of(call), body.otp_id, body.code, device=body.device, caller=caller_of(call))
    )


@ENDPOINTS.route(
    "POST",
    "/auth/password",
    summary="Sign in by password",
    body=SignInByPassword,
    is_public=True,
    rate_class=RateClass.SIGN_IN,
    answer=GREETING,
)
async def sign_in(call: Call) -> Any:
    """`{access_token, expires_at, refresh_token, person}`; for the staff."""
    body = call.body
    return greeting_of(
        await passwords.sign_in(
            doorkeeper_of(call),
            call.house.limiter,
            body.login,
            body.password,
            device=body.device,
            caller=caller_of(call),
        )
    )


@ENDPOINTS.route(
    "PUT",
    "/me/phone",
    summary="Change one's number by a code",
    permission=Permission.PROFILE_EDIT,
    body=TryCode,
    rate_class=RateClass.OTP,
    answer={"phone": str},
)
async def change_phone(call: Call) -> Any:
    """`{phone}`, masked; the code was asked for with the purpose `change-phone`."""
    phone = await otp.change_phone(
        doorkeeper_of(call), call.who.person_id, call.body.otp_id, call.body.code, caller_of(call)
    )
    call.house.nudge()
    return {"phone": masked_phone(phone)}


@ENDPOINTS.route(
    "PUT",
    "/me/password",
    summary="Change one's password",
    permission=Permission.PROFILE_EDIT,
    body=ChangePassword,
    rate_class=RateClass.SIGN_IN,
    answer={},
)
async def change_password(call: Call) -> Any:
    """`{}`; every other session ends."""
    await passwords.change_password(
        doorkeeper_of(call),
        call.who.person_id,
        old=call.body.old_password,
        new=call.body.password,
        session_id=call.who.session_id,
        caller=caller_of(call),
    )
    _tell(call, call.who.person_id)
    return {}


@ENDPOINTS.route(
    "PUT",
    "/users/<person_id:uuid>/password",
    summary="Set a password",
    permission=Permission.USER_EDIT,
    body=SetPassword,
    answer={},
)
async def set_password(call: Call) -> Any:
    """`{}`; every session of that person ends."""
    if not call.reach.everywhere:
        raise Forbidden(f"this takes {call.route.permission} everywhere")
    await passwords.set_password(
        doorkeeper_of(call),
        call.ids["person_id"],
        login=call.body.login,
        password=call.body.password,
        keep_session=None,
        caller=caller_of(call),
    )
    _tell(call, call.ids["person_id"])
    return {}


@ENDPOINTS.route(
    "GET",
    "/development/inbox",
    summary="Read the messages that were not sent",
    is_public=True,
    answer={"messages": [{"phone": str, "text": str, "at": datetime}]},
)
async def inbox(call: Call) -> Any:
    """`{messages}`, newest first; only where the whole house runs embedded."""
    if not call.house.is_embedded:
        raise NotFound("there is nothing at this path")
    return {"messages": await read_inbox(call.house.redis)}


def _tell(call: Call, person_id: str) -> None:
    call.house.authority.forget(person_id)
    call.house.nudge()

"""Who may do what, and where: one deny-by-default table for REST, sockets and screens.

A grant gives a person a role within a scope: `*` everywhere, `region:<name>`, `kitchen:<id>`, or `own` (one's own
objects). A permission holds for an object when one of the principal's grants has a role with that permission and a
scope that covers the object. What is not written here is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is in the house."""

    CUSTOMER = "customer"
    COOK = "cook"
    EXPEDITER = "expediter"
    RIDER = "rider"
    MANAGER = "manager"
    DISPATCHER = "dispatcher"
    ADMINISTRATOR = "administrator"
    INTEGRATOR = "integrator"


# What somebody who signed in by PIN is at a kitchen's tablet: six digits on a wall give no more than the floor needs.
AT_TABLET: dict[Role, Role] = {
    Role.COOK: Role.COOK,
    Role.EXPEDITER: Role.EXPEDITER,
    Role.MANAGER: Role.EXPEDITER,
}


class Permission(StrEnum):
    """Everything that can be allowed. Moves of the machines are `<entity>.<move>`."""

    # reading
    ORDER_READ = "order.read"
    DELIVERY_READ = "delivery.read"
    KITCHEN_READ = "kitchen.read"
    RIDER_READ = "rider.read"
    # orders
    ORDER_PLACE = "order.place"
    ORDER_ACCEPT = "order.accept"
    ORDER_REJECT = "order.reject"
    ORDER_DELAY = "order.delay"
    ORDER_AMEND = "order.amend"
    ORDER_RUSH = "order.rush"
    ORDER_READY = "order.ready"
    ORDER_RECALL = "order.recall"
    ORDER_CANCEL = "order.cancel"
    ORDER_REVIEW = "order.review"
    # lines
    LINE_START = "line.start"
    LINE_DONE = "line.done"
    LINE_CHECK = "line.check"
    LINE_UNDO = "line.undo"
    LINE_RECALL = "line.recall"
    LINE_REMAKE = "line.remake"
    LINE_VOID = "line.void"
    # kitchens
    KITCHEN_PAUSE = "kitchen.pause"
    KITCHEN_RESUME = "kitchen.resume"
    KITCHEN_EDIT = "kitchen.edit"
    ITEM_86 = "item.86"
    ITEM_BACK = "item.back"
    # deliveries
    DELIVERY_ASSIGN = "delivery.assign"
    DELIVERY_UNASSIGN = "delivery.unassign"
    DELIVERY_ARRIVE = "delivery.arrive"
    DELIVERY_PICK_UP = "delivery.pick-up"
    DELIVERY_AT_DOOR = "delivery.at-door"
    DELIVERY_DELIVER = "delivery.deliver"
    DELIVERY_FAIL = "delivery.fail"
    DELIVERY_RETURN = "delivery.return"
    DELIVERY_COLLECT = "delivery.collect"
    OFFER_ACCEPT = "offer.accept"
    OFFER_DECLINE = "offer.decline"
    SHIFT_CHANGE = "rider.shift"
    POSITION_SEND = "position.send"
    # people
    USER_READ = "user.read"
    USER_EDIT = "user.edit"
    ROLE_GRANT = "role.grant"
    BLOCK_EDIT = "block.edit"
    PROFILE_EDIT = "profile.edit"
    SESSION_EDIT = "session.edit"
    DEVICE_PAIR = "device.pair"
    API_KEY_EDIT = "api_key.edit"
    # operations
    REPORT_READ = "report.read"
    AUDIT_READ = "audit.read"
    SECURITY_READ = "security.read"
    ALERT_ACKNOWLEDGE = "alert.acknowledge"


P = Permission
EVERYWHERE = "*"
OWN = "own"

_SELF = frozenset({P.PROFILE_EDIT, P.SESSION_EDIT})
_COOK = frozenset(
    {P.ORDER_READ, P.KITCHEN_READ, P.LINE_START, P.LINE_DONE, P.LINE_UNDO, P.LINE_RECALL, P.ITEM_86, P.ITEM_BACK}
)
_EXPEDITER = _COOK | {
    P.LINE_CHECK, P.LINE_REMAKE, P.LINE_VOID, P.ORDER_ACCEPT, P.ORDER_REJECT, P.ORDER_DELAY, P.ORDER_AMEND,
    P.ORDER_RUSH, P.ORDER_READY, P.ORDER_RECALL, P.DELIVERY_READ,
}  # fmt: skip
_DISPATCHER = frozenset(
    {P.ORDER_READ, P.DELIVERY_READ, P.KITCHEN_READ, P.RIDER_READ, P.DELIVERY_ASSIGN, P.DELIVERY_UNASSIGN}
)
_MANAGER = _EXPEDITER | _DISPATCHER | {
    P.ORDER_CANCEL, P.KITCHEN_PAUSE, P.KITCHEN_RESUME, P.KITCHEN_EDIT, P.REPORT_READ, P.DEVICE_PAIR, P.BLOCK_EDIT,
    P.ALERT_ACKNOWLEDGE, P.ORDER_REVIEW,
}  # fmt: skip

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CUSTOMER: _SELF | {P.ORDER_READ, P.ORDER_PLACE, P.ORDER_CANCEL, P.DELIVERY_READ},
    Role.COOK: _SELF | _COOK,
    Role.EXPEDITER: _SELF | _EXPEDITER,
    Role.RIDER: _SELF | {
        P.ORDER_READ, P.DELIVERY_READ, P.RIDER_READ, P.DELIVERY_ARRIVE, P.DELIVERY_PICK_UP, P.DELIVERY_AT_DOOR,
        P.DELIVERY_DELIVER, P.DELIVERY_FAIL, P.DELIVERY_RETURN, P.DELIVERY_COLLECT, P.OFFER_ACCEPT, P.OFFER_DECLINE,
        P.SHIFT_CHANGE, P.POSITION_SEND,
    },
    Role.DISPATCHER: _SELF | _DISPATCHER,
    Role.MANAGER: _SELF | _MANAGER,
    Role.ADMINISTRATOR: _SELF | _MANAGER | {
        P.USER_READ, P.USER_EDIT, P.ROLE_GRANT, P.AUDIT_READ, P.SECURITY_READ, P.API_KEY_EDIT,
    },
    Role.INTEGRATOR: frozenset({P.ORDER_READ, P.ORDER_PLACE, P.KITCHEN_READ, P.DELIVERY_READ}),
}  # fmt: skip

# Roles whose grants always have the scope `own`.
OWN_ROLES = frozenset({Role.CUSTOMER, Role.RIDER})
# One's own profile and sign-ins: these reach nobody else's, whatever the scope.
OWN_ONLY = _SELF
# People, keys, blocks, the audit and security events belong to no kitchen: these take a grant everywhere.
EVERYWHERE_ONLY = frozenset({P.USER_READ, P.USER_EDIT, P.BLOCK_EDIT, P.API_KEY_EDIT, P.AUDIT_READ, P.SECURITY_READ})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role within one scope; `expires_at` None means until revoked."""

    role: Role
    scope: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking. `person_id` is a UUID as text, `session_id` the sign-in; a tracking link has an `order_id`."""

    person_id: str
    session_id: str = ""
    name: str = ""
    grants: tuple[Grant, ...] = ()
    order_id: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object belongs: what a scope is compared with. All ids are UUIDs as text."""

    kitchen_id: str | None = None
    region: str | None = None
    owner_ids: tuple[str, ...] = field(default=())


def at_tablet(grant: Grant, kitchen: Place) -> Grant | None:
    """What a grant gives at a tablet of this kitchen: within the kitchen at most, or nothing."""
    role = AT_TABLET.get(grant.role)
    if role is None or not covers(grant.scope, kitchen, ""):
        return None
    return replace(grant, role=role, scope=f"kitchen:{kitchen.kitchen_id}")


def covers(scope: str, place: Place, person_id: str) -> bool:
    """True when `scope` includes an object at `place`."""
    if scope == EVERYWHERE:
        return True
    if scope == OWN:
        return person_id in place.owner_ids
    word, _, key = scope.partition(":")
    return (word == "kitchen" and key == place.kitchen_id) or (word == "region" and key == place.region)


def may(principal: Principal, permission: Permission, place: Place, *, now: datetime | None = None) -> bool:
    """True when one of the principal's live grants allows `permission` at `place`."""
    return any(
        permission in PERMISSIONS[grant.role]
        and covers(OWN if permission in OWN_ONLY else grant.scope, place, principal.person_id)
        for grant in principal.grants
        if grant.expires_at is None or now is None or grant.expires_at > now
    )


def may_anywhere(principal: Principal, permission: Permission) -> bool:
    """True when some grant has `permission` in a scope that can hold it: the first gate, before the object is known."""
    return any(
        permission in PERMISSIONS[grant.role] and (permission not in EVERYWHERE_ONLY or grant.scope == EVERYWHERE)
        for grant in principal.grants
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a permission reaches: what `db.scope` puts into a statement. `owner_id` is set when own objects count."""

    everywhere: bool = False
    kitchen_ids: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    owner_id: str | None = None

    @property
    def is_nowhere(self) -> bool:
        """True when the permission holds for no object at all."""
        return not (self.everywhere or self.kitchen_ids or self.regions or self.owner_id)


def reach(principal: Principal, permission: Permission) -> Reach:
    """How far `permission` reaches for this principal, over all its grants."""
    scopes = {grant.scope for grant in principal.grants if permission in PERMISSIONS[grant.role]}
    if permission in OWN_ONLY:
        return Reach(owner_id=principal.person_id if scopes else None)
    return Reach(
        everywhere=EVERYWHERE in scopes,
        kitchen_ids=tuple(sorted(scope[8:] for scope in scopes if scope.startswith("kitchen:"))),
        regions=tuple(sorted(scope[7:] for scope in scopes if scope.startswith("region:"))),
        owner_id=principal.person_id if OWN in scopes else None,
    )

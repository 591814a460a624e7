"""Which topic a principal may follow: one rule per kind of topic, deny by default.

A rule yields where the topic belongs; the permission is then asked of the same table that REST uses. The place of a
topic never changes, so a live socket keeps it and asks again, without the database, whenever its grants change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from db import kitchens, orders, riders
from db.connection import Database
from hub.domain.roles import Permission, Place, Principal, may
from hub.domain.topics import Topic, TopicKind

K = TopicKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What following one topic takes. `permission` None: whoever owns the place (or anybody, where it is public).

    `is_own`: the owner and nobody else, however far the permission of others reaches.
    """

    place: Place
    permission: Permission | None = None
    is_public: bool = False
    is_own: bool = False

    def is_open_to(self, principal: Principal) -> bool:
        """True while this principal may follow the topic."""
        if self.is_public:
            return True
        is_owner = principal.person_id in self.place.owner_ids
        if self.permission is None or (self.is_own and not is_owner):
            return is_owner
        return may(principal, self.permission, self.place)


CLOSED = Access(place=Place())


async def access_to(database: Database, topic: Topic, principal: Principal) -> Access:
    """What following `topic` takes; `CLOSED` for a thing that does not exist. At most one statement."""
    if topic.kind in BY_NAME:
        return BY_NAME[topic.kind](topic.key)
    return await BY_PLACE[topic.kind](database, topic, principal)


async def _kitchen(database: Database, topic: Topic, _: Principal) -> Access:
    async with database.connection() as connection:
        region = await kitchens.PLACE_OF_KITCHEN.value(connection, kitchen_id=topic.key)
    if region is None:
        return CLOSED
    return Access(place=Place(kitchen_id=topic.key, region=region), permission=Permission.KITCHEN_READ)


async def _rider(database: Database, topic: Topic, _: Principal) -> Access:
    async with database.connection() as connection:
        region = await riders.PLACE_OF_RIDER.value(connection, rider_id=topic.key)
    if region is None:
        return CLOSED
    return Access(place=Place(region=region, owner_ids=(topic.key,)), permission=Permission.RIDER_READ)


async def _order(database: Database, topic: Topic, principal: Principal) -> Access:
    """Its customer, its kitchen's staff, or a tracking token for this very order. A rider follows its own topic."""
    if principal.order_id is not None:
        return Access(place=Place(), is_public=True) if principal.order_id == topic.key else CLOSED
    async with database.connection() as connection:
        row = await orders.PLACE_OF_ORDER.row(connection, order_id=topic.key)
    if row is None:
        return CLOSED
    place = Place(kitchen_id=row["kitchen_id"], region=row["region"], owner_ids=(row["customer_id"],))
    return Access(place=place, permission=Permission.ORDER_READ)


# Where the topic's name says everything.
BY_NAME: dict[TopicKind, Callable[[str], Access]] = {
    K.MENU: lambda _: Access(place=Place(), is_public=True),
    K.USER: lambda person_id: Access(place=Place(owner_ids=(person_id,))),
    K.CUSTOMER: lambda person_id: Access(
        place=Place(owner_ids=(person_id,)), permission=Permission.ORDER_PLACE, is_own=True
    ),
    K.OPERATIONS: lambda region: Access(place=Place(region=region), permission=Permission.RIDER_READ),
    K.ADMINISTRATION: lambda _: Access(place=Place(), permission=Permission.SECURITY_READ),
}
# Where one statement must say it.
BY_PLACE: dict[TopicKind, Callable[[Database, Topic, Principal], Awaitable[Access]]] = {
    K.KITCHEN: _kitchen,
    K.RIDER: _rider,
    K.ORDER: _order,
}

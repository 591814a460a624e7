"""Who may follow what: every role × every kind of topic × both worlds and none."""

from __future__ import annotations

import sys

import aiohttp
import pytest

from db.connection import Database
from hub.domain.roles import Principal
from hub.domain.topics import TopicKind, parse_topic
from hub.gateway.access import access_to
from tests.properties.cells import NewPerson, make_principals, make_worlds
from tests.properties.world import UNKNOWN, World

LEADERS = frozenset({"manager", "dispatcher", "administrator"})
STAFF = LEADERS | {"cook", "expediter", "integrator"}
READERS = {
    TopicKind.KITCHEN: STAFF,
    TopicKind.ORDER: STAFF,
    TopicKind.OPERATIONS: LEADERS,
    TopicKind.RIDER: LEADERS,
    TopicKind.ADMINISTRATION: frozenset({"administrator"}),
}


async def test_matrix_of_roles_and_topics(
    hub_database: Database, api: aiohttp.ClientSession, new_person: NewPerson, capsys: pytest.CaptureFixture[str]
) -> None:
    worlds = await make_worlds(hub_database, api, new_person)
    cells, wrong = 0, []
    for who in await make_principals(new_person, worlds[0]):
        for kind in TopicKind:
            for world in (*worlds, None):
                name = topic_name(kind, world, who)
                topic = parse_topic(name)
                assert topic is not None, name
                is_open = (await access_to(hub_database, topic, who)).is_open_to(who)
                cells += 1
                if is_open != may_follow(kind, world, who):
                    wrong.append(f"{[(grant.role, grant.scope) for grant in who.grants]} {name}: open is {is_open}")
    with capsys.disabled():
        sys.stdout.write(f"\nmatrix: {cells} cells of topics, {len(wrong)} leaks or wrong refusals\n")
    assert wrong == []


def topic_name(kind: TopicKind, world: World | None, who: Principal) -> str:
    keys = {
        TopicKind.KITCHEN: world.kitchen_id if world else UNKNOWN,
        TopicKind.MENU: world.kitchen_id if world else UNKNOWN,
        TopicKind.ORDER: world.order_id if world else UNKNOWN,
        TopicKind.RIDER: world.rider_id if world else UNKNOWN,
        TopicKind.CUSTOMER: world.customer_id if world else UNKNOWN,
        TopicKind.OPERATIONS: world.region if world else "nowhere",
        TopicKind.USER: world.customer_id if world else UNKNOWN,
    }
    return f"{kind}:{keys[kind]}" if kind in keys else str(kind)


def may_follow(kind: TopicKind, world: World | None, who: Principal) -> bool:
    """Said apart from the code that is tested: by role and scope, kind by kind."""
    if kind is TopicKind.MENU:
        return True
    if kind is TopicKind.ADMINISTRATION or world is None:
        named_by_word = kind in (TopicKind.ADMINISTRATION, TopicKind.OPERATIONS)
        return named_by_word and "*" in scopes_of(who, READERS[kind])
    owner, role = {
        TopicKind.USER: (world.customer_id, None),
        TopicKind.CUSTOMER: (world.customer_id, "customer"),
        TopicKind.ORDER: (world.customer_id, "customer"),
        TopicKind.RIDER: (world.rider_id, "rider"),
    }.get(kind, (None, None))
    if who.person_id == owner and (role is None or any(grant.role == role for grant in who.grants)):
        return True
    opening = {"*", f"region:{world.region}"}
    if kind in (TopicKind.KITCHEN, TopicKind.ORDER):
        opening.add(f"kitchen:{world.kitchen_id}")
    return bool(opening & scopes_of(who, READERS.get(kind, frozenset())))


def scopes_of(who: Principal, roles: frozenset[str]) -> set[str]:
    return {grant.scope for grant in who.grants if grant.role in roles}

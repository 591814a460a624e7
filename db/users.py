"""One's own profile and addresses: every statement.

Invariant: phones and addresses are sealed before they come here (`db.encryption`); whoever reads another person's does
so through `db.administration.REVEAL`, which writes who, whose and why in the same statement.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, LargeBinary, Text, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from db.context import acting, happens
from db.idempotency import remembering
from db.metadata import ID, as_json, given, table
from db.people import people
from db.statement import Statement

contacts = table("contact", ids="person_id", binaries="phone phone_index", times="changed_at")
addresses = table(
    "address",
    ids="id person_id",
    texts="label",
    binaries="line notes",
    floats="lat lon",
    booleans="is_default",
    times="created_at",
    bigints="version",
)

VERSION = given("version", BigInteger)
EXPECTED_PERSON = or_(VERSION.is_(None), people.c.version == VERSION)
EXPECTED_ADDRESS = or_(VERSION.is_(None), addresses.c.version == VERSION)
OWN_ADDRESS = (addresses.c.id == given("address_id", ID)) & (addresses.c.person_id == given("person_id", ID))

# kitchen whole: a few hundred rows
REGIONS = Statement(text("select distinct region from kitchen order by region"))
# person_pk
PROFILE = Statement(
    select(as_json(people)).select_from(people).where(people.c.id == given("person_id", ID), people.c.is_active)
)
_edited = (
    update(people)
    .where(people.c.id == given("person_id", ID), people.c.is_active, EXPECTED_PERSON, happens(acting()))
    .values(
        name=func.coalesce(given("name"), people.c.name),
        locale=func.coalesce(given("locale"), people.c.locale),
        time_zone=func.coalesce(given("time_zone"), people.c.time_zone),
        notifications=func.coalesce(given("notifications", ARRAY(Text)), people.c.notifications),
    )
    .returning(people)
    .cte("moved")
)
# person_pk; a parameter that is null leaves its column alone
EDIT_PROFILE = Statement(select(as_json(_edited)).select_from(_edited))
# pg_timezone_names is slow and fixed: asked once per process
TIME_ZONES = Statement(text("select name from pg_timezone_names where name !~ '^(posix|right)/'"))

# address_person
ADDRESSES_OF = Statement(
    select(as_json(addresses))
    .select_from(addresses)
    .where(addresses.c.person_id == given("person_id", ID))
    .order_by(addresses.c.created_at, addresses.c.id)
)
_added = (
    insert(addresses)
    .from_select(
        ["id", "person_id", "label", "line", "notes", "lat", "lon", "is_default"],
        select(
            given("address_id", ID),
            given("person_id", ID),
            given("label"),
            given("line", LargeBinary),
            given("notes", LargeBinary),
            given("lat", Float(53)),
            given("lon", Float(53)),
            # the first address is the default
            ~select(addresses.c.id).where(addresses.c.person_id == given("person_id", ID)).exists(),
        ),
    )
    .returning(addresses)
    .cte("added")
)
# address_person; more than twenty: HP030
ADD_ADDRESS = Statement(
    select(as_json(_added)).select_from(_added).add_cte(remembering(_added, as_json(_added), status=201))
)
_address_edited = (
    update(addresses)
    .where(OWN_ADDRESS, EXPECTED_ADDRESS)
    .values(
        label=given("label"),
        line=given("line", LargeBinary),
        notes=given("notes", LargeBinary),
        lat=given("lat", Float(53)),
        lon=given("lon", Float(53)),
        version=addresses.c.version + 1,
    )
    .returning(addresses)
    .cte("moved")
)
# address_pk
EDIT_ADDRESS = Statement(select(as_json(_address_edited)).select_from(_address_edited))
ADDRESS_ROW = Statement(select(as_json(addresses)).select_from(addresses).where(OWN_ADDRESS))
REMOVE_ADDRESS = Statement(delete(addresses).where(OWN_ADDRESS).returning(addresses.c.id))
# In one transaction, in this order: the person's row is the lock, and there are never two defaults.
LOCK_PERSON = Statement(
    select(people.c.id).where(people.c.id == given("person_id", ID)).with_for_update(key_share=True)
)
NO_DEFAULT = Statement(
    update(addresses)
    .where(addresses.c.person_id == given("person_id", ID), addresses.c.is_default)
    .values(is_default=False, version=addresses.c.version + 1)
)
MAKE_DEFAULT = Statement(
    update(addresses)
    .where(OWN_ADDRESS)
    .values(is_default=True, version=addresses.c.version + 1)
    .returning(addresses.c.id)
)

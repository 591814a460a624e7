"""Sign-ins, their refresh tokens and the spent demo links: the tables and every statement on them.

Invariant: a refresh token is spent once. Spending it and storing its successor is one compare-and-set, so of two
that come at once one wins and the other is given the winner's successor, or ends the session when it comes too late.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, LargeBinary, and_, delete, exists, func, insert, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql import ColumnElement

from db.context import acting, happens
from db.metadata import ID, TIME, as_json, given, table
from db.people import people
from db.statement import Statement
from hub.domain.session import SessionState

sessions = table(
    "session",
    ids="id person_id",
    texts="kind device state reason",
    times="created_at expires_at revoked_at",
    bigints="version",
)
uses = table("session_use", ids="session_id", texts="ip user_agent", times="last_seen_at")
tokens = table(
    "refresh_token", ids="session_id", binaries="hash successor sealed", times="issued_at expires_at used_at"
)
spent_links = table("demo_link_used", texts="token_id", times="used_at")

SESSION_LIFE = "90 days"
REFRESH_LIFE = "30 days"
# How long a lost answer can be asked for again.
GRACE = "30 seconds"
KEEP_ENDED = "30 days"


def real_now() -> ColumnElement[Any]:
    """The database's own clock: sign-ins do not follow the product clock."""
    return func.clock_timestamp(type_=TIME)


def interval(amount: str) -> ColumnElement[Any]:
    """A fixed span of time, as Postgres spells it."""
    return literal_column(f"interval '{amount}'", INTERVAL)


LIVE = and_(sessions.c.state == SessionState.LIVE, sessions.c.expires_at > real_now())
HASH = given("hash", LargeBinary)


def _opened(allowed: ColumnElement[bool]) -> CTE:
    """The CTE `opened`: a session of an active person. Parameters: person_id, kind, device, context."""
    row = select(people.c.id, given("kind"), given("device"), real_now() + interval(SESSION_LIFE)).where(
        people.c.id == given("person_id", ID), people.c.is_active, allowed, happens(acting())
    )
    made = insert(sessions).from_select(["person_id", "kind", "device", "expires_at"], row)
    return made.returning(sessions.c.id, sessions.c.person_id).cte("opened")


def _with_token(opened: CTE) -> Statement:
    """Give the opened session its first refresh token and answer (session_id, person_id, name)."""
    first = insert(tokens).from_select(
        ["hash", "session_id", "expires_at"], select(HASH, opened.c.id, real_now() + interval(REFRESH_LIFE))
    )
    used = insert(uses).from_select(
        ["session_id", "ip", "user_agent"], select(opened.c.id, given("ip"), given("user_agent"))
    )
    answer = select(opened.c.id.label("session_id"), opened.c.person_id, people.c.name).join_from(
        opened, people, people.c.id == opened.c.person_id
    )
    return Statement(answer.add_cte(first.cte("first"), used.cte("used")))


# person_pk. No row: the person does not exist or is disabled.
OPEN_SESSION = _with_token(_opened(literal_column("true")))

# person_pk, session_person_live. One minted session for each active person: the newest that was opened under this name
# and lasts for a day yet, else a new one. Rows: (person_id, session_id).
OPEN_MANY = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        kept as (
            select distinct on (person_id) person_id, id from session
            where person_id = any(cast(:person_ids as uuid[])) and state = 'live' and kind = 'minted'
                and device = cast(:device as text) and expires_at > clock_timestamp() + interval '1 day'
            order by person_id, id desc
        ),
        opened as (
            insert into session (person_id, kind, device, expires_at)
            select p.id, 'minted', cast(:device as text), clock_timestamp() + interval '{SESSION_LIFE}'
            from person p, acting
            where p.id = any(cast(:person_ids as uuid[])) and p.is_active and setting is not null
                and not exists (select from kept where kept.person_id = p.id)
            returning person_id, id
        )
        select person_id::text, id::text as session_id from kept
        union all select person_id::text, id::text from opened"""
    )
)

_spent_link = (
    upsert(spent_links)
    .values(token_id=given("token_id"))
    .on_conflict_do_nothing(index_elements=["token_id"])
    .returning(spent_links.c.token_id)
    .cte("spent_link")
)
# demo_link_used_pk, person_pk. No row: the link is spent, or its person is gone.
OPEN_BY_DEMO_LINK = _with_token(_opened(exists(select(_spent_link.c.token_id))))

_spent = (
    update(tokens)
    .where(
        tokens.c.hash == HASH,
        tokens.c.used_at.is_(None),
        tokens.c.expires_at > real_now(),
        sessions.c.id == tokens.c.session_id,
        LIVE,
        people.c.id == sessions.c.person_id,
        people.c.is_active,
    )
    .values(used_at=real_now(), successor=given("successor", LargeBinary), sealed=given("sealed", LargeBinary))
    .returning(tokens.c.session_id, sessions.c.person_id, people.c.name)
    .cte("spent")
)
_succeeding = insert(tokens).from_select(
    ["hash", "session_id", "expires_at"],
    select(given("successor", LargeBinary), _spent.c.session_id, real_now() + interval(REFRESH_LIFE)),
)
_seen = upsert(uses).from_select(
    ["session_id", "ip", "user_agent"], select(_spent.c.session_id, given("ip"), given("user_agent"))
)
_seen_again = _seen.on_conflict_do_update(
    index_elements=["session_id"],
    set_={"last_seen_at": real_now(), "ip": _seen.excluded.ip, "user_agent": _seen.excluded.user_agent},
)
# refresh_token_pk, session_pk, person_pk. No row: unknown, spent, expired, or its session or person has ended.
ROTATE = Statement(select(_spent).add_cte(_succeeding.cte("succeeding"), _seen_again.cte("seen")))

_next = tokens.alias("next_token")
# refresh_token_pk twice. The sealed successor of a token spent a moment ago, while the successor itself is unspent.
REISSUE = Statement(
    select(tokens.c.sealed, tokens.c.session_id, sessions.c.person_id, people.c.name)
    .join(sessions, sessions.c.id == tokens.c.session_id)
    .join(people, people.c.id == sessions.c.person_id)
    .join(_next, _next.c.hash == tokens.c.successor)
    .where(
        tokens.c.hash == HASH,
        tokens.c.used_at > real_now() - interval(GRACE),
        _next.c.used_at.is_(None),
        LIVE,
        people.c.is_active,
    )
)


def _revoking(*conditions: ColumnElement[bool]) -> Statement:
    """End live sessions. Parameters: reason, context. Rows: the sessions as JSON text."""
    ended = update(sessions).where(sessions.c.state == SessionState.LIVE, *conditions, happens(acting()))
    moved = ended.values(state=SessionState.REVOKED, reason=given("reason")).returning(sessions).cte("moved")
    return Statement(select(as_json(moved).label("row"), moved.c.id, moved.c.person_id))


# refresh_token_pk. Whoever shows a spent token again ends the whole family.
REVOKE_REUSED = _revoking(
    sessions.c.id
    == select(tokens.c.session_id).where(tokens.c.hash == HASH, tokens.c.used_at.is_not(None)).scalar_subquery()
)
# session_pk; the person's own only
REVOKE_SESSION = _revoking(sessions.c.id == given("session_id", ID), sessions.c.person_id == given("person_id", ID))
# session_person_live; `keep` may be null
REVOKE_OTHERS = _revoking(
    sessions.c.person_id == given("person_id", ID), sessions.c.id.is_distinct_from(given("keep", ID))
)
# session_person_live
SESSIONS_OF = Statement(
    select(
        sessions.c.id,
        sessions.c.kind,
        sessions.c.device,
        sessions.c.created_at,
        sessions.c.expires_at,
        sessions.c.version,
        uses.c.last_seen_at,
        uses.c.ip,
        uses.c.user_agent,
    )
    .outerjoin_from(sessions, uses, uses.c.session_id == sessions.c.id)
    .where(sessions.c.person_id == given("person_id", ID), LIVE)
    .order_by(sessions.c.id.desc())
)
# refresh_token_expires: what can never be used again
FORGET_TOKENS = Statement(delete(tokens).where(tokens.c.expires_at < real_now()))
# session_expires; the session of a key stays with the key
FORGET_SESSIONS = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        old as (
            select s.id from session s, acting where s.expires_at < clock_timestamp() - interval '{KEEP_ENDED}'
                and not exists (select from api_key k where k.session_id = s.id) and setting is not null
            limit 500 for update of s skip locked
        )
        delete from session using old where session.id = old.id"""
    )
)
# whole table: a demo has few; no link lives longer than a day
FORGET_LINKS = Statement(delete(spent_links).where(spent_links.c.used_at < real_now() - interval("2 days")))

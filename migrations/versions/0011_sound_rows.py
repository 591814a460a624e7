"""What an order and a delivery must be, as one check a table instead of fourteen and seven.

Postgres reads every check of a table from its stored text at every statement: for an order that was a quarter of what
an update costs. A function is read once a session. What is refused, and under which name, stays as it was.
"""

from __future__ import annotations

from migrations.script import execute

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ORDER_RULES = {
    "orders_items": "r.items_count > 0",
    "orders_subtotal": "r.subtotal_minor >= 0",
    "orders_fee": "r.delivery_fee_minor >= 0",
    "orders_total": "r.total_minor = r.subtotal_minor + r.delivery_fee_minor",
    "orders_payment_method": "r.payment_method in ('cash', 'online')",
    "orders_drop_lat": "r.drop_lat between -90 and 90",
    "orders_drop_lon": "r.drop_lon between -180 and 180",
    "orders_times": """r.promised_at >= r.placed_at and r.accepted_at >= r.placed_at and r.started_at >= r.accepted_at
        and r.ready_at >= r.placed_at and r.picked_up_at >= r.ready_at and r.delivered_at >= r.picked_up_at""",
    "orders_accepted": """(r.status in ('accepted', 'preparing', 'ready', 'out_for_delivery', 'delivered',
        'delivery_failed', 'returned')) <= (r.accepted_at is not null)""",
    "orders_ready": """(r.status in ('ready', 'out_for_delivery', 'delivered', 'delivery_failed', 'returned'))
        <= (r.ready_at is not null)""",
    "orders_delivered": "(r.status = 'delivered') = (r.delivered_at is not null)",
    "orders_carried": """(r.status in ('out_for_delivery', 'delivered', 'delivery_failed', 'returned'))
        <= (r.picked_up_at is not null and r.rider_id is not null)""",
    "orders_ended": """(r.status in ('delivered', 'rejected', 'expired', 'cancelled', 'returned'))
        = (r.ended_at is not null)""",
    "orders_archived": "r.archived_at is null or r.ended_at is not null",
}
DELIVERY_RULES = {
    "delivery_cash": "r.cash_due_minor >= 0",
    "delivery_fee": "r.fee_minor >= 0",
    "delivery_has_rider": """(r.status in ('assigned', 'at_kitchen', 'picked_up', 'at_door', 'delivered', 'failed',
        'returning', 'returned')) <= (r.rider_id is not null and r.assigned_at is not null)""",
    "delivery_unassigned": "(r.status in ('waiting', 'offered')) <= (r.rider_id is null)",
    "delivery_carried": """(r.status in ('picked_up', 'at_door', 'delivered', 'failed', 'returning', 'returned'))
        <= (r.picked_up_at is not null)""",
    "delivery_delivered": "(r.status = 'delivered') = (r.delivered_at is not null)",
    "delivery_times": """r.at_kitchen_at >= r.assigned_at and r.picked_up_at >= r.at_kitchen_at
        and r.delivered_at >= r.picked_up_at""",
}

# A rule that is neither true nor false holds, as for any check. The broken one is looked for only once there is one.
SOUND = """
create function {table}_is_sound(r {table}) returns boolean language plpgsql immutable parallel safe as $$
declare broken text;
begin
    if {all_hold} then return true; end if;
    broken := case {which} end;
    raise exception 'new row for relation "{table}" violates check constraint "%"', broken
        using errcode = 'check_violation', table = '{table}', constraint = broken;
end $$;
alter table {table} {drops}, add constraint {table}_sound check ({table}_is_sound({table}));
"""


def sound(table: str, rules: dict[str, str]) -> None:
    """Put the check over all `rules` (constraint name -> expression over the row `r`) in the place of theirs."""
    all_hold = "\n        and ".join(f"({rule}) is not false" for rule in rules.values())
    which = "\n        ".join(f"when ({rule}) is false then '{name}'" for name, rule in rules.items())
    drops = ", ".join(f"drop constraint {name}" for name in rules)
    execute(SOUND.format(table=table, all_hold=all_hold, which=which, drops=drops))


def upgrade() -> None:
    """Apply the step."""
    sound("orders", ORDER_RULES)
    sound("delivery", DELIVERY_RULES)

"""A synthetic day is the same for the same seed, and looks like the published ones."""

from __future__ import annotations

from collections import Counter
from math import dist
from statistics import median, quantiles

from hub.demo.founding import found_city
from hub.demo.synthetic import DEMO_TOWN, Shape, synthetic_day

REFERENCE = Shape()


def test_the_same_seed_gives_the_same_day_and_city() -> None:
    assert synthetic_day(5, REFERENCE) == synthetic_day(5, REFERENCE)
    assert synthetic_day(5, REFERENCE) != synthetic_day(6, REFERENCE)
    assert found_city(synthetic_day(5, REFERENCE)) == found_city(synthetic_day(5, REFERENCE))


def test_the_day_has_the_statistics_of_the_published_instances() -> None:
    day = synthetic_day(1, REFERENCE)
    places = {kitchen.key: (kitchen.x_metres, kitchen.y_metres) for kitchen in day.kitchens}
    prep = [(order.ready_seconds - order.placed_seconds) / 60 for order in day.orders]
    door = [dist(places[order.kitchen], (order.x_metres, order.y_metres)) for order in day.orders]
    nearest = [min(dist(one, other) for other in places.values() if other is not one) for one in places.values()]
    by_hour = Counter(order.placed_seconds // 3600 for order in day.orders)
    assert 12 <= median(prep) <= 17
    shortest, *_, longest = quantiles(prep, n=10)
    assert shortest < 8
    assert longest > 24
    assert 1800 <= median(door) <= 2500
    assert 100 <= median(nearest) <= 300
    assert by_hour[9] > by_hour[3] > by_hour[5]
    assert 26 <= day.floor_minutes() <= 31
    assert max(Counter(order.kitchen for order in day.orders).values()) >= 15


def test_a_demo_town_has_dishes_with_allergens_and_riders_all_day() -> None:
    day = synthetic_day(1, DEMO_TOWN)
    assert {courier.off_seconds for courier in day.couriers} == {8 * 3600}
    assert all(len({item.brand for item in kitchen.items}) == 2 for kitchen in day.kitchens)
    assert any(item.allergens for item in day.kitchens[0].items)


def test_every_row_of_a_city_points_to_a_row() -> None:
    for day in (synthetic_day(1, DEMO_TOWN), synthetic_day(1, REFERENCE)):
        rows = found_city(day).as_rows()
        ids = {table: {row["id"] for row in table_rows} for table, table_rows in rows.items()}
        assert all(len(ids[table]) == len(table_rows) for table, table_rows in rows.items())
        assert all(row["kitchen_id"] in ids["kitchen"] for table in ("brand", "station", "item") for row in rows[table])
        assert all(row["brand_id"] in ids["brand"] and row["station_id"] in ids["station"] for row in rows["item"])
        assert all(row["person_id"] in ids["person"] for row in rows["role_grant"])
        assert ids["rider"] <= ids["person"]


def test_every_kitchen_of_a_city_has_somebody_who_cooks() -> None:
    for shape in (DEMO_TOWN, REFERENCE):
        city = found_city(synthetic_day(1, shape))
        staffed = {kitchen for person in city.people for kitchen in city.kitchens_of(person.id)}
        assert staffed == {kitchen.id for kitchen in city.kitchens}

"""Brands, dishes and names that a synthetic city chooses from. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dish:
    """A dish as a brand sells it; `prep_minutes` is the station's usual time."""

    name: str
    station: str
    price_minor: int
    prep_minutes: int
    allergens: tuple[str, ...] = ()


def _dish(name: str, station: str, price_minor: int, prep_minutes: int, allergens: str = "") -> Dish:
    return Dish(
        name=name,
        station=station,
        price_minor=price_minor,
        prep_minutes=prep_minutes,
        allergens=tuple(allergens.split()),
    )


STATIONS = {"grill": "Grill", "fry": "Fryer", "wok": "Wok", "oven": "Oven", "cold": "Cold pass", "sweet": "Desserts"}

BRANDS: dict[str, tuple[Dish, ...]] = {
    "Smash Avenue": (
        _dish("Double smash burger", "grill", 1190, 9, "gluten milk sesame"),
        _dish("Mushroom melt burger", "grill", 1090, 10, "gluten milk egg"),
        _dish("Crispy chicken burger", "fry", 1150, 11, "gluten egg milk"),
        _dish("Skin-on fries", "fry", 420, 6),
        _dish("Onion rings", "fry", 480, 6, "gluten"),
        _dish("Pickle slaw", "cold", 350, 3, "egg mustard"),
    ),
    "Lantern Wok": (
        _dish("Kung pao chicken", "wok", 1240, 10, "peanut soy"),
        _dish("Mapo tofu", "wok", 1080, 9, "soy gluten"),
        _dish("Beef chow fun", "wok", 1320, 11, "soy gluten"),
        _dish("Vegetable fried rice", "wok", 890, 8, "egg soy"),
        _dish("Prawn spring rolls", "fry", 620, 7, "crustacean gluten"),
        _dish("Smashed cucumber", "cold", 450, 4, "sesame soy"),
    ),
    "Forno Due": (
        _dish("Margherita", "oven", 980, 10, "gluten milk"),
        _dish("Diavola", "oven", 1180, 11, "gluten milk"),
        _dish("Four cheese pizza", "oven", 1220, 11, "gluten milk"),
        _dish("Baked rigatoni", "oven", 1140, 14, "gluten milk egg"),
        _dish("Rocket salad", "cold", 690, 4, "milk nuts"),
        _dish("Tiramisu", "sweet", 590, 3, "egg milk gluten"),
    ),
    "Green Bowl Club": (
        _dish("Salmon poke bowl", "cold", 1390, 8, "fish soy sesame"),
        _dish("Harissa halloumi bowl", "grill", 1190, 9, "milk"),
        _dish("Chicken shawarma bowl", "grill", 1240, 10, "sesame"),
        _dish("Lentil and beet bowl", "cold", 1050, 6, "mustard"),
        _dish("Miso soup", "wok", 420, 4, "soy fish"),
    ),
    "Masala Post": (
        _dish("Butter chicken", "wok", 1290, 12, "milk nuts"),
        _dish("Chana masala", "wok", 990, 10),
        _dish("Lamb biryani", "oven", 1450, 15, "milk"),
        _dish("Garlic naan", "oven", 320, 5, "gluten milk"),
        _dish("Samosa pair", "fry", 490, 7, "gluten"),
        _dish("Mango lassi", "cold", 390, 2, "milk"),
    ),
    "Taqueria Sol": (
        _dish("Carnitas tacos", "grill", 1090, 9, "gluten"),
        _dish("Baja fish tacos", "fry", 1150, 10, "fish gluten egg"),
        _dish("Chicken burrito", "grill", 1120, 10, "gluten milk"),
        _dish("Black bean quesadilla", "grill", 940, 8, "gluten milk"),
        _dish("Guacamole and chips", "cold", 620, 4),
        _dish("Churros", "sweet", 540, 6, "gluten egg milk"),
    ),
    "Rue des Crêpes": (
        _dish("Galette complète", "grill", 1020, 8, "egg milk"),
        _dish("Goat cheese galette", "grill", 1060, 8, "milk nuts"),
        _dish("Onion soup", "oven", 720, 9, "gluten milk"),
        _dish("Lemon sugar crêpe", "sweet", 560, 6, "gluten egg milk"),
        _dish("Chocolate crêpe", "sweet", 620, 6, "gluten egg milk nuts"),
    ),
    "Seoul Fry": (
        _dish("Yangnyeom chicken", "fry", 1290, 12, "gluten soy sesame"),
        _dish("Soy garlic wings", "fry", 1190, 12, "gluten soy"),
        _dish("Bibimbap", "wok", 1150, 10, "egg soy sesame"),
        _dish("Tteokbokki", "wok", 890, 9, "soy gluten"),
        _dish("Kimchi", "cold", 380, 2, "fish"),
    ),
}

OPTIONS = (
    "",
    "",
    "",
    "",
    "no onion",
    "extra spicy",
    "sauce on the side",
    "no coriander",
    "well done",
    "gluten free base",
)
NOTES = ("", "", "", "", "", "Please ring twice", "Second floor, left", "Leave at the reception", "The bell is broken")
SITES = (
    "Harbour",
    "Mill",
    "Garden",
    "Station",
    "Market",
    "Bridge",
    "Canal",
    "Tower",
    "Orchard",
    "Foundry",
    "Park",
    "Quay",
)
FIRST_NAMES = (
    "Amara", "Ben", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Liam", "Mei",
    "Noah", "Olga", "Priya", "Quentin", "Rosa", "Samir", "Tilda", "Umar", "Vera", "Wanda", "Xavier", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abbasi", "Berg", "Castro", "Dubois", "Eriksen", "Fischer", "Gallo", "Haddad", "Ivanova", "Jansen", "Kaya", "Lind",
    "Moreau", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Vogel", "Weber", "Young",
    "Zhou",
)  # fmt: skip
VEHICLES = ("bicycle", "e-bike", "scooter", "e-bike")

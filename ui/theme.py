"""The one table of words, signs and colours of every state; screens, tracking page and style sheet are made from it.

Invariant: colour is never alone, so each state has a word and a sign of its own within its machine; every colour has a
contrast of at least 4.5 on both surfaces of its scheme (WCAG 2.2 AA; tests/ui/test_theme.py).
`static/theme.js` and `static/theme.css` are generated: `python -m ui.theme` writes them, a test holds them current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hub.domain.delivery import DeliveryStatus as Delivery
from hub.domain.delivery import OfferState as Offer
from hub.domain.delivery import ShiftState as Shift
from hub.domain.events import MACHINES
from hub.domain.line import LineState as Line
from hub.domain.order import OrderStatus as Order
from hub.domain.review import ReviewState as Review
from hub.domain.roles import PERMISSIONS

STATIC = Path(__file__).parent / "static"


class Hue(StrEnum):
    """The colours that a state may have."""

    GREY = "grey"
    BLUE = "blue"
    VIOLET = "violet"
    AMBER = "amber"
    GREEN = "green"
    TEAL = "teal"
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The colours of the dark or the light look: `surface` is the page, `card` lies on it."""

    surface: str
    card: str
    raised: str
    edge: str
    text: str
    quiet: str
    accent: str
    on_accent: str
    hues: dict[Hue, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a state looks: a word, a sign and a hue."""

    word: str
    sign: str
    hue: Hue


DARK = Scheme(
    surface="#12151a", card="#1d222a", raised="#2a313c", edge="#6f7c8d", text="#f3f5f8", quiet="#b9c2ce",
    accent="#ffb454", on_accent="#1a1204",
    hues={
        Hue.GREY: "#b9c2ce", Hue.BLUE: "#86bcff", Hue.VIOLET: "#cfb0ff", Hue.AMBER: "#ffc24d", Hue.GREEN: "#74dd90",
        Hue.TEAL: "#62d8d0", Hue.RED: "#ff958c",
    },
)  # fmt: skip
LIGHT = Scheme(
    surface="#f3f4f7", card="#ffffff", raised="#e7eaef", edge="#8a95a3", text="#14181e", quiet="#4a5462",
    accent="#9a4a00", on_accent="#ffffff",
    hues={
        Hue.GREY: "#4a5462", Hue.BLUE: "#0b57b0", Hue.VIOLET: "#6a2fb5", Hue.AMBER: "#7a4b00", Hue.GREEN: "#12662e",
        Hue.TEAL: "#055e59", Hue.RED: "#b3170f",
    },
)  # fmt: skip

LOOKS: dict[str, dict[str, Look]] = {
    "order": {
        Order.PLACED: Look(word="New", sign="✚", hue=Hue.BLUE),
        Order.ACCEPTED: Look(word="Accepted", sign="✓", hue=Hue.BLUE),
        Order.PREPARING: Look(word="Cooking", sign="♨", hue=Hue.AMBER),
        Order.READY: Look(word="Ready", sign="◆", hue=Hue.GREEN),
        Order.OUT_FOR_DELIVERY: Look(word="On the way", sign="➤", hue=Hue.TEAL),
        Order.DELIVERED: Look(word="Delivered", sign="★", hue=Hue.GREEN),
        Order.REJECTED: Look(word="Rejected", sign="⊘", hue=Hue.RED),
        Order.EXPIRED: Look(word="Expired", sign="⌛", hue=Hue.RED),
        Order.CANCELLED: Look(word="Cancelled", sign="✕", hue=Hue.RED),
        Order.DELIVERY_FAILED: Look(word="Not delivered", sign="!", hue=Hue.RED),
        Order.RETURNED: Look(word="Returned", sign="↩", hue=Hue.GREY),
    },
    "line": {
        Line.HELD: Look(word="Held", sign="○", hue=Hue.GREY),
        Line.FIRED: Look(word="To start", sign="▶", hue=Hue.BLUE),
        Line.COOKING: Look(word="Cooking", sign="♨", hue=Hue.AMBER),
        Line.DONE: Look(word="Done", sign="✓", hue=Hue.GREEN),
        Line.CHECKED: Look(word="Checked", sign="◆", hue=Hue.GREEN),
        Line.REMAKE: Look(word="Remake", sign="↻", hue=Hue.RED),
        Line.VOIDED: Look(word="Void", sign="✕", hue=Hue.GREY),
    },
    "delivery": {
        Delivery.WAITING: Look(word="Needs a rider", sign="○", hue=Hue.GREY),
        Delivery.OFFERED: Look(word="Offered", sign="◔", hue=Hue.BLUE),
        Delivery.ASSIGNED: Look(word="To the kitchen", sign="◑", hue=Hue.BLUE),
        Delivery.AT_KITCHEN: Look(word="At the kitchen", sign="⌂", hue=Hue.VIOLET),
        Delivery.PICKED_UP: Look(word="On the way", sign="➤", hue=Hue.TEAL),
        Delivery.AT_DOOR: Look(word="At the door", sign="▣", hue=Hue.TEAL),
        Delivery.DELIVERED: Look(word="Delivered", sign="★", hue=Hue.GREEN),
        Delivery.FAILED: Look(word="Failed", sign="!", hue=Hue.RED),
        Delivery.RETURNING: Look(word="Going back", sign="↩", hue=Hue.AMBER),
        Delivery.RETURNED: Look(word="Returned", sign="↲", hue=Hue.GREY),
        Delivery.CANCELLED: Look(word="Cancelled", sign="✕", hue=Hue.RED),
    },
    "review": {
        Review.WAITING: Look(word="To review", sign="?", hue=Hue.AMBER),
        Review.APPROVED: Look(word="Approved", sign="✓", hue=Hue.GREEN),
        Review.REFUSED: Look(word="Refused", sign="⊘", hue=Hue.RED),
        Review.LAPSED: Look(word="Lapsed", sign="⌛", hue=Hue.GREY),
    },
    "offer": {
        Offer.LIVE: Look(word="Offer", sign="◔", hue=Hue.BLUE),
        Offer.ACCEPTED: Look(word="Accepted", sign="✓", hue=Hue.GREEN),
        Offer.DECLINED: Look(word="Declined", sign="✕", hue=Hue.GREY),
        Offer.EXPIRED: Look(word="Expired", sign="⌛", hue=Hue.GREY),
        Offer.WITHDRAWN: Look(word="Taken by another", sign="↪", hue=Hue.GREY),
    },
    "rider": {
        Shift.ON: Look(word="On shift", sign="●", hue=Hue.GREEN),
        Shift.BREAK: Look(word="On a break", sign="◐", hue=Hue.AMBER),
        Shift.OFF: Look(word="Off", sign="○", hue=Hue.GREY),
    },
    "risk": {
        "ok": Look(word="In time", sign="", hue=Hue.GREEN),
        "warn": Look(word="Warn", sign="▲", hue=Hue.AMBER),
        "late": Look(word="Late", sign="■", hue=Hue.RED),
    },
    "load": {
        "calm": Look(word="Calm", sign="", hue=Hue.GREEN),
        "busy": Look(word="Busy", sign="▲", hue=Hue.AMBER),
        "full": Look(word="Full", sign="■", hue=Hue.RED),
    },
}


def script() -> str:
    """The module `theme.js`: words and signs of the states, the legal moves, and what each role may do."""
    looks = {
        entity: {state: {"word": look.word, "sign": look.sign} for state, look in states.items()}
        for entity, states in LOOKS.items()
    }
    moves: dict[str, dict[str, list[str]]] = {}
    for machine in MACHINES:
        if machine.entity not in LOOKS:  # no screen shows it
            continue
        for source, _, move, _ in machine.edges():
            names = moves.setdefault(machine.entity, {}).setdefault(source, [])
            if move not in names:
                names.append(move)
    permissions = {role: sorted(granted) for role, granted in PERMISSIONS.items()}
    parts = (("LOOKS", looks), ("MOVES", moves), ("PERMISSIONS", permissions))
    lines = [f"export const {name} = {json.dumps(value, ensure_ascii=False, indent=1)};" for name, value in parts]
    return "\n".join(["/* Generated by `python -m ui.theme`; change ui/theme.py instead. */", *lines, ""])


def style_sheet() -> str:
    """The style sheet `theme.css`: colours of both schemes as variables, and `--state` for each `data-state`."""
    return "\n".join(
        [
            "/* Generated by `python -m ui.theme`; change ui/theme.py instead. */",
            _rule(":root", _variables(LIGHT, is_dark=False)),
            _rule('[data-scheme="dark"]', _variables(DARK, is_dark=True)),
            "@media (prefers-color-scheme: dark) {",
            _rule(':root:not([data-scheme="light"])', _variables(DARK, is_dark=True)),
            "}",
            *(
                f'[data-state="{entity}-{state}"] {{ --state: var(--{look.hue}); }}'
                for entity, states in LOOKS.items()
                for state, look in states.items()
            ),
            "",
        ]
    )


def _variables(scheme: Scheme, *, is_dark: bool) -> Iterator[tuple[str, str]]:
    yield "color-scheme", "dark" if is_dark else "light"
    for name in ("surface", "card", "raised", "edge", "text", "quiet", "accent"):
        yield f"--{name}", getattr(scheme, name)
    yield "--on-accent", scheme.on_accent
    yield from ((f"--{hue}", colour) for hue, colour in scheme.hues.items())


def _rule(selector: str, variables: Iterator[tuple[str, str]]) -> str:
    return "\n".join([f"{selector} {{", *(f"  {name}: {value};" for name, value in variables), "}"])


def write() -> None:
    """Write both generated files into `static/`."""
    (STATIC / "theme.js").write_text(script(), encoding="utf-8")
    (STATIC / "theme.css").write_text(style_sheet(), encoding="utf-8")


if __name__ == "__main__":
    write()

"""The theme table: complete, readable, and the generated files as it says."""

from __future__ import annotations

import pytest

from hub.domain.events import MACHINES, STATE_COLUMN
from ui.theme import DARK, LIGHT, LOOKS, STATIC, Scheme, script, style_sheet

AA_TEXT = 4.5
AA_EDGE = 3.0


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_state_of_a_screen_has_a_look() -> None:
    for machine in MACHINES:
        if machine.entity in ("payment", "session"):  # no screen shows their states
            continue
        states = {str(target) for _, target, _, _ in machine.edges()} | {str(machine.initial)}
        assert states <= set(LOOKS[machine.entity]), STATE_COLUMN[machine.entity]


@pytest.mark.parametrize("entity", ["order", "line", "delivery", "rider"])
def test_no_two_states_share_word_and_sign(entity: str) -> None:
    looks = [(look.word, look.sign) for look in LOOKS[entity].values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("scheme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_colour_can_be_read(scheme: Scheme) -> None:
    for surface in (scheme.surface, scheme.card, scheme.raised):
        for colour in (scheme.text, scheme.quiet, *scheme.hues.values()):
            assert contrast(colour, surface) >= AA_TEXT, (colour, surface)
    assert contrast(scheme.on_accent, scheme.accent) >= AA_TEXT
    assert contrast(scheme.edge, scheme.card) >= AA_EDGE - 0.01


def test_the_generated_files_are_current() -> None:
    told = "run `python -m ui.theme`"
    assert (STATIC / "theme.js").read_text(encoding="utf-8") == script(), told
    assert (STATIC / "theme.css").read_text(encoding="utf-8") == style_sheet(), told

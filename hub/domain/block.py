"""Blocks: about whom or what, and with which effect.

    person, phone, cell    refuse   no order is taken
                           prepaid  only an order that is paid before
                           review   the order waits for a manager (`hub.domain.review`)
    pair                   apart    this rider is never offered an order of this customer

Every block has a reason and an end. The database enforces them, whoever writes (migration of the reviews).
"""

from __future__ import annotations

from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is about."""

    PERSON = "person"
    PHONE = "phone"
    CELL = "cell"
    PAIR = "pair"


class BlockEffect(StrEnum):
    """What a block does."""

    REFUSE = "refuse"
    PREPAID = "prepaid"
    REVIEW = "review"
    APART = "apart"


def is_fitting(kind: BlockKind, effect: BlockEffect) -> bool:
    """True when a block of this kind can have this effect: only two people can be kept apart."""
    return (kind is BlockKind.PAIR) == (effect is BlockEffect.APART)

"""The payment of an order: its states and moves.

due ─collect─► collected ─deposit─► deposited ─reconcile─► reconciled          due ─void─► void
due ─capture─► captured ─refund─► refund_due ─refunded─► refunded              deposited ─short─► short
                            collected ─refund─► refund_due
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class PaymentMethod(StrEnum):
    """How an order is paid."""

    CASH = "cash"
    ONLINE = "online"


class PaymentState(StrEnum):
    """Where the money of an order stands."""

    DUE = "due"
    COLLECTED = "collected"
    DEPOSITED = "deposited"
    RECONCILED = "reconciled"
    SHORT = "short"
    VOID = "void"
    CAPTURED = "captured"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


S = PaymentState

PAYMENT = Machine(
    entity="payment",
    initial=S.DUE,
    birth="place",
    moves=(
        Move(name="collect", sources=(S.DUE,), target=S.COLLECTED, event="payment.collected"),
        Move(name="capture", sources=(S.DUE,), target=S.CAPTURED, event="payment.captured"),
        Move(name="void", sources=(S.DUE,), target=S.VOID, event="payment.voided"),
        Move(name="deposit", sources=(S.COLLECTED,), target=S.DEPOSITED, event="payment.deposited"),
        Move(name="reconcile", sources=(S.DEPOSITED,), target=S.RECONCILED, event="payment.reconciled"),
        Move(name="short", sources=(S.DEPOSITED,), target=S.SHORT, event="payment.short"),
        Move(name="refund", sources=(S.CAPTURED, S.COLLECTED), target=S.REFUND_DUE, event="payment.refund_due"),
        Move(name="refunded", sources=(S.REFUND_DUE,), target=S.REFUNDED, event="payment.refunded"),
    ),
)

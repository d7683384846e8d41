"""The plan of a night: every name, every step from target weight to order, and one hash over all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from hrp.domain.lineage import digest, plain
from hrp.domain.orders import Order, OrderStatus


@dataclass(frozen=True, slots=True)
class Clip:
    """One limit that set a target. `before` and `after` are shares; `limit` is a code such as `MAX_GROSS`.

    They are equal only where a frozen name would have stayed as it is anyway: the reason is still on record.
    """

    limit: str
    before: int
    after: int
    detail: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One name. `weight` is a fraction of equity, `price` USD, the rest shares.

    The waterfall adds up: `desired` plus the changes of all `clips` is `target`.
    """

    symbol: str
    prediction: float | None
    weight: Decimal
    price: Decimal | None
    desired: int
    clips: tuple[Clip, ...]
    target: int
    held: Decimal
    working: Decimal
    order: Order | None

    @property
    def delta(self) -> Decimal:
        """Shares still to trade: target less held less working."""
        return self.target - self.held - self.working


@dataclass(frozen=True, slots=True)
class Plan:
    """What one session's close and the broker's word lead to. Equal inputs give an equal `plan_hash`.

    `inputs` is what it was made from besides prices and models, kept so that it can be made again; it is not hashed.
    """

    session: date
    for_session: date
    account: str
    equity: Decimal
    cash: Decimal
    model_versions: Mapping[str, int]
    limits: Mapping[str, str]
    lines: tuple[PlanLine, ...]
    inputs: Mapping[str, object] = field(default_factory=dict, compare=False)

    @property
    def plan_hash(self) -> str:
        """sha256 of everything that the plan says, the send apart."""
        return digest(self.as_record())

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders to send, sales first, then by symbol."""
        return tuple(o for o in self._all_orders() if o.status is OrderStatus.PLANNED)

    @property
    def denied(self) -> tuple[Order, ...]:
        """Orders that a rule refused, each with its reason."""
        return tuple(o for o in self._all_orders() if o.status is OrderStatus.DENIED)

    def _all_orders(self) -> list[Order]:
        orders = [line.order for line in self.lines if line.order is not None]
        return sorted(orders, key=lambda order: (order.signed_quantity > 0, order.symbol))

    def as_record(self) -> dict[str, object]:
        """The plan as plain values, the form that is hashed and stored."""
        return {
            "session": self.session,
            "for_session": self.for_session,
            "account": self.account,
            "equity": _text(self.equity),
            "cash": _text(self.cash),
            "model_versions": dict(self.model_versions),
            "limits": dict(self.limits),
            "lines": [_line_record(line) for line in self.lines],
        }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _line_record(line: PlanLine) -> dict[str, object]:
    return {
        "symbol": line.symbol,
        "prediction": line.prediction,
        "weight": _text(line.weight),
        "price": _text(line.price),
        "desired": line.desired,
        "clips": [[c.limit, c.before, c.after, c.detail] for c in line.clips],
        "target": line.target,
        "held": _text(line.held),
        "working": _text(line.working),
        "order": None if line.order is None else _order_record(line.order),
    }


def _order_record(order: Order) -> dict[str, object]:
    return {
        "order_ref": order.order_ref,
        "side": order.side,
        "quantity": order.quantity,
        "order_type": order.order_type,
        "limit_price": _text(order.limit_price),
        "tif": order.tif,
        "strategy": order.strategy,
        "denial": order.denial,
    }

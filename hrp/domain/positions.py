"""What is owned and what happened: positions, fills, and the account as the broker reports it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.domain.orders import OrderSide, OrderStatus
from hrp.errors import DataError


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the broker knows a symbol as; `con_id` is the identity, the symbol only its name of the day."""

    con_id: int
    symbol: str
    primary_exchange: str
    currency: str = "USD"


@dataclass(slots=True)
class Position:
    """A holding. `entry_price` (average cost) and `current_price` are USD a share; an unknown price is None."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    current_price: Decimal | None = None
    con_id: int = 0

    @property
    def market_value(self) -> Decimal | None:
        """USD at the current price, negative for a short; None without a price."""
        return None if self.current_price is None else self.quantity * self.current_price

    @property
    def cost_basis(self) -> Decimal:
        """USD paid: quantity times entry price."""
        return self.quantity * self.entry_price

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """USD gained since entry; None without a price."""
        value = self.market_value
        return None if value is None else value - self.cost_basis

    @property
    def unrealized_pnl_pct(self) -> Decimal | None:
        """Gain as a fraction of the cost basis; None without a price or with no cost."""
        gain = self.unrealized_pnl
        return None if gain is None or not self.cost_basis else gain / abs(self.cost_basis)

    def update_price(self, price: Decimal) -> None:
        """Mark the holding to `price`, USD a share.

        Raises:
            DataError: the price is not positive and finite.
        """
        if not price.is_finite() or price <= 0:
            raise DataError(f"price of {self.symbol} must be positive, got {price}; run: hrp run quality")
        self.current_price = price


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution as the broker reported it. `commission` in USD stays None until its report arrives.

    `client_id` is the client of the broker that placed the order: 0 is TWS itself, a person. `cum_quantity` is how much
    of the order had been executed with it, None where that is not known.
    """

    exec_id: str
    order_ref: str
    perm_id: int
    account: str
    con_id: int
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    executed_at: datetime
    commission: Decimal | None = None
    client_id: int = 0
    cum_quantity: Decimal | None = None

    @property
    def identity(self) -> str:
        """The execution without its correction suffix: `a.b.c.01` and `a.b.c.02` are one execution."""
        return self.exec_id.rpartition(".")[0] or self.exec_id

    @property
    def signed_quantity(self) -> Decimal:
        """Shares added to the position; negative for a sale."""
        return self.quantity if self.side is OrderSide.BUY else -self.quantity

    @property
    def cash_flow(self) -> Decimal:
        """USD that the fill brought in, in whole cents as a broker books it, commission (if known) already taken."""
        return -to_cents(self.signed_quantity * self.price) - (self.commission or Decimal(0))


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that lives at the broker. `order_ref` is empty for one that HRP did not place.

    `status` is `ACKED`, `WORKING`, or `UNKNOWN` for one that is listed and neither works nor has ended. `quantity` are
    the shares asked for, None where that is not known.
    """

    order_ref: str
    perm_id: int
    order_id: int
    client_id: int
    symbol: str
    con_id: int
    side: OrderSide
    remaining: Decimal
    status: OrderStatus = OrderStatus.WORKING
    quantity: Decimal | None = None

    @property
    def signed_remaining(self) -> Decimal:
        """Shares it may still add to the position; negative for a sale."""
        return self.remaining if self.side is OrderSide.BUY else -self.remaining


@dataclass(frozen=True, slots=True)
class CompletedOrder:
    """An order that has ended at the broker, with what became of it."""

    order_ref: str
    perm_id: int
    symbol: str
    side: OrderSide
    filled: Decimal
    status: OrderStatus
    detail: str = ""


Record = WorkingOrder | CompletedOrder | Fill  # whatever the broker says about one order


@dataclass(frozen=True, slots=True)
class Account:
    """Money as the broker states it, USD: `net_liquidation` is cash plus the market value of holdings."""

    account: str
    net_liquidation: Decimal
    cash: Decimal
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class BrokerState:
    """One complete answer of the broker: every part arrived, in one connection, before its deadline."""

    account: Account
    positions: tuple[Position, ...]
    working: tuple[WorkingOrder, ...]
    completed: tuple[CompletedOrder, ...]
    fills: tuple[Fill, ...]
    at: datetime

    def held(self) -> dict[str, Decimal]:
        """Shares by symbol."""
        return {position.symbol: position.quantity for position in self.positions}

    def records(self) -> list[Record]:
        """Everything that it says about orders: working, completed, executed."""
        return [*self.working, *self.completed, *self.fills]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What came back for one order that was sent: the broker's word, or `UNKNOWN` at the deadline."""

    status: OrderStatus
    perm_id: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """A difference between the ledger and the broker; `subject` is a symbol, `cash`, an execution or an order.

    `cause` is what explains it (`split`, `manual`, ...), empty for one that nothing explains; `explanation` says it in
    words, or what it may be. `symbol` is the instrument that it is about, empty if it is about the account.
    """

    session: date
    account: str
    kind: str
    subject: str
    ledger: str
    broker: str
    explanation: str = ""
    cause: str = ""
    symbol: str = ""

    @property
    def told(self) -> str:
        """One line about it."""
        words = f"{self.kind} {self.subject}: ledger {self.ledger}, broker {self.broker}"
        return f"{words} ({self.explanation})" if self.explanation else words

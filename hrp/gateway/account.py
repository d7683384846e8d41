"""What the account is worth, and the rows in which TWS says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.gateway.records import Holding, Order, Side

CURRENCY = "USD"
BASE = "BASE"

Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Valuation:
    """The account at the newest known prices, in USD.

    Holdings without a known price are valued at cost. `marks` holds a price for every symbol held or on order.
    """

    account: str
    cash: Decimal
    holdings: Sequence[Holding]
    working: Sequence[Order]
    marks: Mapping[str, Decimal]
    realized_today: Decimal
    equity_before: Decimal

    def mark(self, holding: Holding) -> Decimal:
        """The price of one share in USD."""
        return self.marks.get(holding.instrument.symbol, holding.average_cost)

    def value(self, holding: Holding) -> Decimal:
        """The value of `holding` in whole cents."""
        return to_cents(holding.quantity * self.mark(holding))

    @property
    def positions_value(self) -> Decimal:
        """The value of all holdings."""
        return sum((self.value(holding) for holding in self.holdings), Decimal("0.00"))

    @property
    def net_liquidation(self) -> Decimal:
        """Cash and holdings."""
        return self.cash + self.positions_value

    @property
    def unrealized(self) -> Decimal:
        """Value of the holdings less their cost."""
        return self.positions_value - sum((holding.cost for holding in self.holdings), Decimal("0.00"))

    @property
    def daily(self) -> Decimal:
        """What net liquidation gained since the close before the shown trading day."""
        return self.net_liquidation - self.equity_before

    @property
    def buying_power(self) -> Decimal:
        """What a further purchase may cost: net liquidation, and working sales less working purchases."""
        return max(self.net_liquidation + self._working(Side.SELL) - self._working(Side.BUY), Decimal("0.00"))

    def estimate(self, order: Order) -> Decimal:
        """What the rest of `order` is worth in whole cents: at its limit, else at the newest price."""
        price = order.limit or self.marks.get(order.instrument.symbol, Decimal(0))
        return to_cents(order.remaining * price)

    def sellable(self, symbol: str) -> int:
        """Shares of `symbol` held and not yet on a working sale."""
        held = sum(holding.quantity for holding in self.holdings if holding.instrument.symbol == symbol)
        selling = sum(o.remaining for o in self.working if o.side is Side.SELL and o.instrument.symbol == symbol)
        return held - selling

    def _working(self, side: Side) -> Decimal:
        return sum((self.estimate(order) for order in self.working if order.side is side), Decimal("0.00"))


def account_rows(now: Valuation) -> list[Row]:
    """Key, value and currency of every account value."""
    plain = [("AccountCode", now.account, ""), ("AccountReady", "true", ""), ("AccountType", "INDIVIDUAL", "")]
    return [*plain, *money_rows(now), *ledger_rows(now)]


def money_rows(now: Valuation) -> list[Row]:
    """The values of the whole account. The account is unlevered: margin is the value of the holdings."""
    values = {
        "NetLiquidation": now.net_liquidation,
        "EquityWithLoanValue": now.net_liquidation,
        "TotalCashValue": now.cash,
        "SettledCash": now.cash,
        "AccruedCash": Decimal("0.00"),
        "AvailableFunds": now.cash,
        "ExcessLiquidity": now.cash,
        "BuyingPower": now.buying_power,
        "GrossPositionValue": now.positions_value,
        "InitMarginReq": now.positions_value,
        "MaintMarginReq": now.positions_value,
    }
    return [(key, format(value, "f"), CURRENCY) for key, value in values.items()]


def ledger_rows(now: Valuation) -> list[Row]:
    """The values that exist for each currency and for the base currency; here both are the same."""
    values = {
        "CashBalance": now.cash,
        "TotalCashBalance": now.cash,
        "StockMarketValue": now.positions_value,
        "NetLiquidationByCurrency": now.net_liquidation,
        "UnrealizedPnL": now.unrealized,
        "RealizedPnL": now.realized_today,
        "ExchangeRate": Decimal("1.00"),
    }
    rows = [(key, format(value, "f"), currency) for currency in (BASE, CURRENCY) for key, value in values.items()]
    return [("Currency", BASE, BASE), ("Currency", CURRENCY, CURRENCY), *rows]


def summary_rows(now: Valuation, tags: Sequence[str]) -> list[Row]:
    """The rows for `tags`, `$LEDGER` and its variants included; a tag this account does not have gives no row."""
    rows: list[Row] = [row for row in account_rows(now)[2:] if row[0] in tags]
    if "$LEDGER:ALL" in tags:
        return rows + ledger_rows(now)
    wanted = CURRENCY if f"$LEDGER:{CURRENCY}" in tags else BASE if "$LEDGER" in tags else None
    return rows + [row for row in ledger_rows(now) if row[2] == wanted]

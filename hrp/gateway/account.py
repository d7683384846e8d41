"""What the account is worth, and the rows in which TWS says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.gateway.records import Holding
from hrp.gateway.terms import USD, Terms

CURRENCY = USD
BASE = "BASE"
_RATE_DECIMALS = 7

Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Valuation:
    """The account at the newest known prices, in USD where nothing else is said.

    `marks` holds the price of every holding, its average cost where none is known. `base_cash` is in the base currency
    of `terms`, 0 if that is USD. `reserved_sales` and `reserved_purchases` are what the rest of the working orders is
    worth.
    """

    account: str
    terms: Terms
    cash: Decimal
    base_cash: Decimal
    holdings: Sequence[Holding]
    reserved_sales: Decimal
    reserved_purchases: Decimal
    marks: Mapping[str, Decimal]
    realized_today: Decimal
    equity_before: Decimal

    def mark(self, holding: Holding) -> Decimal:
        """The price of one share in USD."""
        return self.marks.get(holding.instrument.symbol, Decimal(0))

    def value(self, holding: Holding) -> Decimal:
        """The value of `holding` in whole cents."""
        return to_cents(holding.quantity * self.mark(holding))

    def in_base(self, amount: Decimal) -> Decimal:
        """`amount` of USD in the base currency, in whole cents."""
        return to_cents(amount / self.terms.rate)

    @property
    def positions_value(self) -> Decimal:
        """The value of all holdings."""
        return sum((self.value(holding) for holding in self.holdings), Decimal("0.00"))

    @property
    def net_liquidation(self) -> Decimal:
        """Cash of every currency, and holdings."""
        return self.cash + to_cents(self.base_cash * self.terms.rate) + self.positions_value

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
        return max(self.net_liquidation + self.reserved_sales - self.reserved_purchases, Decimal("0.00"))


def account_rows(now: Valuation) -> list[Row]:
    """Key, value and currency of every account value."""
    plain = [("AccountCode", now.account, ""), ("AccountReady", "true", ""), ("AccountType", "INDIVIDUAL", "")]
    return [*plain, *money_rows(now), *ledger_rows(now)]


def money_rows(now: Valuation) -> list[Row]:
    """The values of the whole account, in its base currency. It is unlevered: margin is the value of the holdings."""
    held = now.positions_value
    values = {
        "NetLiquidation": now.net_liquidation,
        "EquityWithLoanValue": now.net_liquidation,
        "TotalCashValue": now.net_liquidation - held,
        "SettledCash": now.net_liquidation - held,
        "AccruedCash": Decimal("0.00"),
        "AvailableFunds": now.net_liquidation - held,
        "ExcessLiquidity": now.net_liquidation - held,
        "BuyingPower": now.buying_power,
        "GrossPositionValue": held,
        "InitMarginReq": held,
        "MaintMarginReq": held,
    }
    return [(key, format(now.in_base(value), "f"), now.terms.base_currency) for key, value in values.items()]


def ledger_rows(now: Valuation) -> list[Row]:
    """The values that exist for each currency and, as `BASE`, for all of them together in the base currency."""
    zero, held, base = Decimal("0.00"), now.positions_value, now.terms.base_currency
    profits = now.unrealized, now.realized_today
    in_base = [now.in_base(amount) for amount in (now.net_liquidation - held, held, *profits)]
    rows = _ledger(BASE, Decimal("1.00"), *in_base)
    if base != USD:
        rows += _ledger(base, Decimal("1.00"), now.base_cash, zero, zero, zero)
    return [*rows, *_ledger(USD, round(1 / now.terms.rate, _RATE_DECIMALS), now.cash, held, *profits)]


def _ledger(
    currency: str, rate: Decimal, cash: Decimal, held: Decimal, unrealized: Decimal, realized: Decimal
) -> list[Row]:
    values = {
        "CashBalance": cash,
        "TotalCashBalance": cash,
        "StockMarketValue": held,
        "NetLiquidationByCurrency": cash + held,
        "UnrealizedPnL": unrealized,
        "RealizedPnL": realized,
        "ExchangeRate": rate,
    }
    return [("Currency", currency, currency), *((key, format(value, "f"), currency) for key, value in values.items())]


def summary_rows(now: Valuation, tags: Sequence[str]) -> list[Row]:
    """The rows for `tags`, `$LEDGER` and its variants included; a tag this account does not have gives no row."""
    rows: list[Row] = [row for row in account_rows(now)[2:] if row[0] in tags]
    if "$LEDGER:ALL" in tags:
        return rows + ledger_rows(now)
    wanted = {tag.removeprefix("$LEDGER:") for tag in tags if tag.startswith("$LEDGER:")}
    wanted |= {BASE} if "$LEDGER" in tags else set()
    return rows + [row for row in ledger_rows(now) if row[2] in wanted]

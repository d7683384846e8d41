"""State and market together: the questions that need both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.gateway.account import Valuation
from hrp.gateway.clock import NEW_YORK, trading_day
from hrp.gateway.market import Market, MarketView
from hrp.gateway.records import Execution, Holding, Instrument, Order, Side
from hrp.gateway.requests import ContractQuery
from hrp.gateway.state import Ledger

_ANY_OR_STOCK = ("", "STK")
_ANY_OR_DOLLAR = ("", "USD")
_EXCHANGES = ("", "SMART", "NYSE")


@dataclass(frozen=True, slots=True)
class Routed:
    """A message and the client it is for."""

    client_id: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything the gateway knows."""

    ledger: Ledger
    market: Market

    @property
    def account(self) -> str:
        """The account id."""
        return self.ledger.account

    @property
    def now(self) -> datetime:
        """The simulated instant (UTC)."""
        return self.ledger.clock

    @property
    def view(self) -> MarketView:
        """What of the market is public now."""
        return MarketView(self.market, self.now)

    def find(self, query: ContractQuery) -> Instrument | None:
        """The one instrument that `query` means, if it has traded by now."""
        if query.sec_type not in _ANY_OR_STOCK or query.currency not in _ANY_OR_DOLLAR:
            return None
        if query.exchange not in _EXCHANGES:
            return None
        known = self.ledger.instrument_by_number(query.con_id) if query.con_id else None
        symbol = known.symbol if known else query.symbol
        if (query.con_id and not known) or query.symbol not in ("", symbol) or not self.view.is_listed(symbol):
            return None
        return known or self.ledger.instrument(symbol)

    def held(self) -> list[Holding]:
        """Holdings that are not empty."""
        return [holding for holding in self.ledger.holdings() if holding.quantity]

    def shown_holdings(self) -> list[Holding]:
        """Holdings that are not empty, and those that the trading day has emptied."""
        traded = {fill.instrument for fill in self.executions_today()}
        return [holding for holding in self.ledger.holdings() if holding.quantity or holding.instrument in traded]

    def executions_today(self) -> list[Execution]:
        """The fills that the broker still shows: those of the trading day."""
        return self.ledger.executions(trading_day(self.now))

    def ended_today(self) -> list[Order]:
        """The ended orders that the broker still shows: those of the trading day."""
        midnight = datetime.combine(trading_day(self.now), time(), NEW_YORK)
        return self.ledger.ended_orders(midnight.astimezone(UTC))

    def realized_today(self, instrument: Instrument | None = None) -> Decimal:
        """Profit in USD of the day's sales, of `instrument` or of all."""
        fills = [fill for fill in self.executions_today() if instrument in (None, fill.instrument)]
        return sum((fill.realized for fill in fills if fill.realized is not None), Decimal("0.00"))

    def valuation(self) -> Valuation:
        """The account at the newest known prices."""
        holdings, working, view = self.held(), self.ledger.working_orders(), self.view
        symbols = {holding.instrument.symbol for holding in holdings} | {o.instrument.symbol for o in working}
        prices = {symbol: view.last_price(symbol) for symbol in symbols}
        return Valuation(
            account=self.account,
            cash=self.ledger.cash,
            holdings=holdings,
            working=working,
            marks={symbol: price for symbol, price in prices.items() if price is not None},
            realized_today=self.realized_today(),
            equity_before=self.ledger.equity_before(trading_day(self.now)),
        )

    def daily_profit(self, now: Valuation, holding: Holding) -> Decimal:
        """What `holding` gained in USD since the close before the trading day, its trades of the day included."""
        fills = [fill for fill in self.executions_today() if fill.instrument == holding.instrument]
        bought = sum(fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in fills)
        close = self.view.last_close(holding.instrument.symbol, before=trading_day(self.now)) or Decimal(0)
        paid = sum((_paid(fill) for fill in fills), Decimal("0.00"))
        return now.value(holding) - to_cents((holding.quantity - bought) * close) - paid


def _paid(fill: Execution) -> Decimal:
    value = to_cents(fill.quantity * fill.price)
    return (value if fill.side is Side.BUY else -value) + fill.commission

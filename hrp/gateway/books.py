"""State and market together: the questions that need both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from hrp.domain.commission import Schedule, commission, to_cents
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

    def shown_holdings(self) -> list[Holding]:
        """Holdings that are not empty, and those that the trading day has emptied, by symbol."""
        return self.ledger.holdings(traded_since=trading_day(self.now))

    def executions_today(self) -> list[Execution]:
        """The fills that the broker still shows: those of the trading day."""
        return self.ledger.executions(trading_day(self.now))

    def ended_today(self) -> list[Order]:
        """The ended orders that the broker still shows: those of the trading day."""
        midnight = datetime.combine(trading_day(self.now), time(), NEW_YORK)
        return self.ledger.ended_orders(midnight.astimezone(UTC))

    def realized_today(self, instrument: Instrument) -> Decimal:
        """Profit in USD of the day's sales of `instrument`."""
        return self.ledger.realized_since(trading_day(self.now), instrument)

    def valuation(self) -> Valuation:
        """The account at the newest known prices."""
        holdings, view, ledger = self.ledger.holdings(), self.view, self.ledger
        return Valuation(
            account=self.account,
            terms=ledger.terms,
            cash=ledger.cash,
            base_cash=ledger.base_cash,
            holdings=holdings,
            reserved_sales=ledger.reserved(Side.SELL),
            reserved_purchases=ledger.reserved(Side.BUY),
            marks={h.instrument.symbol: view.last_price(h.instrument.symbol) or h.average_cost for h in holdings},
            realized_today=ledger.realized_since(trading_day(self.now)),
            equity_before=ledger.equity_before(trading_day(self.now)),
        )

    def sellable(self, instrument: Instrument) -> int:
        """Shares of `instrument` held and not yet on a working sale."""
        return self.ledger.holding(instrument).quantity - self.ledger.selling(instrument)

    def tradable(self, order: Order, session: date) -> int:
        """How much of `order` the volume of `session` leaves room for, after what has traded in it already."""
        share = self.ledger.terms.volume_share
        if share is None:
            return order.remaining
        bar = self.market.bar(order.instrument.symbol, session)
        room = int(share * (bar.volume if bar else 0)) - self.ledger.shares_traded(order.instrument, session)
        return min(order.remaining, max(room, 0))

    def commission(self, shares: int, value: Decimal, session: date) -> Decimal:
        """What an order that trades `shares` for `value` USD in `session` costs in USD."""
        schedule = self.ledger.terms.commission
        month_shares = self.ledger.shares_of_month(session) if schedule is Schedule.TIERED else 0
        return commission(schedule, shares, value, month_shares)

    def daily_profit(self, now: Valuation, holding: Holding) -> Decimal:
        """What `holding` gained in USD since the close before the trading day, its trades of the day included."""
        fills = self.ledger.executions(trading_day(self.now), holding.instrument)
        bought = sum(fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in fills)
        close = self.view.last_close(holding.instrument.symbol, before=trading_day(self.now)) or Decimal(0)
        paid = sum((_paid(fill) for fill in fills), Decimal("0.00"))
        return now.value(holding) - to_cents((holding.quantity - bought) * close) - paid


def _paid(fill: Execution) -> Decimal:
    value = to_cents(fill.quantity * fill.price)
    return (value if fill.side is Side.BUY else -value) + fill.commission

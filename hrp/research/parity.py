"""What was backtested against what traded: every difference, and its cause (pure).

Both sides are told session by session as `Day`s. A difference is explained by what differed first: a cause lasts until
the two agree again, and what follows from it is named as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from math import isclose
from typing import Any

from hrp.domain.lineage import plain
from hrp.domain.orders import OrderSide
from hrp.errors import DataError
from hrp.research.nights import History

_NOTHING = Decimal(0)
_SAME_PREDICTION = 1e-9  # relative: one session alone and all of them at once may add up in another order


class Cause(StrEnum):
    """Why a value differs."""

    PRICE = "different price"
    FILL = "different fill"
    MISSING = "missing order"
    COMMISSION = "different commission"
    ACTION = "corporate action"
    DECISION = "different decision"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Line:
    """What a session decided for one name: prediction, weight, close (USD), shares held, signed shares ordered."""

    prediction: float | None
    weight: Decimal
    price: Decimal | None
    held: Decimal
    ordered: Decimal


@dataclass(frozen=True, slots=True)
class Traded:
    """What became of an order at the open: signed shares, USD a share (None for none), commission in USD.

    `sent`: it reached the broker. `ordered`: signed shares; None for an execution that no order asked for.
    """

    ordered: Decimal | None
    shares: Decimal
    price: Decimal | None
    commission: Decimal
    sent: bool = True

    @property
    def told(self) -> str:
        """In words: what stands in the report."""
        if not self.shares:
            return "not filled" if self.sent else "not sent"
        return f"{_signed(self.shares)} at {_told(self.price)}, {_told(self.commission)} USD"


@dataclass(frozen=True, slots=True)
class Paid:
    """What corporate actions did to one holding: change of shares, and cash in USD."""

    shares: Decimal = _NOTHING
    cash: Decimal = _NOTHING

    def __add__(self, other: Paid) -> Paid:
        return Paid(self.shares + other.shares, self.cash + other.cash)


@dataclass(frozen=True, slots=True)
class Day:
    """One session of one side, by symbol: what its open brought, what was held at its close, what was decided then."""

    session: date
    cash: Decimal
    equity: Decimal
    shares: Mapping[str, Decimal]
    lines: Mapping[str, Line] = field(default_factory=dict)
    trades: Mapping[str, Traded] = field(default_factory=dict)
    paid: Mapping[str, Paid] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` differs: weight, order, fill, shares (of `symbol`), cash or equity; as each side says it.

    `since` is the session in which the cause first showed: earlier than `session` for what follows from it.
    """

    session: date
    what: str
    symbol: str
    backtest: str
    replay: str
    cause: Cause
    since: date
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Root:
    cause: Cause
    since: date
    detail: str


def days_of(history: History) -> list[Day]:
    """A backtest as it is compared."""
    plans = {plan.session: lines_of(plan.as_record()) for plan in history.plans}
    trades: dict[date, dict[str, Traded]] = {}
    for trade in history.trades:
        ordered = Decimal(trade.order.signed_quantity)
        shares = _NOTHING if trade.price is None else ordered
        done = Traded(ordered, shares, trade.price, trade.commission)
        trades.setdefault(trade.session, {})[trade.order.symbol] = done
    paid: dict[date, dict[str, Paid]] = {}
    for payout in history.payouts:
        of_session = paid.setdefault(payout.action.ex_session, {})
        symbol, news = payout.action.symbol, Paid(payout.after - payout.before, payout.cash)
        of_session[symbol] = of_session.get(symbol, Paid()) + news
    return [
        Day(
            session=close.session,
            cash=close.book.cash,
            equity=close.equity,
            shares=close.book.held,
            lines=plans.get(close.session, {}),
            trades=trades.get(close.session, {}),
            paid=paid.get(close.session, {}),
        )
        for close in history.closes
    ]


def lines_of(record: Mapping[str, Any] | None) -> dict[str, Line]:
    """The lines of a plan, given as `Plan.as_record` gives it; none without a plan."""
    return {row["symbol"]: _line(row) for row in (record or {}).get("lines", ())}


def _line(row: Mapping[str, Any]) -> Line:
    order = row["order"]
    ordered = _NOTHING
    if order and order["denial"] is None:
        ordered = Decimal(order["quantity"]) * (1 if order["side"] == OrderSide.BUY else -1)
    price = None if row["price"] is None else Decimal(row["price"])
    return Line(row["prediction"], Decimal(row["weight"]), price, Decimal(row["held"]), ordered)


def compare(backtest: Sequence[Day], replay: Sequence[Day]) -> list[Difference]:
    """Every difference between two tellings of the same sessions, in the order in which they came about.

    Raises:
        DataError: they do not tell of the same sessions.
    """
    ours, theirs = [day.session for day in backtest], [day.session for day in replay]
    if ours != theirs:
        odd = sorted(set(ours) ^ set(theirs))
        raise DataError(
            f"backtest and replay do not have the same sessions: {len(ours)} and {len(theirs)}"
            + (f", the first that only one has is {odd[0]}" if odd else "")
        )
    judge = _Judge()
    return [found for pair in zip(backtest, replay, strict=True) for found in judge.session(*pair)]


class _Judge:
    """Goes through the sessions and keeps the cause of what differs now: of a name's shares, and of the money."""

    def __init__(self) -> None:
        self._names: dict[str, _Root] = {}
        self._money: _Root | None = None
        self._money_gap = _NOTHING

    def session(self, ours: Day, theirs: Day) -> Iterator[Difference]:
        """The differences of one session: its open, its close, its decision."""
        today: dict[str, _Root] = {}
        for symbol in _names(ours.trades, theirs.trades):
            yield from self._trade(symbol, ours, theirs, today)
        for symbol in _names(ours.paid, theirs.paid):
            if ours.paid.get(symbol) != theirs.paid.get(symbol):
                kept = self._names.get(symbol)  # a dividend on other shares follows from them
                today.setdefault(symbol, kept or _Root(Cause.ACTION, ours.session, f"of {symbol}"))
        yield from self._shares(ours, theirs, today)
        yield from self._account(ours, theirs, today)
        for symbol in _names(ours.lines, theirs.lines):
            yield from self._decision(symbol, ours, theirs)

    def _trade(self, symbol: str, ours: Day, theirs: Day, today: dict[str, _Root]) -> Iterator[Difference]:
        a, b = ours.trades.get(symbol), theirs.trades.get(symbol)
        if _outcome(a) == _outcome(b):
            return
        root = _trade_root(symbol, ours.session, a, b, self._names.get(symbol))
        today[symbol] = root
        yield _difference(ours.session, "fill", symbol, a.told if a else "none", b.told if b else "none", root)

    def _shares(self, ours: Day, theirs: Day, today: Mapping[str, _Root]) -> Iterator[Difference]:
        for symbol in _names(ours.shares, theirs.shares):
            a, b = ours.shares.get(symbol, _NOTHING), theirs.shares.get(symbol, _NOTHING)
            if a == b:
                self._names.pop(symbol, None)
                continue
            unexplained = _Root(Cause.UNEXPLAINED, ours.session, "")
            root = self._names.setdefault(symbol, today.get(symbol, unexplained))
            yield _difference(ours.session, "shares", symbol, plain(a), plain(b), root)

    def _account(self, ours: Day, theirs: Day, today: Mapping[str, _Root]) -> Iterator[Difference]:
        gap = theirs.cash - ours.cash
        if gap == 0:
            self._money = None
        elif self._money is None:
            self._money = _first(today) or _Root(Cause.UNEXPLAINED, ours.session, "")
        elif gap != self._money_gap and not today and self._money.cause is not Cause.UNEXPLAINED:
            self._money = _Root(Cause.UNEXPLAINED, ours.session, f"{gap - self._money_gap:+f} USD more")
        self._money_gap = gap
        if self._money:
            yield _difference(ours.session, "cash", "", f"{ours.cash}", f"{theirs.cash}", self._money)
        if ours.equity != theirs.equity:
            root = self._money or _first(self._names) or _Root(Cause.PRICE, ours.session, "a close")
            yield _difference(ours.session, "equity", "", f"{ours.equity}", f"{theirs.equity}", root)

    def _decision(self, symbol: str, ours: Day, theirs: Day) -> Iterator[Difference]:
        a, b = ours.lines.get(symbol), theirs.lines.get(symbol)
        if a and b and (a.weight, a.ordered) == (b.weight, b.ordered):
            return
        root = _decision_root(symbol, ours, theirs, self._names.get(symbol) or self._money or _first(self._names))
        if a is None or b is None or a.weight != b.weight:
            yield _difference(ours.session, "weight", symbol, _weight(a), _weight(b), root)
        if a is None or b is None or a.ordered != b.ordered:
            yield _difference(ours.session, "order", symbol, _ordered(a), _ordered(b), root)


def _trade_root(symbol: str, session: date, a: Traded | None, b: Traded | None, kept: _Root | None) -> _Root:
    """Why two trades of one name at one open differ."""
    asked, wanted = a.ordered if a else _NOTHING, b.ordered if b else _NOTHING
    if b and b.ordered is None:
        return _Root(
            Cause.FILL, session, f"an execution of {_signed(b.shares)} {symbol} that no order of HRP asked for"
        )
    if asked != wanted:
        return kept or _Root(Cause.DECISION, session, f"{_signed(asked)} and {_signed(wanted)} {symbol} were ordered")
    if a is None or b is None or not b.sent:
        return _Root(Cause.MISSING, session, f"{_signed(asked)} {symbol} did not reach the broker")
    if a.shares != b.shares:
        return _Root(Cause.FILL, session, f"{_signed(b.shares - a.shares)} {symbol} of {_signed(asked)}")
    if a.price != b.price:
        return _Root(Cause.PRICE, session, f"{symbol} at {_told(b.price)} instead of {_told(a.price)}")
    return _Root(Cause.COMMISSION, session, f"{_told(b.commission)} instead of {_told(a.commission)} USD for {symbol}")


def _decision_root(symbol: str, ours: Day, theirs: Day, kept: _Root | None) -> _Root:
    """Why one close led to two decisions about a name."""
    session, a, b = ours.session, ours.lines.get(symbol), theirs.lines.get(symbol)
    if a and b and a.price != b.price:
        return _Root(Cause.PRICE, session, f"close of {symbol}: {_told(a.price)} and {_told(b.price)}")
    if a and b and not _same_prediction(a.prediction, b.prediction):
        return _Root(Cause.DECISION, session, f"prediction of {symbol}: {a.prediction} and {b.prediction}")
    if (a.weight if a else _NOTHING) == (b.weight if b else _NOTHING) and kept:
        return kept
    return _Root(Cause.DECISION, session, f"of {symbol} from the same books")


def _same_prediction(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return isclose(a, b, rel_tol=_SAME_PREDICTION, abs_tol=_SAME_PREDICTION)


def _outcome(trade: Traded | None) -> tuple[Decimal, Decimal | None, Decimal]:
    return (trade.shares, trade.price, trade.commission) if trade else (_NOTHING, None, _NOTHING)


def _difference(session: date, what: str, symbol: str, ours: str, theirs: str, root: _Root) -> Difference:
    return Difference(session, what, symbol, ours, theirs, root.cause, root.since, root.detail)


def _names(a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    return sorted({*a, *b})


def _first(roots: Mapping[str, _Root]) -> _Root | None:
    return min(roots.values(), key=lambda root: root.since, default=None)


def _weight(line: Line | None) -> str:
    return plain(line.weight) if line else "none"


def _ordered(line: Line | None) -> str:
    return _signed(line.ordered) if line else "none"


def _signed(shares: Decimal | None) -> str:
    return "none" if shares is None else f"{'+' * (shares > 0)}{plain(shares)}"


def _told(usd: Decimal | None) -> str:
    return "none" if usd is None else plain(usd)

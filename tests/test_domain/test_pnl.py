"""Profit at average cost, worked by hand, and drawdowns."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.orders import OrderSide
from hrp.domain.pnl import Profit, drawdowns, profit
from hrp.domain.positions import Fill, Position

D = Decimal


def fill(shares: int, price: object, commission: str | None = None, symbol: str = "AAPL") -> Fill:
    side = OrderSide.BUY if shares > 0 else OrderSide.SELL
    paid = None if commission is None else D(commission)
    at = datetime(2022, 3, 14, 13, 30, tzinfo=UTC)
    return Fill("x.01", "", 0, "DU123", 0, symbol, side, D(abs(shares)), D(str(price)), at, paid)


@pytest.mark.parametrize(
    ("case", "fills", "mark", "realized", "unrealized"),
    [
        ("bought and held: 10 × (12 − 10)", [(10, 10)], 12, 0, 20),
        ("the average of two purchases is 11: 20 × (12 − 11)", [(10, 10), (10, 12)], 12, 0, 20),
        ("half is sold: 10 × (14 − 11), and 10 × (12 − 11) is left", [(10, 10), (10, 12), (-10, 14)], 12, 30, 10),
        ("all is sold at a loss: 10 × (7 − 10)", [(10, 10), (-10, 7)], 99, -30, 0),
        ("5 × (20 − 10), then 10 × (15 − 15)", [(10, 10), (-5, 20), (5, 20), (-10, 15)], 99, 50, 0),
        ("a short gains as the price falls: 10 × (10 − 8)", [(-10, 10)], 8, 0, 20),
        ("a short is bought back: 4 × (10 − 8), 6 × (10 − 9) is left", [(-10, 10), (4, 8)], 9, 8, 6),
        ("long to short: 10 × (13 − 10), then 5 short from 13", [(10, 10), (-15, 13)], 11, 30, 10),
        ("short to long: 10 × (10 − 9), then 20 long from 9", [(-10, 10), (30, 9)], 12, 10, 60),
        ("across zero and back: 30, then 5 × (13 − 10) closes the short", [(10, 10), (-15, 13), (5, 10)], 99, 45, 0),
    ],
)  # fmt: skip
def test_profit_at_average_cost(
    case: str, fills: list[tuple[int, int]], mark: int, realized: int, unrealized: int
) -> None:
    result = profit([fill(*one) for one in fills], {"AAPL": D(mark)})

    assert result == Profit(D(realized), D(0), D(unrealized)), case


def test_opening_holdings_bring_their_cost() -> None:
    """10 from 100 and 10 from 120 are 20 from 110: 5 × (130 − 110) realised, 15 × (140 − 110) open, 3 paid."""
    result = profit([fill(10, 120, "2"), fill(-5, 130, "1")], {"AAPL": D(140)}, [Position("AAPL", D(10), D(100))])

    assert result == Profit(D(100), D(3), D(450))
    assert result.net == 547


def test_a_commission_that_is_not_known_yet_is_not_counted() -> None:
    assert profit([fill(10, 10, None), fill(10, 10, "1")], {}).commissions == 1


def test_a_holding_without_a_price_is_not_marked() -> None:
    result = profit([fill(10, 10), fill(10, 10, symbol="XOM")], {"XOM": D(11)})

    assert result == Profit(D(0), D(0), D(10))


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.decimals(1, 500, places=2)), max_size=12),
    st.decimals(1, 500, places=2),
)
def test_profit_is_what_was_earned_in_cash_and_what_the_shares_are_worth(
    trades: list[tuple[int, Decimal]], mark: Decimal
) -> None:
    """However often the position crosses zero; to a billionth of a cent, as averages are divisions."""
    fills = [fill(*trade, "0.35") for trade in trades]
    cash = sum((one.cash_flow for one in fills), D(0))
    shares = sum((one.signed_quantity for one in fills), D(0))

    assert abs(profit(fills, {"AAPL": mark}).net - (cash + shares * mark)) < D("1e-11")


@given(st.integers(1, 1000), st.decimals(1, 500, places=2), st.decimals(1, 500, places=2))
def test_a_round_trip_realises_exactly_the_difference(shares: int, paid: Decimal, got: Decimal) -> None:
    """Though the cost of a share, such as 100 USD for three, has no end."""
    result = profit([fill(-shares, got)], {}, [Position("AAPL", D(shares), paid)])

    assert result.realized == shares * (got - paid)


@pytest.mark.parametrize(
    ("equity", "below_peak"),
    [
        ([], []),
        (["100"], ["0"]),
        (["100", "110", "99", "121", "60.5"], ["0", "0", "0.1", "0", "0.5"]),
        (["100", "80", "90", "100"], ["0", "0.2", "0.1", "0"]),
        (["0", "10", "5"], ["0", "0", "0.5"]),  # nothing to lose yet
        (["0.50", "0.25"], ["0", "0.5"]),
    ],
)
def test_drawdown_is_the_fraction_below_the_highest_so_far(equity: list[str], below_peak: list[str]) -> None:
    assert drawdowns([D(value) for value in equity]) == [D(value) for value in below_peak]


@given(st.lists(st.decimals(1, 10_000, places=2)))
def test_a_drawdown_is_none_at_a_peak_and_less_than_everything(equity: list[Decimal]) -> None:
    for day, drawdown in enumerate(drawdowns(equity)):
        assert 0 <= drawdown < 1
        assert (drawdown == 0) == (equity[day] == max(equity[: day + 1]))

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from skfolio.datasets import load_sp500_dataset
from vectorbt._engine import is_rust_available

from hrp.domain.corporate_actions import ActionKind, CorporateAction
from hrp.domain.portfolio import Limits
from hrp.errors import DataError
from hrp.research.backtest import BacktestResult, run_backtest
from hrp.research.booking import require_agreement

from .markets import NAN, Market, random_market, ranked, table

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2024, 1, day) for day in (2, 3, 4, 5))
TWO_NAMES = Limits(max_positions=2, max_position_pct=Decimal("0.50"))
ONE_NAME = Limits(max_positions=1, max_position_pct=Decimal(1))
FOUR_NAMES = Limits(max_positions=4, max_position_pct=Decimal("0.25"))
CENT = Decimal("0.01")

OPENS = {"AAA": [49.00, 51.00, 52.50, 50.00], "BBB": [20.00, 20.50, 19.50, 21.50]}
CLOSES = {"AAA": [50.00, 52.00, 51.00, 53.00], "BBB": [20.00, 19.00, 21.00, 22.00]}
WEIGHTS = {
    TUESDAY: {"AAA": Decimal("0.45"), "BBB": Decimal("0.45")},
    WEDNESDAY: {"AAA": Decimal("0.20"), "BBB": Decimal("0.40")},
    THURSDAY: {"BBB": Decimal("0.45")},
}


def predictions(weights, symbols=("AAA", "BBB")):
    return {session: dict.fromkeys(symbols, 0.01) for session in weights}


def backtest_two_names(weights=WEIGHTS, opens=OPENS, closes=CLOSES, cash="10000", limits=TWO_NAMES, **options):
    return run_backtest(
        weights,
        predictions(weights, tuple(closes)),
        table(TUESDAY, opens),
        table(TUESDAY, closes),
        cash=Decimal(cash),
        limits=limits,
        **options,
    )


def run_market(market: Market, **options) -> BacktestResult:
    inputs = (market.weights, market.predictions, market.opens, market.closes)
    return run_backtest(*inputs, **{"cash": Decimal(100_000), "limits": FOUR_NAMES, **options})


def orders_of(result: BacktestResult) -> list[tuple]:
    rows = result.orders.itertuples(index=False)
    return [
        (r.session.day, r.for_session.day, r.symbol, r.side, r.quantity, r.price, r.commission, r.status) for r in rows
    ]


def decided(result: BacktestResult) -> list[tuple]:
    return list(result.orders[["session", "symbol", "side", "quantity"]].itertuples(index=False, name=None))


def test_four_sessions_come_out_as_worked_by_hand():
    result = backtest_two_names()

    # Tue: 0.45 of 10,000.00 is 4,500.00: 90 at 50.00, 225 at 20.00.
    # Wed: equity 795.37 + 90 x 52 + 225 x 19 = 9,750.37; 1,950.07 / 52 = 37.5, 3,900.15 / 19 = 205.3: sell 53, sell 20.
    # Thu: equity 3,965.87 + 37 x 51 + 205 x 21 = 10,157.87; AAA is no longer wanted; 4,571.04 / 21 = 217.7: buy 12.
    # 225 shares cost 1.125, rounded half up to 1.13; every other order pays the minimum of 1.00.
    assert orders_of(result) == [
        (2, 3, "AAA", "buy", 90, 51.00, 1.00, "filled"),
        (2, 3, "BBB", "buy", 225, 20.50, 1.13, "filled"),
        (3, 4, "AAA", "sell", 53, 52.50, 1.00, "filled"),
        (3, 4, "BBB", "sell", 20, 19.50, 1.00, "filled"),
        (4, 5, "AAA", "sell", 37, 50.00, 1.00, "filled"),
        (4, 5, "BBB", "buy", 12, 21.50, 1.00, "filled"),
    ]
    assert result.positions["AAA"].tolist() == [0, 90, 37, 0]
    assert result.positions["BBB"].tolist() == [0, 225, 205, 217]
    # 10,000 - 4,590 - 1 - 4,612.50 - 1.13; + 2,782.50 - 1 + 390 - 1; + 1,850 - 1 - 258 - 1
    assert result.cash.tolist() == [10_000.00, 795.37, 3_965.87, 5_555.87]
    assert result.equity.tolist() == [10_000.00, 9_750.37, 10_157.87, 10_329.87]


def test_the_figures_of_the_worked_example_follow_from_its_equity():
    stats = backtest_two_names().stats

    returns = np.array([0, 9_750.37 / 10_000 - 1, 10_157.87 / 9_750.37 - 1, 10_329.87 / 10_157.87 - 1])
    assert stats["total_return"] == pytest.approx(0.032987)
    assert stats["max_drawdown"] == pytest.approx(1 - 9_750.37 / 10_000)
    assert stats["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * 252**0.5)
    assert stats["annual_volatility"] == pytest.approx(returns.std(ddof=1) * 252**0.5)
    assert stats["annual_return"] == pytest.approx(1.032987 ** (252 / 4) - 1)
    assert stats["commissions_usd"] == 6.13
    traded = 4_590 + 4_612.50 + 2_782.50 + 390 + 1_850 + 258
    equity = (10_000 + 9_750.37 + 10_157.87 + 10_329.87) / 4
    assert stats["turnover_a_year"] == pytest.approx(traded / 2 / equity * 252 / 4)
    assert (stats["orders_filled"], stats["orders_expired"], stats["lowest_cash_usd"]) == (6, 0, 795.37)


def test_a_sale_pays_for_the_purchase_of_the_same_open():
    weights = {TUESDAY: {"ZZZ": Decimal("0.95")}, WEDNESDAY: {"AAA": Decimal("0.95")}}
    prices = {"AAA": [10.0] * 4, "MMM": [NAN] * 4, "ZZZ": [10.0] * 4}

    result = backtest_two_names(weights, prices, prices, limits=ONE_NAME)

    # 950 shares at 10.00 cost 4.75 each way; 9,995.25 x 0.95 / 10 = 949.5, and 949 cost 4.745, rounded half up
    assert [row[2:5] for row in orders_of(result)] == [("ZZZ", "buy", 950), ("ZZZ", "sell", 950), ("AAA", "buy", 949)]
    assert result.cash.tolist() == [10_000.00, 495.25, 495.75, 495.75]


@pytest.mark.parametrize("seed", range(12))
def test_on_random_walks_with_holes_the_orders_alone_lead_to_the_cash_and_shares_that_vectorbt_reports(seed):
    market = random_market(seed)

    result = run_market(market, credit_usd=Decimal(100_000))

    cash, held = Decimal(100_000), dict.fromkeys(market.closes.columns, 0)
    marks = market.closes.ffill().round(6)
    filled = result.orders[result.orders["status"] == "filled"]
    assert len(filled) > 100
    for session in market.closes.index:
        for order in filled[filled["for_session"] == session].itertuples():
            sign = 1 if order.side == "buy" else -1
            value = (order.quantity * Decimal(repr(order.price))).quantize(CENT, ROUND_HALF_UP)
            cash -= sign * value + Decimal(repr(order.commission))
            held[order.symbol] += sign * order.quantity
        worth = [
            (shares * Decimal(repr(float(marks.at[session, symbol])))).quantize(CENT, ROUND_HALF_UP)
            for symbol, shares in held.items()
            if shares
        ]
        assert result.cash[session] == float(cash)
        assert result.equity[session] == float(cash + sum(worth))
        assert result.positions.loc[session].to_dict() == held


def test_real_closes_are_traded_on_their_own_opens_and_never_beyond_the_limits():
    closes = load_sp500_dataset().loc["2019-06-03":"2021-06-30"]
    opens = closes.shift(1).fillna(closes)
    momentum = closes.pct_change(20, fill_method=None).fillna(0.0).to_numpy()

    result = run_market(ranked(opens, closes, momentum, 4), credit_usd=Decimal(5_000))

    assert len(result.equity) == len(closes) == 525
    assert result.stats["orders_filled"] > 500
    assert (result.positions >= 0).all(axis=None)
    assert (result.positions.gt(0).sum(axis=1) <= 4).all()
    buys = result.orders[result.orders["side"] == "buy"]
    assert (buys["quantity"] * buys["price"] < 0.30 * result.equity.reindex(buys["session"]).to_numpy()).all()
    paid = result.orders.apply(lambda order: opens.at[order["for_session"], order["symbol"]], axis=1)
    assert result.orders["price"].tolist() == pytest.approx(paid.tolist(), abs=1e-6)


@pytest.mark.parametrize("last_known", [20, 57, 58, 100])
def test_prices_after_a_session_do_not_change_what_it_decided(last_known):
    market = random_market(seed=5)
    boundary = market.closes.index[last_known]
    future = market.closes.index > boundary
    opens, closes = market.opens.copy(), market.closes.copy()
    opens[future] = opens[future] * 0.8
    closes[future] = closes[future][::-1].to_numpy()

    before = run_market(market, credit_usd=Decimal(100_000))
    after = run_market(replace(market, opens=opens, closes=closes), credit_usd=Decimal(100_000))

    known = [row for row in decided(before) if row[0] <= boundary]
    assert known
    assert [row for row in decided(after) if row[0] <= boundary] == known
    assert decided(after) != decided(before)
    assert after.equity[:boundary].tolist() == before.equity[:boundary].tolist()


def test_an_order_without_an_open_expires_and_is_planned_again():
    opens = {**OPENS, "AAA": [49.00, NAN, 52.50, 50.00]}
    weights = {TUESDAY: {"AAA": Decimal("0.45")}, WEDNESDAY: {"AAA": Decimal("0.45")}}

    result = backtest_two_names(weights, opens)

    # 4,500 / 50 = 90 is not traded and costs nothing; 4,500 / 52 = 86 is.
    assert [row[2:6] + row[7:] for row in orders_of(result)] == [
        ("AAA", "buy", 90, pytest.approx(NAN, nan_ok=True), "expired"),
        ("AAA", "buy", 86, 52.50, "filled"),
    ]
    assert result.cash.tolist() == [10_000.00, 10_000.00, 5_484.00, 5_484.00]
    assert (result.stats["orders_filled"], result.stats["orders_expired"]) == (1, 1)


def test_a_holding_without_a_close_is_left_alone_and_valued_at_its_last_one():
    closes = {**CLOSES, "AAA": [50.00, NAN, 51.00, 53.00]}
    weights = {TUESDAY: {"AAA": Decimal("0.45")}, WEDNESDAY: {"BBB": Decimal("0.45")}}

    result = backtest_two_names(weights, closes=closes)

    # 10,000 - 90 x 51 - 1 = 5,409.00; + 90 x 50 = 9,909.00; 0.45 of it is 234 shares at 19.00
    assert result.equity.iloc[1] == 9_909.00
    assert [row[:5] for row in orders_of(result)] == [(2, 3, "AAA", "buy", 90), (3, 4, "BBB", "buy", 234)]


def test_a_collar_keeps_an_order_from_filling_beyond_it():
    result = backtest_two_names({TUESDAY: WEIGHTS[TUESDAY]}, collar_pct=Decimal("0.02"))

    # AAA opens at 51.00 = 50.00 + 2 %; BBB at 20.50, above 20.40
    assert [(row[2], row[7]) for row in orders_of(result)] == [("AAA", "filled"), ("BBB", "expired")]


def test_a_frozen_name_and_a_name_that_may_not_be_bought_are_not_traded_in_their_session_only():
    reasons = {"frozen": {TUESDAY: {"AAA": "QUARANTINED: check=jump"}}, "no_buys": {TUESDAY: {"BBB": "DRIFT: model=1"}}}
    weights = dict.fromkeys((TUESDAY, WEDNESDAY), WEIGHTS[TUESDAY])

    result = backtest_two_names(weights, **reasons)

    assert [row[:3] for row in orders_of(result)] == [(3, 4, "AAA"), (3, 4, "BBB")]


def test_sessions_without_weights_and_the_last_session_decide_nothing():
    result = backtest_two_names({WEDNESDAY: WEIGHTS[TUESDAY], FRIDAY: WEIGHTS[THURSDAY]})

    assert {row[0] for row in orders_of(result)} == {3}


def test_no_weights_at_all_leave_the_cash_as_it_is():
    result = backtest_two_names({})

    assert result.equity.tolist() == [10_000.00] * 4
    assert result.orders.empty
    assert list(result.orders.columns) == list(backtest_two_names().orders.columns)
    assert result.stats["total_return"] == 0


# Corporate actions


def split(symbol, ex_session, ratio):
    return CorporateAction(symbol, ex_session, ActionKind.SPLIT, Decimal(ratio))


def dividend(symbol, ex_session, usd):
    return CorporateAction(symbol, ex_session, ActionKind.DIVIDEND, Decimal(usd))


def test_a_split_and_a_dividend_on_raw_prices_come_out_as_worked_by_hand():
    opens = {**OPENS, "AAA": [49.00, 51.00, 26.00, 25.00]}
    closes = {**CLOSES, "AAA": [50.00, 52.00, 25.50, 26.50]}
    weights = {**WEIGHTS, WEDNESDAY: {"AAA": Decimal("0.20"), "BBB": Decimal("0.40")}}
    actions = [split("AAA", THURSDAY, "2"), dividend("BBB", THURSDAY, "0.25"), dividend("BBB", FRIDAY, "0.1")]

    result = backtest_two_names(weights, opens, closes, actions=actions)

    # Wed: AAA is to be sold, but splits before the order would trade; BBB: 3,900.15 / 19 = 205.3: sell 20.
    # Thu: 225 x 0.25 = 56.25 on the shares held before the sale; 90 AAA become 180 and 180 x 25.50 is their worth.
    # Thu: equity 1,240.62 + 4,590 + 205 x 21 = 10,135.62; 4,561.03 / 21 = 217.2: buy 12, all AAA go.
    # Fri: 205 x 0.10 = 20.50, before the purchase of 12.
    assert orders_of(result)[2:] == [
        (3, 4, "BBB", "sell", 20, 19.50, 1.00, "filled"),
        (4, 5, "AAA", "sell", 180, 25.00, 1.00, "filled"),
        (4, 5, "BBB", "buy", 12, 21.50, 1.00, "filled"),
    ]
    assert result.positions["AAA"].tolist() == [0, 90, 180, 0]
    assert result.cash.tolist() == [10_000.00, 795.37, 1_240.62, 5_501.12]
    assert result.equity.tolist() == [10_000.00, 9_750.37, 10_135.62, 10_275.12]
    assert (result.stats["dividends_usd"], result.stats["commissions_usd"]) == (76.75, 5.13)


@pytest.mark.parametrize(
    ("ratio", "after", "cash"),
    [
        ("0.25", 22, "104.00"),  # half a new share, 52 x 4 each
        ("0.01", 0, "4680.00"),  # nothing but a fraction: 0.9 x 5,200
        ("0.33333333", 30, "0.00"),  # a third, as the store keeps it, leaves none of 90
        ("1.0027", 90, "12.60"),  # 0.243 of a share at 51.859978
    ],
)
def test_a_split_that_leaves_a_fraction_pays_for_it_at_the_last_close(ratio, after, cash):
    weights = {TUESDAY: {"AAA": Decimal("0.45")}, WEDNESDAY: {"AAA": Decimal("0.45")}}

    result = backtest_two_names(weights, actions=[split("AAA", THURSDAY, ratio)])

    bought = Decimal(10_000) - 90 * 51 - 1
    assert result.positions["AAA"].tolist()[1:3] == [90, after]
    assert result.cash.tolist()[1:3] == [float(bought), float(bought + Decimal(cash))]


def test_a_name_that_does_not_trade_after_its_split_is_valued_at_its_last_close_in_new_shares():
    halted = {"AAA": [50.00, 52.00, NAN, NAN], "BBB": CLOSES["BBB"]}

    result = backtest_two_names({TUESDAY: WEIGHTS[TUESDAY]}, halted, halted, actions=[split("AAA", THURSDAY, "3")])

    # 52 / 3 = 17.333333 with six decimals; 270 of them are 4,680.00 rounded to the cent
    assert result.positions["AAA"].tolist() == [0, 90, 270, 270]
    assert result.equity.iloc[2] - result.cash.iloc[2] - 225 * 21 == pytest.approx(4_680.00)


@pytest.mark.parametrize("seed", range(6))
def test_on_random_walks_with_actions_both_books_agree_and_every_share_and_cent_has_a_cause(seed):
    market = random_market(seed, holes=0.01)
    rng = np.random.default_rng(seed)
    days = [stamp.date() for stamp in market.closes.index]
    actions = [
        CorporateAction(symbol, days[row], kind, value)
        for symbol in market.closes.columns
        for row in sorted(rng.choice(np.arange(1, len(days)), 6, replace=False))
        for kind, value in [
            (ActionKind.DIVIDEND, Decimal(int(rng.integers(1, 4000))) / 10_000),
            (ActionKind.SPLIT, Decimal(str(rng.choice(["2", "1.5", "0.1", "0.33333333", "1.0027"])))),
        ]
    ]

    result = run_market(market, credit_usd=Decimal(10_000_000), actions=actions)

    cash, held = Decimal(100_000), dict.fromkeys(market.closes.columns, Decimal(0))
    history = result.history
    assert {payout.action.kind for payout in history.payouts} == set(ActionKind)
    for close in history.closes:
        for payout in history.payouts:
            if payout.action.ex_session == close.session:
                assert payout.before == held[payout.action.symbol]
                cash, held[payout.action.symbol] = cash + payout.cash, payout.after
        for trade in history.trades:
            if trade.session == close.session and trade.price is not None:
                sign = 1 if trade.order.signed_quantity > 0 else -1
                cash -= sign * trade.value + trade.commission
                held[trade.order.symbol] += trade.order.signed_quantity
        assert (close.book.cash, close.book.held) == (cash, {name: count for name, count in held.items() if count})


def test_symbols_that_look_like_values_stay_symbols():
    symbols = ["INF", "NA", "NAN", "ON", "TRUE"]
    prices = {symbol: [10.0, 11.0, 12.0, 13.0] for symbol in symbols}
    limits = Limits(max_positions=5, max_position_pct=Decimal("0.20"))

    result = backtest_two_names({TUESDAY: dict.fromkeys(symbols, Decimal("0.15"))}, prices, prices, limits=limits)

    assert result.orders["symbol"].tolist() == symbols == result.positions.columns.tolist()


def test_a_purchase_that_opens_beyond_the_cash_is_an_error_that_says_what_was_missing():
    opens = {**OPENS, "AAA": [49.00, 62.00, 52.50, 50.00]}
    message = r"1 of 1 orders .* open of 2024-01-03: \+190 AAA at 62.00 USD with 10000.00 USD of cash .*min_cash_pct"

    with pytest.raises(DataError, match=message):
        backtest_two_names({TUESDAY: {"AAA": Decimal("0.95")}}, opens, limits=ONE_NAME)


def test_credit_pays_for_a_purchase_that_opens_beyond_the_cash_and_changes_no_size():
    opens = {**OPENS, "AAA": [49.00, 62.00, 52.50, 50.00]}

    result = backtest_two_names({TUESDAY: {"AAA": Decimal("0.95")}}, opens, limits=ONE_NAME, credit_usd=Decimal(50_000))

    # 10,000 - 190 x 62 - 1.00 = -1,781.00; + 190 x 52 = 8,099.00
    assert result.cash.tolist() == [10_000.00, -1_781.00, -1_781.00, -1_781.00]
    assert result.equity.iloc[1] == 8_099.00
    assert result.stats["max_drawdown"] == pytest.approx(1 - (190 * 51 - 1_781) / 10_000)
    assert result.stats["lowest_cash_usd"] == -1_781.00


def test_credit_that_is_not_used_changes_nothing():
    with_credit, without = backtest_two_names(credit_usd=Decimal(10_000)), backtest_two_names()

    assert with_credit.stats == pytest.approx(without.stats)
    assert with_credit.cash.tolist() == without.cash.tolist()


def test_two_books_that_disagree_are_an_error_that_names_the_session():
    theirs = table(TUESDAY, {"equity": [1.0, 2.0, 3.0]})["equity"]

    with pytest.raises(DataError, match=r"equity in 2024-01-03 is 2.0060 by the loop and 2.0000 by vectorbt"):
        require_agreement("equity", np.array([1.0, 2.006, NAN]), theirs)


def test_another_commission_is_charged_as_it_is_given():
    result = backtest_two_names({TUESDAY: WEIGHTS[TUESDAY]}, commission=lambda shares, price: Decimal("2.50"))

    assert result.orders["commission"].tolist() == [2.50, 2.50]
    assert result.cash.iloc[-1] == 10_000 - 4_590 - 4_612.50 - 5


def test_the_rust_engine_of_vectorbt_is_installed():
    assert is_rust_available()


@pytest.mark.parametrize("cash", ["0", "-1", "NaN", "100.005"])
def test_cash_must_be_a_positive_number_of_cents(cash):
    with pytest.raises(DataError, match="positive number of whole cents"):
        backtest_two_names(cash=cash)


def test_credit_is_never_negative():
    with pytest.raises(DataError, match="credit_usd is at least 0, got -1"):
        backtest_two_names(credit_usd=Decimal(-1))


def test_weights_of_a_session_without_prices_are_refused():
    with pytest.raises(DataError, match="weights has session 2024-01-08, which is not among the prices"):
        backtest_two_names({date(2024, 1, 8): WEIGHTS[TUESDAY]})


def test_weights_without_predictions_are_refused():
    prices = table(TUESDAY, CLOSES)

    with pytest.raises(DataError, match="session 2024-01-02 has weights and no predictions"):
        run_backtest(WEIGHTS, {}, prices, prices, cash=Decimal(1_000), limits=TWO_NAMES)


def test_equal_inputs_give_equal_results():
    market = random_market(seed=3)

    first, second = (run_market(market, credit_usd=Decimal(100_000)) for _ in range(2))

    pd.testing.assert_frame_equal(first.orders, second.orders)
    assert first.stats == second.stats

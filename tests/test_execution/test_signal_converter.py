from __future__ import annotations

import math
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.orders import OrderSide, OrderType, TimeInForce
from hrp.errors import ConfigError, DataError, UsageError
from hrp.execution.signal_converter import ConversionConfig, SignalConverter

from .night import ACCOUNT, SESSIONS

PRICES = {"AAPL": 150.0, "MSFT": Decimal("300"), "TRUE": 10.0, "NAN": 20.0}


def convert(signals, method="rank", prices=PRICES, **config):
    converter = SignalConverter(ConversionConfig(**{"portfolio_value": 100_000, **config}))
    orders = converter.signals_to_orders(signals, method, prices)
    return {order.symbol: order.quantity for order in orders}, converter.skipped


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"portfolio_value": 0}, "portfolio_value must be positive USD, got 0"),
        ({"portfolio_value": math.nan}, "portfolio_value must be positive USD, got nan"),
        ({"max_positions": 0}, "max_positions must be at least 1, got 0"),
        ({"max_position_pct": 0}, r"max_position_pct must be a fraction in \(0, 1\], got 0"),
        ({"max_position_pct": 10}, r"max_position_pct must be a fraction in \(0, 1\], got 10"),
        ({"min_order_value": -1}, "min_order_value must be at least 0 USD, got -1"),
    ],
)
def test_a_setting_outside_its_range_is_an_error(changes, message):
    with pytest.raises(ConfigError, match=message):
        ConversionConfig(**{"portfolio_value": 100_000, **changes})


def test_defaults_are_the_documented_ones():
    config = ConversionConfig(100_000)

    assert (config.max_positions, config.max_position_pct, config.min_order_value) == (20, 0.10, 100)


@pytest.mark.parametrize(
    ("signals", "method", "config", "expected"),
    [
        # 10 % of 100,000 is 10,000: 66 shares at 150, 33 at 300, 1,000 at 10
        ({"AAPL": 1, "MSFT": 1, "TRUE": 0}, "rank", {}, {"AAPL": 66, "MSFT": 33}),
        ({"AAPL": 0.1, "MSFT": 0.3, "TRUE": 0.2}, "rank", {"max_positions": 2}, {"MSFT": 33, "TRUE": 1000}),
        ({"AAPL": 1, "MSFT": 1, "TRUE": 1}, "rank", {"max_positions": 2}, {"AAPL": 66, "MSFT": 33}),
        ({"AAPL": -0.1, "MSFT": 0.0, "TRUE": 0.2}, "threshold", {}, {"TRUE": 1000}),
        ({"AAPL": 0.0, "MSFT": 0.0, "TRUE": 0.0, "NAN": 4.0}, "zscore", {}, {"NAN": 500}),
        ({"AAPL": 1.0, "MSFT": 1.0}, "zscore", {}, {}),
        ({}, "zscore", {}, {}),
        ({}, "rank", {}, {}),
        # two names share the whole, half each
        ({"AAPL": 1, "TRUE": 1}, "rank", {"max_position_pct": 1}, {"AAPL": 333, "TRUE": 5000}),
    ],
)
def test_signals_become_purchases_of_equal_weight(signals, method, config, expected):
    bought, skipped = convert(signals, method, **config)

    assert bought == expected
    assert skipped == {}


@pytest.mark.parametrize("price", [None, math.nan, math.inf, 0.0, -5.0, Decimal("NaN")])
def test_a_name_without_a_price_gets_no_order_and_a_reason(price):
    bought, skipped = convert({"AAPL": 1, "TRUE": 1}, prices={"AAPL": price, "TRUE": 10.0})

    assert bought == {"TRUE": 1000}
    assert skipped == {"AAPL": f"UNPRICED: price={price}"}


def test_no_prices_at_all_buy_nothing():
    bought, skipped = convert({"AAPL": 1}, prices=None)

    assert (bought, list(skipped)) == ({}, ["AAPL"])


def test_orders_too_small_to_matter_are_left_out_with_the_reason():
    bought, skipped = convert({"AAPL": 1, "TRUE": 1}, portfolio_value=1_400, max_position_pct=0.1)

    assert bought == {"TRUE": 14}
    assert skipped == {"AAPL": "MIN_ORDER_VALUE: value=0.00, minimum=100"}


def test_an_order_with_a_session_can_be_sent():
    converter = SignalConverter(ConversionConfig(100_000))

    [order] = converter.signals_to_orders({"TRUE": 1}, "rank", PRICES, session=SESSIONS[0], account=ACCOUNT)

    assert (order.side, order.order_type, order.tif) == (OrderSide.BUY, OrderType.MARKET, TimeInForce.OPG)
    assert (order.session, order.for_session, order.account) == (SESSIONS[0], SESSIONS[1], ACCOUNT)
    assert order.order_ref.startswith("hrp-20260105-TRUE-B1-")


@pytest.mark.parametrize(
    "signals",
    [
        pd.Series({"AAPL": 1.0, "TRUE": 1.0}),
        pd.DataFrame({"symbol": ["AAPL", "TRUE"], "signal": [1, 1]}),
        pd.DataFrame({"symbol": ["AAPL", "TRUE"], "prediction": [0.2, 0.1]}),
    ],
)
def test_series_and_frames_are_understood(signals):
    assert convert(signals)[0] == {"AAPL": 66, "TRUE": 1000}


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (pd.Series([1.0, 1.0], index=["AAPL", "AAPL"]), "AAPL has more than one signal"),
        ({"AAPL": math.nan}, "the signal of AAPL is nan"),
        ({"AAPL": math.inf}, "the signal of AAPL is inf"),
        ({True: 1.0}, "a symbol must be a text, got True"),
        (pd.Series({math.nan: 1.0}), "a symbol must be a text, got nan"),
    ],
)
def test_signals_that_cannot_be_trusted_are_an_error(signals, message):
    with pytest.raises(DataError, match=message):
        convert(signals)


def test_an_unknown_method_is_named():
    with pytest.raises(UsageError, match="there is no method 'best'; there are: rank, threshold, zscore"):
        convert({"AAPL": 1}, "best")


@given(
    prices=st.lists(st.floats(0.5, 5_000), min_size=1, max_size=40),
    positions=st.integers(1, 50),
    pct=st.floats(0.001, 1),
)
def test_all_orders_together_never_cost_more_than_the_portfolio(prices, positions, pct):
    quoted = {f"S{number}": price for number, price in enumerate(prices)}

    bought, _ = convert(dict.fromkeys(quoted, 1.0), prices=quoted, max_positions=positions, max_position_pct=pct)

    assert sum(Decimal(str(quoted[symbol])) * count for symbol, count in bought.items()) <= 100_000
    assert len(bought) <= positions

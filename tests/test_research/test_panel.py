from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from hrp.errors import DataError
from hrp.research.panel import make_panel

from .markets import NAN, table

TUESDAY = date(2024, 1, 2)
PRICES = {"AAA": [10.0, 11.0, 12.0], "BBB": [20.0, 21.0, 22.0]}


def test_a_price_is_the_same_number_as_float_and_as_decimal_to_six_decimals():
    prices = table(TUESDAY, {"AAA": [0.1 + 0.2, 131.47699999999998, 1e-5]})

    panel = make_panel(prices, prices)

    found = [panel.prices(panel.closes, row, ["AAA"])["AAA"] for row in range(3)]
    assert found == [Decimal("0.3"), Decimal("131.477"), Decimal("0.00001")]
    assert panel.closes[:, 0].tolist() == [float(price) for price in found]


def test_decimal_prices_are_read_like_floats():
    prices = table(TUESDAY, {"AAA": [Decimal("10.25"), None, Decimal("10.50")]})

    panel = make_panel(prices, prices)

    assert panel.prices(panel.closes, 0, ["AAA"]) == {"AAA": Decimal("10.25")}
    assert panel.prices(panel.closes, 1, ["AAA"]) == {}


def test_a_missing_price_and_an_unknown_symbol_are_absent_and_a_mark_is_carried_forward():
    prices = table(TUESDAY, {"AAA": [NAN, 11.0, NAN]})

    panel = make_panel(prices, prices)

    assert [panel.prices(panel.closes, row, ["AAA", "XYZ"]) for row in (0, 2)] == [{}, {}]
    assert panel.prices(panel.marks, 2, ["AAA"]) == {"AAA": Decimal("11.0")}


def test_columns_are_joined_by_name_not_by_position():
    opens, closes = table(TUESDAY, PRICES), table(TUESDAY, PRICES)[["BBB", "AAA"]]

    panel = make_panel(opens, closes)

    assert panel.opens.tolist() == panel.closes.tolist()


def test_dates_serve_as_index_like_timestamps():
    stamps = table(TUESDAY, PRICES)
    dates = stamps.set_axis([stamp.date() for stamp in stamps.index], axis=0)

    assert make_panel(dates, stamps).sessions == (TUESDAY, date(2024, 1, 3), date(2024, 1, 4))


@pytest.mark.parametrize("price", [0.0, -1.0, np.inf])
def test_an_impossible_price_is_an_error_that_names_symbol_and_session(price):
    prices = table(TUESDAY, {**PRICES, "BBB": [20.0, price, 22.0]})

    with pytest.raises(DataError, match="the open of BBB in 2024-01-03 is"):
        make_panel(prices, table(TUESDAY, PRICES))


GOOD = table(TUESDAY, PRICES)


@pytest.mark.parametrize(
    ("opens", "closes", "message"),
    [
        (GOOD, GOOD.rename(columns={"BBB": True}), "closes has the column True; symbols are text"),
        (GOOD, GOOD.rename(columns={"BBB": NAN}), "closes has the column nan; symbols are text"),
        (GOOD, GOOD.rename(columns={"BBB": "AAA"}), "closes has AAA twice"),
        (GOOD[["AAA"]], GOOD, "BBB stands in only one of opens and closes"),
        (GOOD.iloc[:2], GOOD, "opens has 2 sessions and closes 3"),
        (GOOD.iloc[:0], GOOD.iloc[:0], "opens has 0 sessions"),
        (GOOD.iloc[[0, 2]], GOOD.iloc[[0, 2]], "2024-01-03 is missing or not a session"),
        (GOOD.iloc[::-1], GOOD.iloc[::-1], "out of order or repeated"),
        (GOOD.iloc[[0, 0, 1, 2]], GOOD.iloc[[0, 0, 1, 2]], "out of order or repeated"),
    ],
)
def test_a_panel_that_does_not_fit_is_refused(opens, closes, message):
    with pytest.raises(DataError, match=message):
        make_panel(opens, closes)

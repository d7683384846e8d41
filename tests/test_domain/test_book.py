"""Cash and shares after fills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hrp.domain.book import Book
from hrp.domain.orders import OrderSide
from hrp.domain.positions import Fill
from hrp.errors import MissingPriceError

D = Decimal


def fill(symbol: str, shares: int, price: str, commission: str | None = None) -> Fill:
    side = OrderSide.BUY if shares > 0 else OrderSide.SELL
    paid = None if commission is None else D(commission)
    at = datetime(2022, 3, 14, 13, 30, tzinfo=UTC)
    return Fill(f"{symbol}{shares}.01", "", 0, "DU123", 0, symbol, side, D(abs(shares)), D(price), at, paid)


def test_fills_move_cash_and_shares() -> None:
    """1,000 − 5 × 100 − 1 + 10 × 20 − 1 = 698."""
    book = Book(D(1000), {"TRUE": D(10)}).after([fill("AAPL", 5, "100", "1"), fill("TRUE", -10, "20", "1")])

    assert book == Book(D(698), {"AAPL": D(5)})  # what is sold out is absent


def test_a_book_is_not_changed_by_what_comes_after_it() -> None:
    before = Book(D(1000), {"AAPL": D(1)})
    before.after([fill("AAPL", 5, "100")])

    assert before == Book(D(1000), {"AAPL": D(1)})


def test_equity_is_cash_and_market_value() -> None:
    assert Book(D(100), {"AAPL": D(2), "XOM": D(-1)}).equity({"AAPL": D(30), "XOM": D(50)}) == 110


def test_money_is_in_whole_cents_as_a_broker_books_it() -> None:
    """3 × 33.335 = 100.005 is paid as 100.01, and 3 × 0.0015 = 0.0045 is worth nothing."""
    book = Book(D(1000), {}).after([fill("AAPL", 3, "33.335")])

    assert book.cash == D("899.99")
    assert book.equity({"AAPL": D("0.0015")}) == D("899.99")


def test_equity_without_a_price_is_not_known() -> None:
    with pytest.raises(MissingPriceError, match="no price for held NA, XOM; run: hrp run prices"):
        Book(D(100), {"XOM": D(1), "AAPL": D(1), "NA": D(1)}).equity({"AAPL": D(30)})

"""What splits and dividends make of shares held."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from hrp.domain.corporate_actions import ActionKind, CorporateAction, after_split, paid_in_lieu, splits_on

D = Decimal
EX = date(2022, 12, 28)


def split(ratio: str, close_before: str | None = "120", symbol: str = "AAPL", ex_session: date = EX) -> CorporateAction:
    return CorporateAction(symbol, ex_session, ActionKind.SPLIT, D(ratio), close_before and D(close_before))


@pytest.mark.parametrize(
    ("held", "ratio", "whole", "fraction"),
    [
        (10, "2", 20, "0"),
        (30, "0.33333333", 10, "0"),  # 1 for 3 as the store keeps it
        (31, "0.33333333", 10, "0.333333"),
        (11, "1.05", 11, "0.55"),
        (5, "0.1", 0, "0.5"),
        (-10, "2", -20, "0"),
        (-5, "0.5", -2, "-0.5"),  # short 2.5 shares: 2 stay, half a share is paid for
    ],
)
def test_a_split_leaves_whole_shares_and_a_fraction(held: int, ratio: str, whole: int, fraction: str) -> None:
    shares, rest = after_split(D(held), split(ratio))

    assert (shares, rest.quantize(D("0.000001"))) == (whole, D(fraction))


def test_a_fraction_is_worth_its_share_of_the_close_before() -> None:
    """Half a share of 1 for 10 at 12 USD is half of 120 USD."""
    assert paid_in_lieu(D(5), split("0.1", "12")) == D("60.00")
    assert paid_in_lieu(D(5), split("0.1", None)) is None
    assert paid_in_lieu(D(10), split("2", None)) == 0


def test_an_action_says_what_it_is() -> None:
    dividend = CorporateAction("XOM", EX, ActionKind.DIVIDEND, D("0.91000000"))

    assert str(dividend) == "dividend of 0.91 USD a share of XOM, ex 2022-12-28"
    assert str(split("1.5")) == "split 3 for 2 of AAPL, ex 2022-12-28"
    assert split("0.33333333").ratio == Fraction(1, 3)
    assert dividend.about == "dividend:XOM:2022-12-28"


def test_the_splits_of_one_session_are_found_by_symbol() -> None:
    other = split("3", symbol="TRUE", ex_session=date(2022, 12, 29))
    dividend = CorporateAction("XOM", EX, ActionKind.DIVIDEND, D(1))

    assert splits_on([split("2"), other, dividend], EX) == {"AAPL": split("2")}

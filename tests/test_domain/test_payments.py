"""Which payments a difference in cash can be."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.corporate_actions import ActionKind, CorporateAction
from hrp.domain.payments import Payment, candidates, paid_by

D = Decimal
EX = date(2022, 12, 28)


def action(
    symbol: str, value: str, kind: ActionKind = ActionKind.DIVIDEND, close: str | None = None
) -> CorporateAction:
    return CorporateAction(symbol, EX, kind, D(value), close and D(close))


def offered(*actions: CorporateAction, **held: int) -> list[Payment]:
    return candidates(actions, lambda _: {symbol: D(shares) for symbol, shares in held.items()})


def paid(difference: str, payments: list[Payment]) -> dict[str, Decimal]:
    return {payment.about: usd for payment, usd in paid_by(D(difference), payments, D(1))}


def test_a_dividend_is_paid_on_the_shares_held_before_its_ex_day() -> None:
    payments = offered(action("XOM", "0.91"), action("KO", "0.44"), XOM=100)

    assert [(p.about, p.usd) for p in payments] == [("dividend:XOM:2022-12-28", D("91.00"))]


def test_a_short_pays_the_dividend() -> None:
    assert [p.usd for p in offered(action("XOM", "0.91"), XOM=-100)] == [D("-91.00")]


def test_a_fraction_without_a_price_explains_nothing() -> None:
    assert offered(action("AAPL", "0.1", ActionKind.SPLIT), AAPL=5) == []


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        ("91.00", {"dividend:XOM:2022-12-28": D("91.00")}),
        ("91.80", {"dividend:XOM:2022-12-28": D("91.80")}),  # within a dollar: the book follows the broker to the cent
        ("44.00", {"dividend:KO:2022-12-28": D("44.00")}),
        ("135.00", {"dividend:XOM:2022-12-28": D("91.00"), "dividend:KO:2022-12-28": D("44.00")}),
        ("50.00", {}),
        ("-91.00", {}),
    ],
)
def test_the_fewest_payments_that_come_to_the_difference_explain_it(difference: str, expected: dict) -> None:
    payments = offered(action("XOM", "0.91"), action("KO", "0.44"), XOM=100, KO=100)

    assert paid(difference, payments) == expected


@pytest.mark.parametrize(("difference", "explained"), [("50.00", True), ("74.00", True), ("80.00", False)])
def test_a_fraction_may_be_sold_at_another_price_within_a_quarter(difference: str, explained: bool) -> None:
    """Half a share of 1 for 10 at 12 USD is worth 60 USD: from 45 to 75, and a dollar."""
    payments = offered(action("AAPL", "0.1", ActionKind.SPLIT, "12"), AAPL=5)

    assert bool(paid(difference, payments)) is explained


def test_what_a_fraction_brought_is_what_an_exact_payment_beside_it_leaves() -> None:
    payments = offered(action("AAPL", "0.1", ActionKind.SPLIT, "12"), action("XOM", "0.91"), AAPL=5, XOM=100)

    assert paid("148.00", payments) == {
        "dividend:XOM:2022-12-28": D("91.00"), "in-lieu:split:AAPL:2022-12-28": D("57.00"),
    }  # fmt: skip


@given(
    dividends=st.lists(st.decimals("0.01", "9.99", places=2), min_size=1, max_size=6, unique=True),
    chosen=st.data(),
)
def test_what_is_said_to_be_paid_adds_up_to_the_difference(dividends: list[Decimal], chosen: st.DataObject) -> None:
    names = [f"S{place}" for place in range(len(dividends))]
    payments = offered(
        *(action(name, str(usd)) for name, usd in zip(names, dividends, strict=True)), **dict.fromkeys(names, 100)
    )
    really = chosen.draw(st.lists(st.sampled_from(payments), min_size=1, unique=True))
    difference = sum((payment.usd for payment in really), D(0))

    found = paid_by(difference, payments, D(1))

    assert sum((usd for _, usd in found), D(0)) == difference
    assert len(found) <= len(really)

"""Planted differences between a backtest and a replay, each found and explained by its cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from hrp.errors import DataError
from hrp.research.parity import Cause, Day, Line, Paid, Traded, compare

D = Decimal
FIRST, SECOND, THIRD = (date(2024, 1, day) for day in (2, 3, 4))
BOUGHT = Traded(D(10), D(10), D(50), D("1.00"))
WANTED = Line(0.5, D("0.1"), D(51), D(10), D(0))

# Ten AAA are bought at the second open, five are sold at the third, on which BBB pays a dividend.
DAYS = [
    Day(FIRST, D("1000.00"), D("1000.00"), {"BBB": D(4)}, {"AAA": Line(0.5, D("0.5"), D(50), D(0), D(10))}),
    Day(SECOND, D("499.00"), D("1009.00"), {"AAA": D(10), "BBB": D(4)}, {"AAA": replace(WANTED, ordered=D(-5))},
        {"AAA": BOUGHT}),
    Day(THIRD, D("758.00"), D("1018.00"), {"AAA": D(5), "BBB": D(4)}, {},
        {"AAA": Traded(D(-5), D(-5), D(52), D("1.00"))}, {"BBB": Paid(D(0), D("1.00"))}),
]  # fmt: skip


def changed(at: int, **news: object) -> list[Day]:
    return [replace(day, **news) if place == at else day for place, day in enumerate(DAYS)]


def told(replay: list[Day]) -> list[tuple]:
    return [(d.session, d.what, d.symbol, d.cause, d.since) for d in compare(DAYS, replay)]


def test_equal_sides_have_no_difference():
    assert compare(DAYS, list(DAYS)) == []


ONE_MORE = {
    "shares": {"AAA": D(11), "BBB": D(4)}, "cash": D("449.00"), "equity": D("1010.00"),
    "trades": {"AAA": replace(BOUGHT, shares=D(11))},
}  # fmt: skip


def test_one_share_too_many_is_a_different_fill_and_what_follows_from_it_names_it():
    after = replace(
        DAYS[2], shares={"AAA": D(5), "BBB": D(4)}, cash=D("760.00"), equity=D("1020.00"),
        trades={"AAA": Traded(D(-6), D(-6), D(52), D("1.00"))},
    )  # fmt: skip
    replay = [DAYS[0], replace(DAYS[1], **ONE_MORE, lines={"AAA": replace(WANTED, held=D(11), ordered=D(-6))}), after]

    assert told(replay) == [
        (SECOND, "fill", "AAA", Cause.FILL, SECOND),
        (SECOND, "shares", "AAA", Cause.FILL, SECOND),
        (SECOND, "cash", "", Cause.FILL, SECOND),
        (SECOND, "equity", "", Cause.FILL, SECOND),
        (SECOND, "order", "AAA", Cause.FILL, SECOND),
        (THIRD, "fill", "AAA", Cause.FILL, SECOND),
        (THIRD, "cash", "", Cause.FILL, SECOND),
        (THIRD, "equity", "", Cause.FILL, SECOND),
    ]
    assert compare(DAYS, replay)[0].detail == "+1 AAA of +10"


@pytest.mark.parametrize(
    ("news", "cause", "detail"),
    [
        ({"trades": {"AAA": replace(BOUGHT, price=D("50.10"))}, "cash": D("498.00")}, Cause.PRICE,
         "AAA at 50.1 instead of 50"),
        ({"trades": {"AAA": replace(BOUGHT, commission=D("1.35"))}, "cash": D("498.65")}, Cause.COMMISSION,
         "1.35 instead of 1 USD for AAA"),
        ({"trades": {"AAA": Traded(D(10), D(0), None, D(0), sent=False)}, "cash": D(1000), "shares": {"BBB": D(4)}},
         Cause.MISSING, "+10 AAA did not reach the broker"),
        ({"trades": {"AAA": Traded(D(10), D(0), None, D(0))}, "cash": D(1000), "shares": {"BBB": D(4)}},
         Cause.FILL, "-10 AAA of +10"),
        ({"trades": {"AAA": BOUGHT, "CCC": Traded(None, D(1), D(9), D(1))}, "cash": D("489.00"),
          "shares": {"AAA": D(10), "BBB": D(4), "CCC": D(1)}},
         Cause.FILL, "an execution of +1 CCC that no order of HRP asked for"),
        ({"paid": {"BBB": Paid(D(0), D("0.50"))}, "cash": D("499.50")}, Cause.ACTION, "of BBB"),
        ({"paid": {"BBB": Paid(D(4), D(0))}, "shares": {"AAA": D(10), "BBB": D(8)}}, Cause.ACTION, "of BBB"),
        ({"cash": D("499.01")}, Cause.UNEXPLAINED, ""),
        ({"shares": {"AAA": D(10), "BBB": D(5)}}, Cause.UNEXPLAINED, ""),
        ({"equity": D("1010.00")}, Cause.PRICE, "a close"),
        ({"lines": {"AAA": replace(WANTED, price=D(52), ordered=D(-4))}}, Cause.PRICE, "close of AAA: 51 and 52"),
        ({"lines": {"AAA": replace(WANTED, prediction=0.6, weight=D("0.2"))}}, Cause.DECISION,
         "prediction of AAA: 0.5 and 0.6"),
        ({"lines": {"AAA": replace(WANTED, ordered=D(-6))}}, Cause.DECISION, "of AAA from the same books"),
        ({"lines": {}}, Cause.DECISION, "of AAA from the same books"),
    ],
)  # fmt: skip
def test_a_planted_difference_is_named_by_its_cause(news: dict[str, object], cause: Cause, detail: str):
    first, *others = compare(DAYS, changed(1, **news))

    assert (first.session, first.cause, first.detail) == (SECOND, cause, detail)
    assert all(difference.since >= SECOND for difference in others)


def test_a_prediction_that_differs_by_rounding_alone_is_the_same():
    assert compare(DAYS, changed(1, lines={"AAA": replace(WANTED, prediction=0.5 + 1e-12, ordered=D(-5))})) == []


def test_a_second_cause_in_the_money_is_not_taken_for_the_first():
    replay = changed(1, trades={"AAA": replace(BOUGHT, price=D("50.10"))}, cash=D("498.00"))
    replay[2] = replace(DAYS[2], cash=D("700.00"))

    last = compare(DAYS, replay)[-1]

    assert (last.session, last.what, last.cause, last.detail) == (THIRD, "cash", Cause.UNEXPLAINED, "-57.00 USD more")


def test_sides_that_do_not_tell_of_the_same_sessions_are_refused():
    with pytest.raises(DataError, match="3 and 2, the first that only one has is 2024-01-04"):
        compare(DAYS, DAYS[:2])

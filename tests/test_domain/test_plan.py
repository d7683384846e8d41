"""The plan and its hash: one hash for equal inputs, another as soon as anything that bears on the plan differs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given

from hrp.domain.orders import OrderStatus
from hrp.domain.plan import Plan
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs, build_plan

from .nights import D, limits, night, nights

# BUY: 100 of 100 shares wanted. TRIM: 150 held, 100 wanted. KEPT: held, quarantined. MORE: would be bought, is denied.
INPUTS = night(
    cash=D(70_000),
    weights={"BUY": D("0.10"), "TRIM": D("0.10"), "MORE": D("0.05")},
    predictions={"BUY": 0.03, "TRIM": 0.02, "MORE": 0.01, "KEPT": 0.0},
    prices={"BUY": D(100), "TRIM": D(100), "MORE": D(100), "KEPT": D(100)},
    held={"TRIM": D(150), "KEPT": D(150)},
    working={"MORE": D(10)},
    buying={"MORE": D(10)},
    frozen={"KEPT": "QUARANTINED: check=REPEATED_BAR"},
    no_buys={"MORE": "MODEL_FROZEN: version=3"},
    model_versions={"HYP-2022-001": 3},
    sent_today=5,
)
LIMITS = Limits(max_positions=9)
PLAN = build_plan(INPUTS, LIMITS)

CHANGES: dict[str, object] = {
    "session": date(2022, 3, 10),
    "for_session": date(2022, 3, 15),
    "account": "DU124",
    "strategy": "HYP-2022-002",
    "equity": D(100_001),
    "cash": D("70000.01"),
    "weights": INPUTS.weights | {"BUY": D("0.099999")},
    "predictions": INPUTS.predictions | {"BUY": 0.030000000000000002},
    "prices": INPUTS.prices | {"KEPT": D("100.01")},
    "held": INPUTS.held | {"TRIM": D(151)},
    "working": INPUTS.working | {"BUY": D(1)},
    "buying": INPUTS.buying | {"TRIM": D(120)},
    "frozen": INPUTS.frozen | {"KEPT": "QUARANTINED: check=PRICE_JUMP"},
    "no_buys": {"MORE": "MODEL_FROZEN: version=4"},
    "model_versions": {"HYP-2022-001": 4},
    "sent_refs": frozenset({PLAN.orders[-1].order_ref}),
    "sent_today": 100,
    "generation": 2,
    "collar_pct": D("0.05"),
}


def test_the_plan_that_is_changed_below_buys_sells_denies_and_freezes() -> None:
    assert [(order.symbol, order.signed_quantity) for order in PLAN.orders] == [("TRIM", -50), ("BUY", 100)]
    assert [(order.symbol, order.denial) for order in PLAN.denied] == [("MORE", "MODEL_FROZEN: version=3")]
    assert [order.status for order in PLAN.denied] == [OrderStatus.DENIED]


def test_every_input_has_its_change_below() -> None:
    assert list(CHANGES) == [field.name for field in fields(PlanInputs)]


@pytest.mark.parametrize("name", CHANGES)
def test_the_hash_differs_when_a_single_input_differs(name: str) -> None:
    changed = build_plan(replace(INPUTS, **{name: CHANGES[name]}), LIMITS)

    assert changed.plan_hash != PLAN.plan_hash


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_the_hash_differs_when_a_single_limit_differs(name: str) -> None:
    lower = {"max_positions": 8, "max_orders": 99}.get(name, getattr(LIMITS, name) * D("0.99"))

    assert build_plan(INPUTS, replace(LIMITS, **{name: lower})).plan_hash != PLAN.plan_hash


def test_every_hash_above_is_another_one() -> None:
    hashes = {build_plan(replace(INPUTS, **{name: value}), LIMITS).plan_hash for name, value in CHANGES.items()}

    assert len(hashes) == len(CHANGES)


@given(nights(), limits())
def test_equal_inputs_have_an_equal_hash_however_their_numbers_are_written(inputs: PlanInputs, limits: Limits) -> None:
    """0.10 from a setting, 0.1 from a default and 0.100000 out of a column are one number."""

    def rewritten(numbers: Mapping[str, D]) -> dict[str, D]:
        return {symbol: number + D("0.000000") for symbol, number in reversed(numbers.items())}

    same = replace(
        inputs,
        equity=inputs.equity + D("0.000000"),
        cash=inputs.cash + D("0.000000"),
        **{book: rewritten(getattr(inputs, book)) for book in ("weights", "prices", "held", "working")},
    )
    same_limits = replace(limits, max_position_pct=limits.max_position_pct + D("0.000"), max_gross_pct=D("1.00"))

    assert build_plan(same, same_limits).plan_hash == build_plan(inputs, limits).plan_hash


def test_the_hash_is_the_same_in_another_process() -> None:
    """Text hashes differently from one Python process to the next; the plan does not."""
    program = "from test_domain.test_plan import PLAN; print(PLAN.plan_hash)"
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tests,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(tests.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == PLAN.plan_hash


def test_the_record_holds_the_whole_way_from_prediction_to_order() -> None:
    lines: list[dict[str, object]] = PLAN.as_record()["lines"]  # type: ignore[assignment]

    assert [line["symbol"] for line in lines] == ["BUY", "KEPT", "MORE", "TRIM"]
    assert lines[1] == {
        "symbol": "KEPT",
        "prediction": 0.0,
        "weight": "0",
        "price": "100",
        "desired": 0,
        "clips": [["QUARANTINED", 0, 150, "check=REPEATED_BAR"]],
        "target": 150,
        "held": "150",
        "working": "0",
        "order": None,
    }
    assert lines[3]["order"] == {
        "order_ref": PLAN.orders[0].order_ref,
        "side": "sell",
        "quantity": 50,
        "order_type": "market",
        "limit_price": None,
        "tif": "OPG",
        "strategy": "HYP-2022-001",
        "denial": None,
    }


def test_what_is_left_to_trade_is_target_less_held_less_working() -> None:
    assert {line.symbol: line.delta for line in PLAN.lines} == {"BUY": 100, "KEPT": 0, "MORE": 40, "TRIM": -50}


def test_a_plan_without_lines_still_says_for_which_account_and_session() -> None:
    empty = build_plan(night(), LIMITS)

    assert isinstance(empty, Plan)
    assert empty.orders == empty.denied == ()
    assert empty.plan_hash != build_plan(night(account="DU124"), LIMITS).plan_hash
